"""A finding's cost is a number from the scenario: the same load, with the mistake and without."""

import re

import pytest

from pools.review import Finding, Place, all_rules, costs
from sim.query import parse
from sim.scenario import Scenario

SHORT = "&duration_s=5&warm_up_s=0.5"
HERE = Place(1, 1, 1, 2)
NUMBER = re.compile(r"\d")


def price(rule: str, query: str) -> str:
    scenario = parse(query if "duration_s" in query else query + SHORT)
    [finding] = costs([Finding(rule, HERE, "why")], scenario)
    return finding.cost


def numbers(cost: str) -> list[float]:
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?", cost)]


def test_connecting_at_each_request_costs_about_a_connect_for_each() -> None:
    cost = price("engine-per-request", "kind=asyncpg&rate=200&hold_ms=10&connect_ms=5")
    # 200 requests/s, a Poisson count over 5 s in each of 4 runs: 5 % is three standard errors.
    found = re.search(r"([\d.]+) connects/s instead of ([\d.]+)", cost)
    assert found is not None
    assert float(found[1]) == pytest.approx(200, rel=0.05)
    assert float(found[2]) < 5


def test_a_fleet_beyond_the_server_is_priced_in_refusals() -> None:
    query = "pool_size=60&max_overflow=0&workers=4&rate=1500&hold_ms=100&cores=64"
    cost = price("over-budget", query)
    found = re.search(r"([\d.]+) % of requests fail instead of", cost)
    assert found is not None
    # Offered 150 erlangs, of which the server takes 97: at least a third cannot be served.
    assert float(found[1]) > 20


def test_holding_a_connection_over_a_call_is_priced_in_wait() -> None:
    cost = price("held-across-call", "rate=200&hold_ms=20")
    assert "if the call takes 200 ms" in cost
    assert re.search(
        r"the queue grows by [\d.]+ requests/s instead of 0; longest wait [\d.]+ s", cost
    )


def test_pre_ping_is_priced_in_round_trips_and_restarts_in_requests() -> None:
    cost = price("no-validation", "rtt_ms=2&replicas=3&workers=2&rate=50")
    assert "fails 6 requests, one in each pool" in cost
    assert "adds 6 ms to each checkout" in cost  # three round trips of 2 ms


def test_nested_acquires_are_priced_by_the_size_that_locks() -> None:
    cost = price("nested-acquire", "pool_size=6&max_overflow=2&rate=50")
    assert cost.startswith("8 requests at once")


def test_no_timeout_is_priced_in_overload() -> None:
    # Long enough for the queue to grow past the timeout that it is compared with.
    cost = price("no-acquire-timeout", "kind=asyncpg&rate=100&hold_ms=20&duration_s=30")
    assert "130 % of what the pool can do" in cost
    found = re.search(r"longest wait ([\d.]+) s .* instead of ([\d.]+) s", cost)
    assert found is not None
    assert float(found[1]) > 2 * float(found[2])


def test_a_health_check_is_priced_by_the_longest_wait() -> None:
    assert "waits up to 30 s" in price("health-check-waits", "")
    assert "waits without limit" in price("health-check-waits", "kind=asyncpg")


@pytest.mark.parametrize("rule", ["ssl-false", "password-in-source", "set-in-init", "wait-as-hold"])
def test_what_no_simulation_can_price_stays_without_a_number(rule: str) -> None:
    assert price(rule, "") == ""


@pytest.mark.parametrize("kind", ["sqlalchemy", "sqlalchemy-null", "asyncpg", "aiohttp"])
def test_every_rule_can_be_asked_for_its_price_with_every_kind(kind: str) -> None:
    query = f"kind={kind}&rate=40&hold_ms=5&duration_s=2&warm_up_s=0&replications=2"
    findings = [Finding(name, HERE, "why") for name in all_rules()]
    for priced, finding in zip(costs(findings, parse(query)), findings, strict=True):
        assert (priced.rule, priced.place, priced.why) == (finding.rule, HERE, "why")
        assert priced.cost == "" or priced.cost.endswith(".")
        assert priced.cost == "" or NUMBER.search(priced.cost) or "no measurable" in priced.cost


def test_one_rule_is_simulated_once_however_often_it_is_found() -> None:
    ticks: list[int] = []
    findings = [Finding("held-across-call", Place(n, 1, n, 2), "why") for n in range(1, 40)]
    once = costs(findings[:1], parse("rate=50" + SHORT), tick=lambda: ticks.append(1))
    first = len(ticks)
    again = costs(findings, parse("rate=50" + SHORT), tick=lambda: ticks.append(1))
    assert len(ticks) == 2 * first
    assert {finding.cost for finding in again} == {once[0].cost}


def test_pricing_can_be_cancelled_from_its_tick() -> None:
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        costs([Finding("held-across-call", HERE, "why")], Scenario(), tick=cancel)


def test_the_same_scenario_has_the_same_price() -> None:
    assert price("held-across-call", "rate=50") == price("held-across-call", "rate=50")
