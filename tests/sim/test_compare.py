"""Two scenarios side by side: differences with intervals that the same random numbers narrow."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from sim.compare import TIMES, Comparison, Delta, _paired, compare, differing, seen
from sim.query import all_settings, parse, to_values
from sim.scenario import Scenario
from tests.strategies import scenarios

SHORT = "duration_s=6&warm_up_s=1"


def compared(a: str, b: str) -> Comparison:
    return compare(seen(parse(f"{a}&{SHORT}")), seen(parse(f"{b}&{SHORT}")))


def by_name(found: Comparison) -> dict[str, Delta]:
    return {delta.name: delta for delta in found.deltas}


def test_a_scenario_does_not_differ_from_itself() -> None:
    found = compared("rate=150", "rate=150")
    assert found.settings == {}
    for delta in found.deltas:
        assert not delta.is_sure, delta.name
        assert delta.change.value in (0.0, None)


def test_a_larger_pool_waits_less_and_surely_so() -> None:
    found = compared("pool_size=5&max_overflow=0", "pool_size=6&max_overflow=0")
    waits = by_name(found)["Wait, mean"]
    assert waits.is_sure
    assert waits.change.value is not None
    assert waits.change.value < 0.0
    assert found.settings == {"pool_size": (5, 6)}


def test_the_difference_is_that_of_the_two_numbers_shown() -> None:
    for delta in compared("pool_size=5", "pool_size=9").deltas:
        if delta.change.value is not None:
            assert delta.before.value is not None
            assert delta.after.value is not None
            shown = delta.after.value - delta.before.value
            assert math.isclose(delta.change.value, shown, rel_tol=1e-6, abs_tol=1e-9), delta.name


def test_the_same_random_numbers_narrow_the_interval() -> None:
    """With another seed for B the two runs have nothing in common."""
    a, b = "pool_size=6&max_overflow=0", "pool_size=7&max_overflow=0"
    paired = by_name(compared(a, b))["Wait, mean"].change
    strangers = by_name(compared(a, f"{b}&seed=77"))["Wait, mean"].change
    assert paired.low is not None
    assert paired.high is not None
    assert strangers.low is not None
    assert strangers.high is not None
    assert paired.high - paired.low < strangers.high - strangers.low


def test_intervals_of_a_difference_hold_the_truth_about_as_often_as_they_say() -> None:
    """300 pairs of exponential waits, 7 in 10 of B's being A's: each of 5 numbers, about 95 %."""
    rng = np.random.default_rng(1)
    quantiles = -np.log(1.0 - np.asarray([0.5, 0.9, 0.95, 0.99]))
    truth = -0.1 * np.asarray([1.0, *quantiles])
    missed = np.zeros(len(TIMES))
    for _ in range(300):
        a = rng.exponential(1.0, (10, 400))
        b = 0.9 * np.where(rng.random(a.shape) < 0.7, a, rng.exponential(1.0, a.shape))
        for row, change in enumerate(_paired([*a], [*b])):
            assert change.low is not None
            assert change.high is not None
            missed[row] += not change.low <= truth[row] <= change.high
    # Percentiles jump from one value to the next, so leaving one pair out is a little rough.
    assert all(missed / 300 < 0.11), missed / 300


def test_one_replication_has_a_difference_without_interval() -> None:
    found = compared("replications=1", "replications=1&pool_size=9")
    assert found.replications == 1
    assert all(delta.change.low is None for delta in found.deltas)
    assert not any(delta.is_sure for delta in found.deltas)


def test_runs_of_unequal_length_are_compared_where_both_count() -> None:
    a = seen(parse("duration_s=9&warm_up_s=1&replications=3"))
    b = seen(parse("duration_s=6&warm_up_s=2&replications=5"))
    found = compare(a, b)
    assert (found.window.start_s, found.window.end_s) == (2.0, 6.0)
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
