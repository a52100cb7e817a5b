"""Connections that die and callers that are cancelled: nobody is lost, nothing is made up."""

import math
import random
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.trace import Outcome, Trace
from sim.engine import Run, simulate
from sim.failures import Failures
from sim.faults import Faults
from sim.lossy_world import LossyWorld
from sim.play import play
from sim.query import parse
from sim.scenario import Scenario
from sim.script_of import script_of
from sim.workload import draw as draw_arrivals
from sim.world import AnyVisit
from tests.sim.small import (
    ends_in_time,
    failing_scenarios,
    simulate_small,
    small_scenarios,
)
from tests.sim.traces import to_the_last_bit

EVERY_KIND = pytest.mark.parametrize("kind", sorted(KINDS))
NEVER = Failures(idle_cut_s=86_400.0)


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=10)
def test_a_failure_that_does_not_happen_changes_not_a_bit(kind: str, data: st.DataObject) -> None:
    """One body of rules: the world that can lose connections is the plain one until it does."""
    scenario = data.draw(small_scenarios(kind))
    plain, watched = (replace(scenario, failures=one) for one in (Failures(), NEVER))
    trace = simulate_small(plain)
    assume(ends_in_time(trace))
    assert to_the_last_bit(trace) == to_the_last_bit(simulate_small(watched))


def conserves(trace: Trace) -> None:
    """Check that every request ended, in order, and had a connection if it was granted one."""
    columns = (
        trace.asked_s,
        trace.granted_s,
        trace.released_s,
        trace.returned_s,
        trace.outcome,
        trace.connection,
    )
    for asked_s, granted_s, released_s, returned_s, outcome, link in zip(*columns, strict=True):
        if outcome == Outcome.UNFINISHED:  # behind a PgBouncer without a server or a timeout
            assert trace.truncated
            continue
        assert asked_s <= released_s
        if math.isnan(granted_s):
            assert outcome != Outcome.OK
        else:
            assert asked_s <= granted_s <= released_s <= returned_s
            assert link >= 0


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=10)
def test_every_request_ends_whatever_fails(kind: str, data: st.DataObject) -> None:
    conserves(simulate_small(data.draw(failing_scenarios(kind))))


@EVERY_KIND
@given(data=st.data(), seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_every_request_ends_whoever_is_cancelled(kind: str, data: st.DataObject, seed: int) -> None:
    scenario = replace(data.draw(failing_scenarios(kind)), failures=NEVER)
    if scenario.workload.is_closed:
        scenario = replace(scenario, workload=replace(scenario.workload, pattern="steady"))
    run, dice = Run(scenario, 0), random.Random(seed)

    def ask(world: LossyWorld, usually: object, visit: AnyVisit, now: float) -> None:
        if dice.random() < 0.3:
            after_s = dice.choice([0.0, 0.001, 0.01, 0.1, 1.0])
            run.agenda.call(lambda event: world.cancel(event.payload), now + after_s, visit)
        usually(visit, now)  # type: ignore[operator]

    for world in run.worlds:
        assert isinstance(world, LossyWorld)
        world.ask = partial(ask, world, world.ask)
    conserves(run.serve(draw_arrivals(scenario)))


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=10)
def test_the_server_knows_of_no_connection_that_it_has_no_slot_for(
    kind: str, data: st.DataObject
) -> None:
    scenario = data.draw(failing_scenarios(kind))
    run = Run(scenario, 0)
    free = run.slots.free
    if scenario.workload.is_closed or scenario.has_pooler:
        return
    run.serve(draw_arrivals(scenario))
    world = run.worlds[0]
    live = world.faults.live if isinstance(world, LossyWorld) else {}
    if scenario.pool.serves == "database" and isinstance(world, LossyWorld):
        opening = sum(
            link.has_slot and not link.is_open
            for one in world.faults._worlds  # also those that a deploy has replaced
            for link in one.links
        )
        assert run.slots.free + len(live) + opening == free


@pytest.mark.parametrize(
    "pool",
    [
        "kind=sqlalchemy",
        "kind=sqlalchemy&pool_pre_ping=true",
        "kind=sqlalchemy-null",
        "kind=asyncpg",
        "kind=psycopg",
        "kind=psycopg&check=true",
        "kind=aiohttp",
        "kind=httpx",
    ],
)
@pytest.mark.parametrize("failure", ["restart_at_s=1&restart_s=0.5", "kills=5"])
def test_who_fails_is_who_fails_message_by_message(pool: str, failure: str) -> None:
    """Against `sim.play`, which the real libraries bear out request by request.

    There a hold is a conversation: messages under way at the moment of a failure make the few
    differences, at most 2 % of requests.
    """
    scenario = parse(f"{pool}&rate=200&duration_s=3&replications=1&warm_up_s=0&{failure}")
    ours, theirs = (
        Counter(map(Outcome, trace.outcome))
        for trace in (simulate(scenario), play(script_of(scenario)))
    )
    apart = sum(abs(ours[one] - theirs[one]) for one in Outcome)
    assert apart <= 0.02 * 2.0 * sum(ours.values())


def faults_of(query: str) -> tuple[Scenario, Faults]:
    scenario = parse(query)
    run = Run(scenario, 0)
    world = run.worlds[0]
    assert isinstance(world, LossyWorld)
    return scenario, world.faults


@given(
    now=st.floats(0.0, 10.0),
    work_s=st.floats(0.0, 10.0),
    factor=st.sampled_from([1.0, 2.0, 10.0]),
)
def test_slow_work_takes_as_long_as_stepping_through_it(
    now: float, work_s: float, factor: float
) -> None:
    _, faults = faults_of(f"slow_at_s=3&slow_s=4&slow_factor={factor}")
    left_s, at_s = work_s, now
    for until_s, speed in ((3.0, 1.0), (7.0, 1.0 / factor), (math.inf, 1.0)):
        if at_s < until_s:
            done_s = min(left_s, (until_s - at_s) * speed)
            left_s, at_s = left_s - done_s, at_s + done_s / speed
    assert faults.slower_s(now, work_s) == pytest.approx(at_s - now - work_s, abs=1e-9)
