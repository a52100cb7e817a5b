"""Where a run is found to have settled, and that only what comes later is counted."""

import math
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.engine import simulate
from sim.query import parse
from sim.run import run, settled_window
from sim.scenario import Scenario
from sim.warm_up import mser_5_s, settled_s, settling_s, smallest_error
from tests.sim.small import small_scenarios

M_M_C = "kind=asyncpg&max_size={c}&min_size={c}&rate={rate}&hold_ms=20&rtt_ms=0&cpu_fraction=0"


class Granted(NamedTuple):
    """Requests as mser_5_s looks at them."""

    asked_s: list[float]
    granted_s: list[float]
    released_s: list[float]


def queue(capacity: int, rho: float, more: str = "") -> Scenario:
    return parse(M_M_C.format(c=capacity, rate=rho * capacity / 0.02) + more)


@given(st.lists(st.floats(0.0, 100.0), min_size=2, max_size=200))
def test_mser_leaves_out_what_makes_the_error_of_the_rest_smallest(values: list[float]) -> None:
    """Against the rule as written: each truncation tried by itself."""
    means = np.asarray(values)
    errors = [
        float(((means[d:] - means[d:].mean()) ** 2).sum()) / (len(means) - d) ** 2
        for d in range(len(means) // 2 + 1)
    ]
    assert errors[smallest_error(means)] == pytest.approx(min(errors), abs=1e-9)


def test_a_cold_start_is_found() -> None:
    """A connect of 2 s holds back the first requests of a pool that then never waits."""
    scenario = parse("pool_size=20&connect_ms=2000&rate=100&hold_ms=10&cpu_fraction=0")
    found_s = mser_5_s([simulate(scenario, number) for number in range(5)])
    assert 1.5 <= found_s <= 3.0


@given(st.data())
def test_requests_of_one_instant_are_batched_as_they_come(data: st.DataObject) -> None:
    """Two replications with equal starts, against the rule as written: a stable order."""
    starts = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=10, max_size=40)
    traces, asked, waits = [], [], []
    for asked_s in (sorted(data.draw(starts)) for _ in range(2)):
        wait_s = [data.draw(st.integers(0, 9)) / 10.0 for _ in asked_s]
        granted_s = [start + wait for start, wait in zip(asked_s, wait_s, strict=True)]
        traces.append(Granted(asked_s, granted_s, granted_s))
        asked += asked_s
        waits += [after - start for start, after in zip(asked_s, granted_s, strict=True)]
    together = sorted(range(len(asked)), key=asked.__getitem__)
    batches = [together[row : row + 10] for row in range(0, len(together) - 9, 10)]
    means = [float(np.mean([waits[row] for row in batch])) for batch in batches]
    assert mser_5_s(traces) == asked[together[10 * smallest_error(np.asarray(means))]]


@pytest.mark.parametrize(("capacity", "rho"), [(2, 0.9), (5, 0.9), (20, 0.9), (5, 0.5)])
def test_the_time_to_settle_is_three_relaxation_times(capacity: int, rho: float) -> None:
    exact = 3.0 * 0.02 / (capacity * (1.0 - math.sqrt(rho)) ** 2)
    assert settling_s(queue(capacity, rho)) == pytest.approx(exact)


def test_a_busy_queue_is_counted_from_when_it_has_settled() -> None:
    scenario = queue(2, 0.9, "&duration_s=40")
    result = run(scenario)
    assert result.counted_from_s >= settling_s(scenario) > scenario.warm_up_s


def test_at_most_half_of_a_run_is_left_out_and_a_run_too_short_says_so() -> None:
    result = run(queue(2, 0.9, "&duration_s=12"))
    assert result.counted_from_s == 6.0
    assert any("takes about 11.4 s to settle" in note for note in result.notes)


@pytest.mark.parametrize(
    "more", ["&warm_up_s=0", "&warm_up_s=1&rate=500", "&warm_up_s=1&pattern=spike"]
)
def test_nothing_is_looked_for_where_there_is_nothing_to_settle_to(more: str) -> None:
    query = M_M_C.format(c=2, rate=0).replace("&rate=0", "")
    scenario = parse(query + (more if "rate=" in more else more + "&rate=90"))
    traces = [simulate(scenario, number) for number in range(2)]
    assert settled_s(scenario, traces) == scenario.warm_up_s


@given(small_scenarios())
def test_something_is_always_counted_from_no_sooner_than_asked(scenario: Scenario) -> None:
    traces = [simulate(scenario)] if not scenario.workload.is_closed else []
    if not traces or not len(traces[0].asked_s):
        return
    window = settled_window(scenario, traces)
    assert scenario.warm_up_s <= window.start_s < window.end_s == scenario.duration_s


def test_users_stopped_by_a_limit_are_counted_until_then() -> None:
    """1000 requests allowed to each replication, 100 a second: they stop after 10 s of 20."""
    query = "kind=asyncpg&max_size=10&min_size=10&pattern=closed&users=10&think_ms=0&rtt_ms=0"
    scenario = parse(f"{query}&hold_ms=100&hold_cv=0&cpu_fraction=0&duration_s=20&replications=2")
    with mock.patch("sim.engine.REQUESTS_MAX", 2000):
        result = run(scenario)
    assert any("Cut short" in note for note in result.notes)
    assert result.throughput_per_s.value == pytest.approx(100.0, rel=0.03)
