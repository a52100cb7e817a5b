"""The server: its connection slots and its cores, shared by all pools of the fleet."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.trace import Cause, Outcome, Trace
from sim.agenda import Agenda, Call
from sim.engine import simulate
from sim.query import parse
from sim.run import run
from sim.stations import Cores
from tests.sim.small import simulate_small, small_scenarios


def open_at_once(trace: Trace) -> int:
    """Return the most connections that were open at the same time, refused ones not counted."""
    rows = [
        (opened, 1, closed)
        for opened, closed in zip(trace.opened_s, trace.closed_s, strict=True)
        if not math.isnan(opened)
    ]
    changes = [(at, 1) for at, _, _ in rows]
    changes += [(closed, -1) for _, _, closed in rows if not math.isnan(closed)]
    most = now = 0
    for _, change in sorted(changes):  # of equal times, closings first
        now += change
        most = max(most, now)
    return most


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.data())
@settings(max_examples=30)
def test_no_more_connections_are_open_than_the_server_takes(kind: str, data: st.DataObject) -> None:
    scenario = data.draw(small_scenarios(kind))
    trace = simulate_small(scenario)
    if scenario.pool.serves == "database":
        assert open_at_once(trace) <= max(
            0, scenario.server.slots - scenario.fleet.other_connections
        )
    else:
        assert Cause.OPEN_FAILED not in trace.cause


def test_a_fleet_beyond_max_connections_is_refused() -> None:
    """Four workers want 20 each of 30 less 3 reserved and 7 of others: all 20 are taken."""
    scenario = parse(
        "pool_size=20&max_overflow=0&workers=4&rate=2000&hold_ms=40&max_connections=30"
        "&other_connections=7&duration_s=3&warm_up_s=1&pool_timeout=1"
    )
    result = run(scenario)
    assert result.errors["connect_refused"] > 0
    assert result.connections_max >= 20
    assert open_at_once(simulate(scenario)) == 20


def test_who_is_refused_fails_alone_and_the_rest_is_served() -> None:
    scenario = parse(
        "kind=sqlalchemy-null&rate=100&hold_ms=50&max_connections=8&duration_s=10&replications=1"
    )
    trace = simulate(scenario)
    kinds = {Outcome(one) for one in trace.outcome}
    assert kinds == {Outcome.OK, Outcome.CONNECT_REFUSED}
    refused = trace.outcome.count(Outcome.CONNECT_REFUSED)
    assert refused == trace.cause.count(Cause.OPEN_FAILED)


def test_a_connect_abandoned_before_its_refusal_gives_no_slot_back() -> None:
    """The acquire timeout is over before the server has answered that it is full."""
    scenario = parse(
        "kind=asyncpg&max_size=6&min_size=0&acquire_timeout=0.05&connect_ms=30&rtt_ms=0"
        "&workers=2&rate=400&hold_ms=200&max_connections=13&warm_connections=5&duration_s=5"
        "&warm_up_s=0"
    )
    trace = simulate(scenario)
    assert trace.outcome.count(Outcome.ACQUIRE_TIMEOUT) > 0
    assert open_at_once(trace) <= 10


def test_workers_share_the_cores() -> None:
    """One worker alone keeps up with its queries on one core; four of them do not."""
    query = "pool_size=20&rate={}&hold_ms=10&cpu_fraction=1&cores=1&workers={}&duration_s=20"
    alone = run(parse(query.format(60, 1))).latency_s.mean.value
    crowded = run(parse(query.format(90, 4))).latency_s.mean.value
    assert alone is not None
    assert crowded is not None
    # M/G/1-PS: 10 / (1 - 0.6) and 10 / (1 - 0.9) ms.
    assert crowded > 2.5 * alone


def test_a_larger_pool_can_make_a_computing_database_slower() -> None:
    """What is taken from the queue is added to the query; with more at once, p99 grows."""
    query = (
        "pool_size={}&max_overflow=0&rate=90&hold_ms=10&cpu_fraction=1&cores=1&rtt_ms=0"
        "&duration_s=60"
    )
    small, large = (run(parse(query.format(size))) for size in (1, 30))
    assert small.wait_s.p99.value is not None
    assert large.wait_s.p99.value is not None
    assert large.wait_s.p99.value < small.wait_s.p99.value
    assert small.latency_s.p99.value is not None
    assert large.latency_s.p99.value is not None
    assert large.latency_s.p99.value > small.latency_s.p99.value


# ---- cores alone ---------------------------------------------------------------------------------


def departures(jobs: list[tuple[float, float]], cores: int) -> list[float]:
    """Return when each job (arrival, demand) is done, by stepping from change to change."""
    left = [demand for _, demand in jobs]
    done = [math.nan] * len(jobs)
    now = 0.0
    while any(math.isnan(at) for at in done):
        here = [n for n, (at, _) in enumerate(jobs) if at <= now and math.isnan(done[n])]
        to_come = min((at for at, _ in jobs if at > now), default=math.inf)
        speed = min(1.0, cores / len(here)) if here else 1.0
        ends_s = now + min((left[n] for n in here), default=math.inf) / speed
        later = min(ends_s, to_come)
        for n in here:
            left[n] -= (later - now) * speed
            if left[n] <= 1e-12:
                done[n] = later
        now = later
    return done


@given(
    jobs=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), min_size=1, max_size=25),
    cores=st.integers(1, 5),
)
def test_cores_share_as_stepping_from_change_to_change_does(
    jobs: list[tuple[int, int]], cores: int
) -> None:
    agenda = Agenda()
    done = [math.nan] * len(jobs)

    def finish(number: int) -> None:
        done[number] = agenda.now

    station = Cores(agenda, cores, finish)
    at_s = sorted((arrival / 10.0, demand / 10.0) for arrival, demand in jobs)

    def enter(event: Call) -> None:
        number = event.payload
        station.enter(number, at_s[number][1], agenda.now)

    for number, (arrival, _) in enumerate(at_s):
        agenda.call(enter, arrival, number)
    agenda.run()
    assert np.allclose(done, departures(at_s, cores), rtol=0.0, atol=1e-9)
