"""The worker around a pool: its event loop, the entry and the handover lag."""

from heapq import heappop, heappush
from itertools import count

import numpy as np
import pytest

from pools.trace import Outcome, Trace
from sim.engine import simulate
from sim.query import parse
from sim.scenario import Scenario
from sim.worker import LOOP_VISITS
from sim.workload import Arrivals, draw
from tests.sim.traces import to_the_last_bit, waits_of

FREE = (
    "&rtt_ms=0&connect_ms=0&cpu_fraction=0&max_connections=10000&replications=1&warm_up_s=0"
    "&hold_cv=0"
)


def arrivals_at(*asked_s: float, hold_s: float = 0.010) -> Arrivals:
    zeros = np.zeros(len(asked_s), dtype=np.int64)
    return Arrivals(np.asarray(asked_s), np.full(len(asked_s), hold_s), pool=zeros, host=zeros)


def played(query: str, arrivals: Arrivals) -> Trace:
    return simulate(parse(query + FREE), arrivals=arrivals)


def test_a_lone_request_visits_the_loop_three_times_and_waits_for_one() -> None:
    trace = played("loop_cpu_ms=3&overhead_ms=2", arrivals_at(1.0))
    assert trace.granted_s[0] == pytest.approx(1.001)
    assert trace.released_s[0] == pytest.approx(1.001 + 0.001 + 0.010 + 0.002 + 0.001)


def test_requests_share_the_loop_of_their_worker_first_come_first_served() -> None:
    trace = played("loop_cpu_ms=3&max_overflow=30", arrivals_at(1.0, 1.0, 1.0))
    # Three visits to come, then three to send: the first is answered while the loop is free.
    assert np.diff([1.0, *trace.granted_s]) == pytest.approx([0.001] * 3)
    assert list(trace.released_s) == pytest.approx([1.015, 1.016, 1.017])


def test_starts_in_whole_seconds_are_seconds_all_the_same() -> None:
    assert list(played("loop_cpu_ms=3", arrivals_at(1, 2)).asked_s) == [1.0, 2.0]


def test_another_worker_has_another_loop() -> None:
    arrivals = arrivals_at(1.0, 1.0)
    apart = Arrivals(arrivals.asked_s, arrivals.hold_s, np.asarray([0, 1]), arrivals.host)
    trace = simulate(parse("loop_cpu_ms=3&workers=2" + FREE), arrivals=apart)
    assert trace.granted_s[0] == trace.granted_s[1] == pytest.approx(1.001)


def three_visits(arrivals: Arrivals, visit_s: float) -> tuple[list[float], list[float]]:
    """Return when each request is granted and released, if the pool has no limit."""
    asked = enumerate(arrivals.asked_s.tolist())
    due = [(at_s, row, row, 0) for row, at_s in asked]
    order = count(len(due))
    times = [[0.0] * 4 for _ in due]
    free_s = 0.0
    while due:
        now, _, row, visits = heappop(due)
        free_s = times[row][visits] = max(now, free_s) + visit_s
        if visits == 0:
            heappush(due, (free_s, next(order), row, 1))
        elif visits == 1:
            heappush(due, (free_s + float(arrivals.hold_s[row]), next(order), row, 2))
    return [one[0] for one in times], [one[2] for one in times]


@pytest.mark.parametrize("use", [0.5, 0.8, 1.2])
def test_the_loop_is_one_queue_of_all_visits(use: float) -> None:
    query = f"pool_size=0&rate={use * 1000}&loop_cpu_ms=1&hold_ms=50&hold_cv=1&duration_s=5"
    scenario = parse(query + FREE.replace("&hold_cv=0", ""))
    granted, released = three_visits(draw(scenario), scenario.worker.loop_cpu_s / LOOP_VISITS)
    trace = simulate(scenario)
    assert np.allclose(trace.granted_s, granted, rtol=0.0, atol=1e-9)
    assert np.allclose(trace.released_s, released, rtol=0.0, atol=1e-9)


