"""Numbers from a trace small enough to work out by hand, and laws that hold for any trace."""

import math
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.trace import Cause, Outcome, Trace
from sim.curves import time_average
from sim.engine import simulate
from sim.measure import Window, measure
from sim.query import parse
from sim.run import run, window_of
from tests.sim.small import simulate_small, small_scenarios

NAN = math.nan
# Where the default is too small for 8 erlangs.
ROOM = {"psycopg": "&max_size=20"}


def trace(
    requests: list[tuple[float, float, float, float, Outcome]],
    connections: list[tuple[float, float, float]],
) -> Trace:
    """Make a trace: asked, granted, released, returned and outcome; opening, opened, closed."""
    asked, granted, released, returned, outcome = zip(*requests, strict=True)
    opening, opened, closed = zip(*connections, strict=True)
    return Trace(
        asked_s=array("d", asked),
        granted_s=array("d", granted),
        released_s=array("d", released),
        returned_s=array("d", returned),
        outcome=array("q", outcome),
        connection=array("q", [0] * len(asked)),
        pool=array("q", [0] * len(asked)),
        opening_s=array("d", opening),
        opened_s=array("d", opened),
        closed_s=array("d", closed),
        cause=array("q", [Cause.STILL_OPEN] * len(opening)),
        owner=array("q", [0] * len(opening)),
    )


# One connection, opened from 0 to 1. The second request queues, the third times out, the
# fourth asks after the window.
BY_HAND = trace(
    [
        (0.0, 1.0, 3.0, 3.5, Outcome.OK),
        (2.0, 3.5, 6.0, 6.0, Outcome.OK),
        (4.0, NAN, 5.0, NAN, Outcome.ACQUIRE_TIMEOUT),
        (10.0, 10.0, 11.0, 11.0, Outcome.OK),
    ],
    [(0.0, 1.0, NAN)],
)


def test_a_trace_is_measured_as_by_hand() -> None:
    result = measure([BY_HAND], Window(0.0, 10.0), capacity=2)
    assert (result.requests, result.completed, result.timeouts) == (3, 2, 1)
    assert result.errors == {"acquire_timeout": 1}
    assert result.timeout_ratio.value == pytest.approx(1 / 3)
    assert result.throughput_per_s.value == pytest.approx(2 / 10)
    assert result.wait_s.mean.value == pytest.approx((1.0 + 1.5 + 1.0) / 3)
    assert result.latency_s.mean.value == pytest.approx((3.0 + 4.0) / 2)
    assert result.wait_s.max.value == 1.5
    assert result.in_use_mean.value == pytest.approx((2.5 + 2.5) / 10)
    assert result.utilisation.value == pytest.approx(0.25)
    assert result.waiting_mean.value == pytest.approx((1.0 + 1.5 + 1.0) / 10)
    assert (result.connections_opened, result.connections_max) == (1, 1)


def test_what_was_asked_during_the_warm_up_is_not_counted() -> None:
    result = measure([BY_HAND], Window(1.0, 10.0), capacity=2)
    assert (result.requests, result.completed) == (2, 1)
    assert result.wait_s.mean.value == pytest.approx((1.5 + 1.0) / 2)
    # It still holds its connection from 1 to 3.5, and gets its answer in the window.
    assert result.in_use_mean.value == pytest.approx((2.5 + 2.5) / 9)
    assert result.throughput_per_s.value == pytest.approx(2 / 9)


def test_the_timeline_shows_the_warm_up_too() -> None:
    line = measure([BY_HAND], Window(5.0, 10.0), capacity=2).timeline
    assert line.t_s[0] < 0.1
    assert line.opening[0] == 1.0
    at_2_5_s = int(2.5 / 10.0 * len(line.t_s))
    assert (line.in_use[at_2_5_s], line.waiting[at_2_5_s], line.idle[at_2_5_s]) == (1.0, 1.0, 0.0)
    assert line.idle[-1] == 1.0


def test_too_few_requests_beyond_a_percentile_give_no_value() -> None:
    result = measure([BY_HAND], Window(0.0, 10.0), capacity=2)
    assert result.wait_s.p99.value is None
    assert result.wait_s.p50.value is None
    assert any("p99 needs at least 1000" in note for note in result.notes)


def test_one_replication_has_no_interval_and_says_so() -> None:
    result = run(parse("replications=1&duration_s=5"))
    assert result.wait_s.mean.low is None
    assert any("replication" in note for note in result.notes)


