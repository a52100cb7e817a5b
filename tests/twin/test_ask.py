"""Asking the real library about a scenario: the page's question and the command line's."""

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

import pools.twin.play
from pools.trace import Outcome, Trace
from pools.twin.__main__ import agreement, main
from pools.twin.agree import first_difference, identical_requests
from pools.twin.ask import ask, without_prelude
from sim.__main__ import main as simulate_command
from sim.engine import simulate
from sim.query import parse
from sim.script_of import script_of

SMALL = "duration_s=3&warm_up_s=0&replications=1"
SCENARIOS = {
    "queue": "rate=200&pool_size=2&max_overflow=1",
    "ping and recycle": "rate=60&pool_size=2&pool_pre_ping=true&pool_recycle=1",
    "last in first out": "rate=100&pool_use_lifo=true",
    "timeouts": "rate=300&pool_size=2&max_overflow=0&pool_timeout=0.1",
    "refused": "rate=200&pool_size=6&max_connections=5&reserved=1",
    "fleet": "rate=200&replicas=2&workers=2&pool_size=1&max_overflow=1&max_connections=9",
    "spike": "pattern=spike&rate=50&spike_at_s=1&spike_requests=40&hold_cv=0&rtt_ms=0",
    "warm": "rate=100&warm_connections=4&connect_ms=50",
    "users": "users=20&think_ms=0&hold_cv=0",
    "null": "kind=sqlalchemy-null&rate=60",
    "connects differ": "rate=200&pool_size=2&max_overflow=8&connect_ms=20&connect_cv=0.8",
    "asyncpg": "kind=asyncpg&rate=200&max_size=4&min_size=1",
    "asyncpg timeouts": "kind=asyncpg&rate=300&max_size=2&min_size=2&acquire_timeout=0.05",
    "asyncpg warm": "kind=asyncpg&rate=100&min_size=0&warm_connections=3&connect_ms=50",
    "asyncpg users": "kind=asyncpg&users=30&think_ms=5&max_size=4&min_size=4&workers=2",
    "asyncpg ages": "kind=asyncpg&rate=5&min_size=1&max_inactive_connection_lifetime=1",
    "aiohttp": "kind=aiohttp&rate=200&limit=4&hosts=3&limit_per_host=2",
    "aiohttp warm": "kind=aiohttp&rate=100&limit=4&warm_connections=2",
}


@pytest.mark.parametrize("query", SCENARIOS.values(), ids=SCENARIOS)
def test_every_request_goes_the_same_way(query: str) -> None:
    report = ask(parse(f"{query}&{SMALL}"))
    assert report.requests > 10
    assert report.identical_requests == report.requests


LOOPING = "pattern=looping&users=12&hold_ms=20&hold_cv=0&cpu_fraction=0&duration_s=2"


@pytest.mark.parametrize("lags", ["", "handover_ms=0.05", "cancel_share=1e-9"])
@pytest.mark.parametrize(
    "pool",
    [
        "kind=asyncpg&min_size=4&max_size=4",
        "pool_size=4&max_overflow=0",
        "kind=psycopg&min_size=4&max_size=4",
        "kind=aiohttp&limit=4",
    ],
)
def test_looping_users_take_turns_as_the_librarys_do(pool: str, lags: str) -> None:
    """Equal holds end in one instant, and all who are woken by that go before who asks again.

    Within 2 ms: the worker's lags, which virtual time does not have.
    """
    query = f"{pool}&{LOOPING}&warm_up_s=0&replications=1"
    library, ours = ask(parse(query)).trace, simulate(parse(f"{query}&{lags}"))
    for percentile in (5, 25, 50, 75, 95):
        theirs_s = np.percentile(_waits_s(library), percentile)
        assert np.percentile(_waits_s(ours), percentile) == pytest.approx(theirs_s, abs=2e-3)


def _waits_s(trace: Trace) -> NDArray[np.float64]:
    """Return the waits of those who got a connection, the first ones left out."""
    wait_s = (np.asarray(trace.granted_s) - np.asarray(trace.asked_s))[12:]
    return wait_s[~np.isnan(wait_s)]


