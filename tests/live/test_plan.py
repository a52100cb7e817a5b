"""What a live check may do: bounded whatever is asked for, and every change is said."""

import dataclasses

from hypothesis import assume, given

from pools.live.order import order_for
from pools.live.plan import (
    CAPACITY_MAX,
    DURATION_S_MAX,
    HOLD_S_MAX,
    MAX_CONNECTIONS_HIGH,
    MAX_CONNECTIONS_LOW,
    PARAMETERS,
    RATE_PER_S_MAX,
    plan,
)
from sim.query import parse
from sim.scenario import Scenario
from tests import strategies


def live_scenarios() -> strategies.st.SearchStrategy[Scenario]:
    """Draw a scenario of any kind that can be driven live."""
    return strategies.st.sampled_from(sorted(PARAMETERS)).flatmap(strategies.scenarios)


@given(live_scenarios())
def test_no_scenario_can_make_a_check_large_or_long(scenario: Scenario) -> None:
    planned = plan(scenario).scenario
    load, server = planned.workload, planned.server
    assert planned.duration_s <= DURATION_S_MAX
    assert planned.warm_up_s < planned.duration_s
    assert load.rate_per_s <= RATE_PER_S_MAX
    assert not load.is_closed
    assert planned.fleet.pools == 1
    assert (planned.capacity or 0) <= CAPACITY_MAX
    assert MAX_CONNECTIONS_LOW <= server.max_connections <= MAX_CONNECTIONS_HIGH
    assert server.slots - planned.fleet.other_connections >= 1


@given(live_scenarios())
def test_a_plan_of_a_plan_changes_nothing_more(scenario: Scenario) -> None:
    planned = plan(scenario).scenario
    assert plan(planned).scenario == planned


@given(live_scenarios())
def test_a_changed_pool_or_rate_is_always_said(scenario: Scenario) -> None:
    assume(scenario.fleet.pools == 1)
    planned = plan(scenario)
    before, after = scenario.workload, planned.scenario.workload
    said = " ".join(planned.notes)
    if planned.scenario.pool != scenario.pool:
        assert "The pool is cut" in said or "is left out" in said
    if after.rate_per_s != before.rate_per_s:
        assert "ate " in said
    if after.hold_s_mean != before.hold_s_mean:
        assert "Mean hold" in said or "as long as those on average" in said
    if planned.scenario.duration_s != scenario.duration_s:
        assert "Duration" in said


@given(live_scenarios())
def test_an_order_is_a_schedule_within_the_bounds_and_holds_no_secret(scenario: Scenario) -> None:
    planned = plan(dataclasses.replace(scenario, replications=1))
    order = order_for(planned, planned.deadline_s)
    schedule = order["schedule"]
    assert len(schedule["arrivals_s"]) == len(schedule["holds_s"])
    assert schedule["arrivals_s"] == sorted(schedule["arrivals_s"])
    assert all(0.0 <= at_s < schedule["duration_s"] for at_s in schedule["arrivals_s"])
    assert all(0.0 <= hold_s <= HOLD_S_MAX for hold_s in schedule["holds_s"])
    assert set(order["pool"]) == set(PARAMETERS[scenario.pool.name])
    assert "password" not in str(order)


def test_one_worker_of_a_fleet_gets_its_share_of_the_rate() -> None:
    planned = plan(parse("rate=300&replicas=3&workers=2"))
    assert planned.scenario.workload.rate_per_s == 50.0
    assert any("One worker of 6" in note for note in planned.notes)


def test_a_closed_loop_is_run_at_the_rate_that_it_could_reach() -> None:
    planned = plan(parse("users=10&think_ms=80&hold_ms=20&rtt_ms=0"))
    assert planned.scenario.workload.rate_per_s == 100.0
    assert any("closed loop" in note for note in planned.notes)


def test_a_small_scenario_is_run_as_it_is() -> None:
    scenario = parse("rate=50&duration_s=5&warm_up_s=1&cpu_fraction=0&replications=1")
    planned = plan(scenario)
    assert planned.scenario == scenario
    assert len(planned.notes) == 1  # that the server is on this machine


def test_the_observer_of_a_check_has_slots_of_its_own() -> None:
    planned = plan(parse("max_connections=50&reserved=5"))
    usable = planned.server_max_connections - planned.server_reserved
    assert usable == 45
    assert planned.server_reserved > 5