def test_nothing_at_all_is_no_value_and_no_crash() -> None:
    result = run(parse("rate=0.001&duration_s=1&warm_up_s=0&replications=1"))
    assert result.requests == 0
    assert result.wait_s.mean.value is None
    assert result.survival.wait_s == ()


@given(
    starts=st.lists(st.floats(0.0, 20.0), max_size=20),
    lengths=st.lists(st.floats(0.0, 10.0), min_size=20, max_size=20),
    never_ends=st.booleans(),
)
def test_a_time_average_is_the_sum_of_the_overlaps(
    starts: list[float], lengths: list[float], never_ends: bool
) -> None:
    ends = [start + length for start, length in zip(starts, lengths, strict=False)]
    if never_ends and ends:
        ends[-1] = NAN
    within = [
        max(0.0, (15.0 if math.isnan(end) else min(end, 15.0)) - max(start, 5.0))
        for start, end in zip(starts, ends, strict=True)
    ]
    assert time_average(starts, ends, 5.0, 15.0) == pytest.approx(sum(within) / 10.0, abs=1e-9)


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.data())
@settings(max_examples=10)
def test_littles_law_holds_exactly_in_a_run_that_ends(kind: str, data: st.DataObject) -> None:
    """Time averages over the whole run, emptying included, are sums of times over its length.

    No tolerance but rounding: number in system = rate x time in system, for every sample path.
    Source: Little (1961); Stidham (1974) for sample paths.
    """
    scenario = data.draw(small_scenarios(kind))
    made = simulate_small(scenario)
    columns = (made.asked_s, made.granted_s, made.released_s, made.returned_s)
    asked, granted, released, returned = map(np.asarray, columns)
    served = ~np.isnan(granted)
    is_leaked = np.isnan(returned[served]).any()
    if not len(asked) or Outcome.UNFINISHED in made.outcome or is_leaked:
        return
    end_s = float(np.nanmax(np.concatenate([released, returned]))) + 1.0
    result = measure([made], Window(0.0, end_s), scenario.capacity)
    waits = np.where(served, granted, released) - asked
    holds = (returned - granted)[served]
    assert result.waiting_mean.value == pytest.approx(waits.sum() / end_s, rel=1e-6, abs=1e-6)
    assert result.in_use_mean.value == pytest.approx(holds.sum() / end_s, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_littles_law_holds_within_the_edges_of_a_window(kind: str) -> None:
    """In use = throughput x hold, waiting = rate x mean wait; 3 %, for what crosses the edges.

    Holds are those that the trace shows, so round trips and shared cores are in them.
    """
    room = ROOM.get(kind, "")
    scenario = parse(f"kind={kind}&rate=400&hold_ms=20&replications=4&duration_s=20{room}")
    result = run(scenario)
    traces = [simulate(scenario, number) for number in range(4)]
    window = window_of(scenario)
    holds = np.concatenate([_holds(one, window) for one in traces])
    assert result.throughput_per_s.value is not None
    assert result.wait_s.mean.value is not None
    in_use = result.throughput_per_s.value * float(holds.mean())
    assert result.in_use_mean.value == pytest.approx(in_use, rel=0.03)
    waiting = result.requests / 4 / window.length_s * result.wait_s.mean.value
    assert result.waiting_mean.value == pytest.approx(waiting, rel=0.03, abs=0.01)


def _holds(made: Trace, window: Window) -> np.ndarray:
    asked = np.asarray(made.asked_s)
    counted = (asked >= window.start_s) & (asked < window.end_s)
    holds = (np.asarray(made.returned_s) - np.asarray(made.granted_s))[counted]
    return np.asarray(holds[~np.isnan(holds)])


def test_warm_connections_are_not_counted_as_opened() -> None:
    query = "{}&warm_up_s=0&rate=50&duration_s=5&connect_ms=0"
    for pool in ("pool_size=20&warm_connections=20", "kind=asyncpg"):
        result = run(parse(query.format(pool)))
        assert result.connections_opened == 0
        assert result.connections_max in (20, 10)


def test_requests_asked_in_the_window_are_followed_to_their_end() -> None:
    """A queue that grows until the end of arrivals is emptied: nobody is left without a wait."""
    scenario = parse("kind=asyncpg&max_size=1&min_size=1&rate=100&hold_ms=20&duration_s=10")
    result = run(scenario)
    assert result.completed == result.requests
    assert result.wait_s.max.value is not None
    assert result.wait_s.max.value > 5.0
    assert any("reaches capacity" in note for note in result.notes)
