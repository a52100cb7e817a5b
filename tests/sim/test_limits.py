"""Every run has an end, and what cut it short is said."""

from unittest import mock

import pytest

from pools.setting import InvalidSettings
from pools.trace import Outcome
from sim.__main__ import as_json, main
from sim.engine import simulate
from sim.query import parse
from sim.result import SimulationResult
from sim.run import run
from sim.scenario import PLACES_MAX, REQUESTS_MAX, Scenario


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("rate=10000&duration_s=60&replications=1", "rate"),
        ("rate=101&duration_s=1000&replications=5", "rate"),
        ("pattern=spike&rate=0&spike_requests=100000&replications=6", "rate"),
        ("users=10000&think_ms=0&hold_ms=1&duration_s=60", "users"),
    ],
)
def test_too_large_a_run_is_refused_with_the_number_and_the_levers(query: str, field: str) -> None:
    with pytest.raises(InvalidSettings) as wrong:
        parse(query)
    (mistake,) = wrong.value.mistakes
    assert mistake.field == field
    assert f"within {REQUESTS_MAX} requests" in mistake.rule
    assert "lower" in mistake.got


def test_a_closed_loop_that_asks_more_than_expected_is_cut_short_and_says_so() -> None:
    """Refused connects cost no time here, so users ask again and again at one instant."""
    scenario = parse(
        "kind=sqlalchemy-null&users=5&think_ms=0&rtt_ms=0&connect_ms=0&max_connections=4"
        "&other_connections=10&duration_s=5&warm_up_s=0&replications=2"
    )
    with mock.patch("sim.engine.REQUESTS_MAX", 4_000):
        result = run(scenario)
    assert result.requests == 4_000
    assert any(note.startswith("Cut short: stopped asking at") for note in result.notes)


QUEUE = "pool_size=1&max_overflow=0&pool_timeout=300&rate=1000&hold_ms=100&duration_s=4&warm_up_s=0"


def assert_it_is_said(scenario: Scenario, result: SimulationResult, why: str) -> None:
    """In the result, its JSON and the notes that page and command line show."""
    assert any(why in one for one in result.truncated)
    assert any(note.startswith("Cut short: ") and why in note for note in result.notes)
    shown = as_json(scenario, result)
    assert any(why in one for one in shown["truncated"])
    assert result.completed + sum(result.errors.values()) == result.requests


def test_nobody_asks_any_more_with_too_many_in_progress() -> None:
    scenario = parse(f"{QUEUE}&replications=2")
    with mock.patch("sim.limits.IN_PROGRESS_MAX", 1_000):
        result = run(scenario)
        trace = simulate(scenario)
    assert_it_is_said(scenario, result, "with more than 1000 requests in progress")
    assert 1_000 < len(trace.asked_s) < 1_200
    assert result.growth_per_s.value == pytest.approx(990.0, rel=0.1)
    assert Outcome.UNFINISHED not in trace.outcome


def test_a_run_ends_after_so_many_events() -> None:
    scenario = parse(f"{QUEUE}&replications=2")
    with mock.patch("sim.limits.EVENTS_MAX", 1_000):
        result = run(scenario)
        trace = simulate(scenario)
    assert_it_is_said(scenario, result, "after 1000 events")
    assert len(trace.asked_s) < 1_000
    assert max(trace.asked_s) < 1.0


def test_an_answer_computes_no_longer_than_it_may() -> None:
    scenario = parse("rate=1000&replications=3")
    with mock.patch("sim.run.COMPUTING_S_MAX", 0.0):
        result = run(scenario)
    assert_it_is_said(scenario, result, "1 of 3 replications")
    assert any("s of computing" in one for one in result.truncated)
    assert result.replications == 1
    assert 0 < result.requests < 1_000


def test_who_would_wait_for_hours_is_let_go_and_counted() -> None:
    """60 s each, one after the other: of 3000 requests only some 170 are served in three hours."""
    scenario = parse(
        "kind=aiohttp&limit=1&rate=1&hold_ms=60000&duration_s=3000&warm_up_s=0&replications=1"
    )
    result = run(scenario)
    assert_it_is_said(scenario, result, "requests still waited 7200 s after the last could come")
    assert result.errors["unfinished"] > 2_500
    assert 100 < result.completed < 250


def test_the_command_says_it_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch("sim.limits.IN_PROGRESS_MAX", 1_000):
        assert main([f"{QUEUE}&replications=2"]) == 0
    assert "Cut short: stopped asking at" in capsys.readouterr().out


def test_what_is_within_the_limits_is_not_cut_short() -> None:
    assert run(parse("rate=50&replications=2")).truncated == ()


def test_a_run_can_be_cancelled_on_its_way() -> None:
    class Cancelled(Exception):
        pass

    calls = 0

    def tick() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(parse("rate=1000"), tick)


def test_a_connection_older_than_its_recycle_age_when_it_opens_is_used_all_the_same() -> None:
    """A connect that takes longer than pool_recycle: SQLAlchemy reconnects once, not for ever.

    Source: sqlalchemy/pool/base.py, _ConnectionRecord.get_connection tests the age once.
    """
    trace = simulate(
        parse(
            "pool_recycle=1&connect_ms=2000&rate=2&duration_s=5&warm_up_s=0&replications=1"
            "&hold_ms=10"
        )
    )
    assert set(trace.outcome) == {Outcome.OK}


@pytest.mark.parametrize(
    "query",
    [
        "kind=aiohttp&keepalive_timeout=1e-12&rate=100",
        "kind=asyncpg&max_inactive_connection_lifetime=1e-12&min_size=0&rate=100",
        "kind=asyncpg&acquire_timeout=1e-12&rate=100",
        "kind=aiohttp&connect_timeout=1e-12&rate=100",
    ],
)
def test_a_time_too_short_to_move_the_clock_still_lets_it_move(query: str) -> None:
    trace = simulate(parse(f"{query}&duration_s=2&warm_up_s=0&replications=1"))
    assert Outcome.UNFINISHED not in trace.outcome


def test_the_places_of_all_pools_are_bounded_too() -> None:
    """A pool of 500 in each of 1000 workers is half a million places in each replication."""
    fleet = "kind=asyncpg&max_size=500&replicas=200&workers=5&rate=1"
    with pytest.raises(InvalidSettings) as wrong:
        parse(f"{fleet}&replications=3")
    (mistake,) = wrong.value.mistakes
    assert mistake.field == "replicas"
    assert f"within {PLACES_MAX} connections" in mistake.rule
    assert parse(f"{fleet}&replications=2")
    assert parse("replicas=200&workers=5&replications=60&rate=1")