def test_entry_is_waited_for_and_is_not_part_of_the_hold() -> None:
    trace = played("entry_ms=0.5", arrivals_at(1.0))
    assert trace.granted_s[0] == pytest.approx(1.0005)
    assert trace.released_s[0] - trace.granted_s[0] == pytest.approx(0.010)


@pytest.mark.parametrize("pool", ["pool_size=1&max_overflow=0", "kind=aiohttp&limit=1"])
def test_a_woken_waiter_runs_after_the_handover_lag(pool: str) -> None:
    trace = played(f"{pool}&handover_ms=0.5", arrivals_at(1.0, 1.001))
    assert trace.granted_s[1] - trace.released_s[0] == pytest.approx(0.0005)


def test_a_newcomer_takes_the_connection_within_the_lag_and_the_waiter_goes_to_the_tail() -> None:
    query = "pool_size=1&max_overflow=0&handover_ms=0.5"
    trace = played(query, arrivals_at(1.0, 1.001, 1.002, 1.0102))
    assert trace.granted_s[3] == pytest.approx(1.0102)
    # The robbed waiter is now behind the one who came after it.
    assert trace.granted_s[2] < trace.granted_s[1]


def test_a_waiter_whose_time_is_over_within_the_lag_passes_the_connection_on() -> None:
    query = "pool_size=1&max_overflow=0&handover_ms=5&pool_timeout=0.05"
    trace = played(query, arrivals_at(1.0, 1.001, 1.04, hold_s=0.048))
    assert trace.outcome[1] == Outcome.ACQUIRE_TIMEOUT
    assert trace.outcome[2] == Outcome.OK


def test_a_waiter_that_connects_when_its_time_is_over_is_woken_in_vain() -> None:
    """Room comes free without waking anyone: a refused connect. Then a return wakes a waiter."""
    query = (
        "pool_size=1&max_overflow=1&handover_ms=400&pool_timeout=0.2&connect_ms=10"
        "&max_connections=2&reserved=0&other_connections=1"
    )
    played_twice = arrivals_at(1.0, 1.001, 1.002, hold_s=0.1)
    trace = simulate(parse(query + "&rtt_ms=0&cpu_fraction=0&hold_cv=0"), arrivals=played_twice)
    outcomes = [Outcome(one) for one in trace.outcome]
    assert outcomes == [Outcome.OK, Outcome.CONNECT_REFUSED, Outcome.CONNECT_REFUSED]
    assert trace.released_s[2] == pytest.approx(1.002 + 0.2 + 0.010)


@pytest.mark.parametrize("kind", ["sqlalchemy", "asyncpg", "aiohttp", "httpx", "psycopg"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_worker_too_fast_to_notice_changes_nothing_but_rounding(kind: str, seed: int) -> None:
    base = f"kind={kind}&rate=300&duration_s=2&replications=1&warm_up_s=0&seed={seed}"
    plain = simulate(parse(base))
    tiny = simulate(parse(f"{base}&loop_cpu_ms=0.000003&entry_ms=0.000001&handover_ms=0.000001"))
    assert list(tiny.outcome) == list(plain.outcome)
    assert np.allclose(waits_of(tiny), waits_of(plain), rtol=0.0, atol=1e-6)


def test_a_run_with_a_worker_repeats_to_the_last_bit() -> None:
    scenario: Scenario = parse(
        "workers=4&rate=500&loop_cpu_ms=0.5&entry_ms=0.06&handover_ms=0.055&duration_s=3"
        "&replications=1"
    )
    again = simulate(scenario, arrivals=draw(scenario))
    assert to_the_last_bit(again) == to_the_last_bit(simulate(scenario))


def test_the_loop_use_counts_every_request_of_a_worker() -> None:
    assert parse("rate=500&workers=4&loop_cpu_ms=2").loop_use == pytest.approx(0.25)
