"""A goal: in the address, off by default, and without effect on the run it judges."""

import pytest
from hypothesis import given

from pools.setting import settings_of
from sim.engine import simulate
from sim.goal import Goal
from sim.query import parse, to_query, to_values
from sim.scenario import Scenario
from tests.strategies import scenarios


def test_nothing_is_asked_by_default() -> None:
    assert not Goal().is_asked
    assert not any(name.startswith("goal") for name in to_query(Scenario()).split("&"))


@pytest.mark.parametrize("query", ["goal_wait_ms=20", "goal_timeouts=0.1", "goal_burst=50"])
def test_each_goal_alone_is_something_to_look_for(query: str) -> None:
    assert parse(query).goal.is_asked
    assert to_query(parse(query)) == query


@pytest.mark.parametrize("query", ["goal_budget=false", "goal_replica_loss=true", "goal_deploy=1"])
def test_what_must_be_survived_asks_for_nothing_without_a_goal(query: str) -> None:
    assert not parse(query).goal.is_asked


def test_goals_are_typed_in_milliseconds_and_percent_and_kept_in_seconds_and_ratios() -> None:
    goal = parse("goal_wait_ms=25&goal_timeouts=0.5").goal
    assert (goal.wait_s_p99_max, goal.failed_ratio_max) == (0.025, 0.005)


@given(scenarios())
def test_a_scenario_without_its_goal_is_the_same_run(scenario: Scenario) -> None:
    bare = scenario.without_goal
    names = {made.query for made in settings_of(Goal).values()}
    kept = {name: value for name, value in to_values(scenario).items() if name not in names}
    assert {name: value for name, value in to_values(bare).items() if name not in names} == kept
    assert bare.goal == Goal()


def test_a_goal_does_not_touch_the_run() -> None:
    load = "duration_s=3&warm_up_s=0.5"
    asked = parse(f"{load}&goal_wait_ms=5&goal_timeouts=0.1&goal_burst=100&goal_deploy=true")
    assert repr(simulate(asked)) == repr(simulate(parse(load)))