@pytest.mark.parametrize(
    "query", ["rate=150&pool_size=3", "kind=asyncpg&rate=150&max_size=4&min_size=4"]
)
def test_a_script_simulates_as_its_scenario_does(query: str) -> None:
    """Mean waits within 5 %: jitter, and statements that cannot be shorter than a round trip."""
    scenario = parse(f"{query}&rtt_ms=0.1&duration_s=20&warm_up_s=0&replications=1")
    plain, report = simulate(scenario), ask(scenario)
    assert len(report.simulated.asked_s) == len(plain.asked_s)

    def mean_wait_s(trace: object) -> float:
        rows = zip(trace.granted_s, trace.asked_s, strict=True)  # type: ignore[attr-defined]
        return sum(got - asked for got, asked in rows) / len(plain.asked_s)

    assert mean_wait_s(report.simulated) == pytest.approx(mean_wait_s(plain), rel=0.05)


def test_warm_connections_are_open_when_the_run_begins_and_not_counted() -> None:
    scenario = parse(f"rate=20&warm_connections=3&connect_ms=500&{SMALL}")
    report = ask(scenario)
    assert min(report.trace.asked_s) >= 0.0
    assert sum(opened_s < 0.0 for opened_s in report.trace.opened_s) == 3
    assert max(report.trace.granted_s[row] - report.trace.asked_s[row] for row in range(3)) < 0.1


def test_only_so_many_requests_are_played_and_the_report_says_so() -> None:
    report = ask(parse(f"rate=200&{SMALL}"), requests_max=50)
    assert report.requests == 50
    assert report.window.end_s == report.trace.asked_s[-1] < 3.0
    assert any("first 50 requests" in note for note in report.notes)


def test_users_ask_only_so_many_times_and_the_report_says_so() -> None:
    report = ask(parse(f"users=20&think_ms=0&{SMALL}"), requests_max=500)
    assert 50 < report.requests == report.identical_requests <= 600
    assert max(report.trace.asked_s) < report.window.end_s < 3.0
    assert any(f"first {report.requests} requests" in note for note in report.notes)


def test_short_holds_are_counted_and_the_report_says_how_many() -> None:
    report = ask(parse(f"rate=100&rtt_ms=20&hold_ms=1&hold_cv=0&{SMALL}"))
    assert any(note.startswith(f"{report.requests} short holds") for note in report.notes)
    report = ask(parse(f"rate=100&rtt_ms=0.1&hold_ms=20&hold_cv=0&{SMALL}"))
    assert report.notes == ()


def test_what_is_not_the_librarys_own_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = parse(f"kind=asyncpg&rate=100&{SMALL}")
    monkeypatch.setattr(pools.twin.play.adapter_of("asyncpg"), "limits", ("Not all is its own.",))
    assert ask(scenario).notes[0] == "Not all is its own."


def test_a_version_that_is_not_the_installed_one_is_named() -> None:
    report = ask(parse(f"kind=aiohttp&version=3.10&rate=100&{SMALL}"))
    assert any("say version 3.10; the installed one behaves as 3." in n for n in report.notes)


def test_progress_is_told_and_asking_can_be_cancelled() -> None:
    class Cancelled(Exception):
        pass

    told: list[tuple[int, int]] = []

    def tick(done: int, expected: int) -> None:
        told.append((done, expected))
        if done >= 200:
            raise Cancelled

    with pytest.raises(Cancelled):
        ask(parse(f"kind=asyncpg&rate=300&{SMALL}"), tick)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(done <= expected for done, expected in told)
    assert {expected for done, expected in told if done} == {len(asked_of("asyncpg"))}


def asked_of(kind: str) -> list[float]:
    return list(ask(parse(f"kind={kind}&rate=300&{SMALL}")).simulated.asked_s)


