"""Rules of thumb answer as their sources do, and never fail on a valid scenario."""

import pytest
from hypothesis import given, settings

from sim.query import parse
from sim.rules_of_thumb import CONNECTIONS_MAX, RULES
from sim.scenario import Scenario
from tests.strategies import scenarios

BY_NAME = {rule.name: rule for rule in RULES}
PLAIN = "rtt_ms=0&cpu_fraction=0"


@given(scenarios())
@settings(max_examples=150)
def test_every_rule_says_a_size_or_nothing(scenario: Scenario) -> None:
    for rule in RULES:
        said = rule.says(scenario)
        assert said is None or 1 <= said <= CONNECTIONS_MAX, rule.name


@pytest.mark.parametrize(
    ("rate", "hold_ms", "at_least"), [(10, 50, 1), (100, 50, 8), (500, 50, 38), (100, 200, 30)]
)
def test_little_times_one_and_a_half_as_worked_in_guides(
    rate: int, hold_ms: int, at_least: int
) -> None:
    scenario = parse(f"{PLAIN}&rate={rate}&hold_ms={hold_ms}")
    assert BY_NAME["Little × 1.5"].says(scenario) == at_least


def test_rules_about_cores_share_them_among_all_pools() -> None:
    scenario = parse(f"{PLAIN}&cores=8&replicas=2&workers=2")
    assert BY_NAME["cores × 2 + 1"].says(scenario) == 5  # 17 over 4 pools
    assert BY_NAME["cores × 4"].says(scenario) == 8
    assert BY_NAME["cores × 4"].says(parse("kind=aiohttp")) is None


def test_the_guides_rule_takes_a_rate_for_a_number_at_once() -> None:
    assert BY_NAME["(concurrent ÷ queries) × 1.5"].says(parse(f"{PLAIN}&rate=200")) == 300


def test_erlang_c_follows_the_goal() -> None:
    loose, tight = (
        BY_NAME["Erlang C"].says(parse(f"{PLAIN}&rate=200&goal_wait_ms={wait_ms}"))
        for wait_ms in (100, 1)
    )
    assert loose is not None
    assert tight is not None
    assert loose < tight
    assert BY_NAME["Erlang C"].says(parse("users=10")) is None


def test_defaults_are_the_librarys() -> None:
    says = BY_NAME["library default"].says
    assert says(parse("pool_size=50")) == 15
    assert says(parse("kind=asyncpg&max_size=50")) == 10
    assert says(parse("kind=sqlalchemy-null")) is None
