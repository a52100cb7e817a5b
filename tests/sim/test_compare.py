"""Two scenarios side by side: what differs, counted over the same part of both runs."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings

from sim.compare import Comparison, compare, differing, play
from sim.query import all_settings, parse, to_values
from sim.scenario import Scenario
from tests.strategies import scenarios

SHORT = "duration_s=6&warm_up_s=1"


def compared(a: str, b: str) -> Comparison:
    return compare(play(parse(f"{a}&{SHORT}")), play(parse(f"{b}&{SHORT}")))


def test_a_scenario_does_not_differ_from_itself() -> None:
    found = compared("rate=150", "rate=150")
    assert found.settings == {}
    assert found.a == found.b
    assert not any(one.is_sure for one in found.differences.values())


def test_a_larger_pool_waits_less_and_surely_so() -> None:
    found = compared("pool_size=5&max_overflow=0", "pool_size=6&max_overflow=0")
    wait = found.differences["wait_s_mean"]
    assert wait.is_sure
    assert wait.other < wait.one
    assert found.settings == {"pool_size": (5, 6)}


def test_the_differences_are_between_the_results_drawn() -> None:
    found = compared("pool_size=5", "pool_size=9")
    for name in ("mean", "p50", "p95"):
        one = found.differences[f"wait_s_{name}"]
        shown = [getattr(result.wait_s, name).value for result in (found.a, found.b)]
        assert math.isclose(one.one, shown[0], abs_tol=1e-12), name
        assert math.isclose(one.other, shown[1], abs_tol=1e-12), name


def test_one_replication_has_a_difference_without_interval() -> None:
    found = compared("replications=1", "replications=1&pool_size=9")
    assert found.replications == 1
    assert all(one.change.low is None for one in found.differences.values())


def test_runs_of_unequal_length_are_compared_where_both_count() -> None:
    a = play(parse("rate=40&duration_s=9&warm_up_s=1&replications=3"))
    b = play(parse("rate=40&duration_s=6&warm_up_s=2&replications=5"))
    found = compare(a, b)
    assert found.window.start_s >= 2.0
    assert found.window.end_s == 6.0
    assert found.replications == 3


def test_what_one_kind_lacks_is_none() -> None:
    found = differing(parse("kind=asyncpg"), parse("kind=sqlalchemy"))
    assert found["kind"] == ("asyncpg", "sqlalchemy")
    assert found["max_size"] == (10, None)
    assert found["pool_size"] == (None, 5)


@given(scenarios(), scenarios())
@settings(max_examples=30)
def test_settings_that_differ_are_all_named_and_a_goal_is_not_one(a: Scenario, b: Scenario) -> None:
    found = differing(a, b)
    before, after = to_values(a.without_goal), to_values(b.without_goal)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == set(found)
    assert differing(a, replace(a, goal=b.goal)) == {}
    names = {*all_settings(a.pool.name), *all_settings(b.pool.name)}
    assert set(found) <= names


@pytest.mark.parametrize("kind", ["sqlalchemy-null", "asyncpg", "psycopg", "aiohttp", "httpx"])
def test_any_kind_can_be_compared_with_any_other(kind: str) -> None:
    found = compared("rate=40&replications=3", f"kind={kind}&rate=40&replications=3")
    assert found.a.requests
    assert found.b.requests