def test_the_first_difference_says_which_request_when_and_what_each_did() -> None:
    """Two pool sizes stand for a wrong model: the second pool has to wait first."""
    large, small = (
        ask(parse(f"kind=asyncpg&rate=300&min_size={size}&max_size={size}&{SMALL}")).trace
        for size in (4, 2)
    )
    found = first_difference(large, small)
    assert found is not None
    row = found.number - 1
    assert identical_requests(large, small) < len(large.asked_s)
    assert all(
        abs(large.granted_s[one] - small.granted_s[one]) < 1e-9 for one in range(min(row, 2))
    )
    assert found.asked_s == large.asked_s[row]
    assert f"Request {found.number}, asked at {found.asked_s:.6f} s" in str(found)
    assert f"got connection {small.connection[row] + 1} after" in found.library
    assert found.simulation != found.library


def test_a_request_that_only_one_of_them_was_asked_is_the_difference() -> None:
    whole, part = (ask(parse(f"rate=100&{SMALL}"), requests_max=count).trace for count in (50, 40))
    found = first_difference(whole, part)
    assert found is not None
    assert (found.number, found.library) == (41, "was never asked")


def test_equal_traces_have_no_difference() -> None:
    trace = ask(parse(f"rate=100&{SMALL}")).trace
    assert first_difference(trace, trace) is None


def test_a_kind_without_a_twin_is_said_and_not_a_crash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(pools.twin.play.ADAPTERS, "asyncpg")
    assert main([f"kind=asyncpg&{SMALL}"]) == 3
    assert capsys.readouterr().err == (
        "Kind asyncpg is simulated, but its library cannot be asked yet.\n"
    )


def test_the_versions_asked_are_those_installed() -> None:
    report = ask(parse(f"kind=asyncpg&rate=10&{SMALL}"))
    assert agreement(report).startswith(f"{report.requests} of {report.requests} requests: same")
    assert set(report.versions) == {"asyncpg"}


def test_a_pool_that_cannot_be_made_is_said_and_not_hidden() -> None:
    """asyncpg's create_pool fails when the server has no room for min_size."""
    report = ask(parse(f"kind=asyncpg&rate=10&min_size=5&max_connections=3&reserved=1&{SMALL}"))
    assert report.requests == 0
    assert any("not ready" in note for note in report.notes)


def test_a_hold_never_lasts_less_than_a_round_trip() -> None:
    script = script_of(parse(f"rate=100&rtt_ms=20&hold_ms=1&{SMALL}"))
    uses = [one.use for one in script.asks]
    assert all(use.work_s is not None and use.work_s >= 0.0 for use in uses)


def test_requests_of_a_script_ask_at_different_instants() -> None:
    script = script_of(parse(f"pattern=spike&spike_at_s=1&spike_requests=500&rate=0&{SMALL}"))
    times = [one.at_s for one in script.asks]
    assert len(set(times)) == len(times) == 500
    assert times == sorted(times)


def test_the_command_answers_with_the_keys_of_the_simulation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    query = f"kind=asyncpg&rate=50&{SMALL}"
    assert main([query, "--json"]) == 0
    real = json.loads(capsys.readouterr().out)
    assert simulate_command([query, "--json"]) == 0
    simulated = json.loads(capsys.readouterr().out)
    assert set(real) - set(simulated) == {
        "identical_requests",
        "asked_requests",
        "first_difference",
        "versions",
    }
    assert real["first_difference"] is None
    assert set(simulated) <= set(real)
    assert real["identical_requests"] == real["asked_requests"] > 0
    assert main([query]) == 0
    assert "same connection, same time (asyncpg" in capsys.readouterr().out


def test_the_command_says_every_mistake_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pool_size=-7&colour=red"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_prelude_is_left_out_of_a_trace() -> None:
    script = script_of(parse(f"rate=20&warm_connections=2&{SMALL}"))
    whole = pools.twin.play.play(script)
    kept = without_prelude(whole)
    assert len(whole.asked_s) - len(kept.asked_s) == 2
    assert len(kept.opening_s) == len(whole.opening_s)
    assert all(outcome == Outcome.OK for outcome in kept.outcome)
    assert not any(map(math.isnan, kept.returned_s))
