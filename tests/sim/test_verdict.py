"""What holds requests up is named, with its number and what to change."""

from dataclasses import replace
from unittest import mock

import pytest

from sim.query import parse
from sim.result import Estimate
from sim.run import run
from sim.verdict import Verdict, verdict


def judged(query: str) -> Verdict:
    scenario = parse(query)
    return verdict(scenario, run(scenario))


CASES = {
    "pool": ("kind=asyncpg&max_size=5&min_size=5&rate=300&hold_ms=20", "5"),
    "event loop": ("kind=asyncpg&max_size=20&rate=300&hold_ms=20&loop_cpu_ms=4", "120%"),
    "database cores": ("kind=asyncpg&max_size=90&rate=300&hold_ms=20&cpu_fraction=1", "150%"),
    "connection budget": ("pool_size=50&replicas=4&rate=4000&hold_ms=40&duration_s=3", "97"),
    "hold time": (
        "pool_timeout=5&rate=6&hold_ms=4000&cpu_fraction=0&duration_s=60",
        "3.75 requests/s",
    ),
    "leak": ("kind=asyncpg&max_size=10&acquire_timeout=1&rate=100&leak_share=0.05", "2 s"),
    "deadlock": (
        "kind=asyncpg&max_size=2&min_size=2&rate=100&classes=100:2n20&duration_s=6",
        "wait for",
    ),
    "retries": (
        "kind=asyncpg&max_size=5&min_size=5&rate=225&hold_ms=20&acquire_timeout=0.03&retries=3",
        "18.4",
    ),
    "nothing": ("pool_size=20&rate=100&hold_ms=20", "99 in 100"),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_bottleneck_is_named_with_the_number_that_shows_it(name: str) -> None:
    query, number = CASES[name]
    said = judged(query)
    assert said.bottleneck == name
    assert number in said.sentence


def test_a_pool_in_front_of_busy_cores_is_not_told_to_grow() -> None:
    said = judged(CASES["database cores"][0])
    assert "a larger pool moves the wait into the database" in said.sentence


def test_where_p99_is_not_known_a_lower_percentile_is_judged() -> None:
    said = judged("kind=asyncpg&max_size=5&min_size=5&rate=225&hold_ms=20&duration_s=8")
    assert "unknown" not in said.sentence
    assert " in 100 " in said.sentence or "1 in " in said.sentence


STORM = (
    "kind=asyncpg&cpu_fraction=0&rate=250&hold_ms=20&slow_at_s=4&slow_s=2&slow_factor=10"
    "&client_timeout_ms=200&abandoned=carried_on&retry_backoff_ms=10&duration_s=12&replications=2"
)


@pytest.mark.parametrize("bound", ["", "&acquire_timeout=0.5"])
def test_retries_that_keep_a_service_down_are_named_whether_or_not_a_queue_grows(
    bound: str,
) -> None:
    """Half of the pool is what clients need if each asks once, and the cause is over at 6 s."""
    scenario = parse(f"{STORM}&retries=3{bound}")
    result = run(scenario)
    assert (result.growth_per_s.value is None) == bool(bound)
    said = verdict(scenario, result)
    assert said.title == "The overload outlives its cause"
    assert "over at 6 s, and long after it 100 % of requests fail" in said.sentence
    assert said.bottleneck == "retries"


@pytest.mark.parametrize("calm", ["&retries=3&retry_budget=0.1", "&retries=0"])
def test_an_overload_that_ends_with_its_cause_is_not_called_lasting(calm: str) -> None:
    scenario = parse(f"{STORM}{calm}")
    assert verdict(scenario, run(scenario)).title != "The overload outlives its cause"


def test_a_run_that_a_limit_ended_is_not_called_a_deadlock() -> None:
    scenario = parse("kind=asyncpg&max_size=2&min_size=2&rate=200&hold_ms=50&replications=2")
    with mock.patch("sim.limits.EVENTS_MAX", 1_000):
        result = run(scenario)
    assert result.errors["unfinished"]
    assert verdict(scenario, result).bottleneck == "pool"


def test_a_queue_that_grows_after_its_cause_is_over_is_metastable_overload() -> None:
    """The result is one of a run, its growth put in: retries that would cause it are none here."""
    scenario = parse("slow_at_s=2&slow_s=1&slow_factor=5&replications=2&rate=50")
    grown = replace(run(scenario), growth_per_s=Estimate(12.0, 10.0, 14.0))
    said = verdict(scenario, grown)
    assert said.title == "The overload outlives its cause"
    assert "over at 3 s" in said.sentence
    assert "12 requests more" in said.sentence
