"""Failure drills: what breaks, for how long, and what recovers, for each library.

The same table is docs/failures.md. Unless said otherwise 200 requests a second hold a
connection for 20 ms; at 5 s something fails, mostly for 2 s; 12 s are simulated.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from pools.trace import Cause, Outcome, Trace
from sim.engine import simulate
from sim.query import parse
from tests.sim.traces import waits_of

RUN = "&duration_s=12&warm_up_s=0&replications=1&rate={rate}"
FROM_S, UNTIL_S = 5.0, 7.0
LATE_S = 0.25


@dataclass(frozen=True)
class Story:
    """What a drill shows."""

    trace: Trace

    @property
    def outcomes(self) -> Counter[Outcome]:
        return Counter(map(Outcome, self.trace.outcome))

    @property
    def causes(self) -> Counter[Cause]:
        return Counter(map(Cause, self.trace.cause))

    @property
    def asked_s(self) -> NDArray[np.float64]:
        return np.asarray(self.trace.asked_s)

    @property
    def failed_s(self) -> NDArray[np.float64]:
        """When those asked who failed."""
        return self.asked_s[np.asarray(self.trace.outcome) != Outcome.OK]

    @property
    def wait_s(self) -> NDArray[np.float64]:
        return waits_of(self.trace)

    @property
    def late_s(self) -> NDArray[np.float64]:
        """When those asked who waited long."""
        return self.asked_s[self.wait_s > LATE_S]


def drill(query: str, rate: float = 200.0) -> Story:
    return Story(simulate(parse(query + RUN.format(rate=rate))))


# ---- the server restarts: 2 s without connects ---------------------------------------------------


@pytest.mark.parametrize("pool", ["kind=sqlalchemy", "kind=sqlalchemy-null", "kind=asyncpg"])
def test_restart_fails_who_is_connected_and_refuses_the_rest_at_once(pool: str) -> None:
    story = drill(f"{pool}&restart_s=2")
    assert set(story.outcomes) == {
        Outcome.OK,
        Outcome.CONNECTION_LOST,
        Outcome.CONNECT_REFUSED,
    }
    assert story.outcomes[Outcome.CONNECTION_LOST] <= 15
    # About as many as ask in two seconds; nobody waits, and the last fails as it ends.
    assert story.outcomes[Outcome.CONNECT_REFUSED] == pytest.approx(400, abs=60)
    assert story.failed_s.min() > FROM_S - 0.3
    assert UNTIL_S - 0.1 < story.failed_s.max() < UNTIL_S
    assert story.wait_s.max() < LATE_S


def test_pre_ping_does_not_help_while_the_server_is_down() -> None:
    without, with_ping = (drill(f"restart_s=2&pool_pre_ping={on}") for on in ("false", "true"))
    refused = [one.outcomes[Outcome.CONNECT_REFUSED] for one in (without, with_ping)]
    assert refused[1] == pytest.approx(refused[0], rel=0.05)


def test_asyncpg_restores_its_floor_after_a_restart() -> None:
    story = drill("kind=asyncpg&restart_s=2")
    assert story.causes[Cause.DEAD] == 10
    assert story.causes[Cause.STILL_OPEN] == 10


def test_psycopg_lets_callers_wait_through_a_restart_and_a_little_longer() -> None:
    """Its attempts in the background pause for 1, 2 and 4 s: it recovers later than the server."""
    story = drill("kind=psycopg&min_size=10&restart_s=2")
    assert set(story.outcomes) == {Outcome.OK, Outcome.CONNECTION_LOST}
    assert 2.0 < story.wait_s.max() < 4.5
    reconnected_s = story.asked_s[story.wait_s > LATE_S] + story.wait_s[story.wait_s > LATE_S]
    assert 7.5 < reconnected_s.min() < 8.5


def test_psycopg_with_a_short_timeout_fails_those_who_would_have_waited() -> None:
    story = drill("kind=psycopg&min_size=10&restart_s=2&timeout=1")
    assert story.outcomes[Outcome.ACQUIRE_TIMEOUT] > 300
    assert story.outcomes[Outcome.CONNECT_REFUSED] == 0
    assert story.wait_s.max() <= 1.0 + 1e-9
    assert story.failed_s.max() == pytest.approx(UNTIL_S, abs=0.5)


def test_aiohttp_sends_again_what_a_restart_cut_off_and_httpx_does_not() -> None:
    aiohttp, httpx = (drill(f"kind={kind}&restart_s=2") for kind in ("aiohttp", "httpx"))
    assert httpx.outcomes[Outcome.CONNECTION_LOST] > 0
    assert aiohttp.outcomes[Outcome.CONNECTION_LOST] == 0
    # It gains nothing by that here: who sends again is refused.
    assert sum(aiohttp.outcomes.values()) - aiohttp.outcomes[Outcome.OK] == len(httpx.failed_s)


# ---- the server, or the network, is slow for 2 s -------------------------------------------------


def test_a_slow_period_fills_the_pool_and_is_felt_until_the_queue_is_gone() -> None:
    """42 erlangs meet 15 connections. Nobody fails: the default timeout is 30 s."""
    story = drill("slow_s=2&slow_factor=10")
    assert set(story.outcomes) == {Outcome.OK}
    assert FROM_S < story.late_s.min() < FROM_S + 1.0
    assert UNTIL_S < story.late_s.max() < UNTIL_S + 1.5
    assert story.wait_s.max() == pytest.approx(1.5, abs=0.5)


def test_a_short_pool_timeout_turns_a_slow_period_into_failures_and_a_shorter_queue() -> None:
    patient, strict = (drill(f"slow_s=2&slow_factor=10&pool_timeout={s}") for s in (30, 0.5))
    assert strict.outcomes[Outcome.ACQUIRE_TIMEOUT] > 50
    assert strict.failed_s.min() > FROM_S
    assert strict.failed_s.max() < UNTIL_S
    assert strict.late_s.max() < patient.late_s.max()


def test_a_slow_network_costs_each_library_its_round_trips() -> None:
    """50 ms more a round trip: SQLAlchemy's BEGIN and COMMIT hold on to all 15 connections,
    and a pre-ping's three more trips double the damage; asyncpg pays one reset.
    """
    plain = drill("delay_s=2&delay_ms=50")
    pinged = drill("delay_s=2&delay_ms=50&pool_pre_ping=true")
    asyncpg = drill("kind=asyncpg&max_size=15&min_size=15&delay_s=2&delay_ms=50")
    assert set(plain.outcomes) == set(pinged.outcomes) == {Outcome.OK}
    assert pinged.wait_s.max() > 1.5 * plain.wait_s.max()
    assert asyncpg.wait_s.max() < 0.5 * plain.wait_s.max()
    assert UNTIL_S < plain.late_s.max() < UNTIL_S + 1.0


# ---- connections die one by one, two a second ----------------------------------------------------


def test_one_killed_connection_makes_sqlalchemy_replace_them_all() -> None:
    story = drill("kills=2")
    kills = story.causes[Cause.DEAD]
    assert story.outcomes[Outcome.CONNECTION_LOST] == kills
    assert story.causes[Cause.INVALIDATED] > 3 * kills


def test_asyncpg_replaces_only_the_killed_and_idle_victims_go_unnoticed() -> None:
    story = drill("kind=asyncpg&kills=2")
    assert story.causes[Cause.INVALIDATED] == 0
    assert 0 < story.outcomes[Outcome.CONNECTION_LOST] < story.causes[Cause.DEAD]


def test_pre_ping_saves_those_who_would_have_met_a_dead_idle_connection() -> None:
    without, with_ping = (drill(f"kills=2&pool_pre_ping={on}", rate=50) for on in ("false", "true"))
    lost = [one.outcomes[Outcome.CONNECTION_LOST] for one in (without, with_ping)]
    assert lost[1] < 0.6 * lost[0]


def test_aiohttp_hides_kills_from_requests_that_may_be_sent_again() -> None:
    story = drill("kind=aiohttp&kills=2")
    assert story.causes[Cause.DEAD] > 10
    assert set(story.outcomes) == {Outcome.OK}


# ---- a firewall forgets connections that are silent ----------------------------------------------

QUIET = 3.0
CUT = "idle_cut_s=1&unanswered_s=5"


def test_a_forgotten_connection_hangs_its_user_and_then_fails() -> None:
    story = drill(CUT, rate=QUIET)
    trace = story.trace
    held_s = np.asarray(trace.released_s) - np.asarray(trace.granted_s)
    lost = np.asarray(trace.outcome) == Outcome.CONNECTION_LOST
    assert lost.sum() >= 2
    assert held_s[lost] == pytest.approx(5.0, abs=0.01)
    assert held_s[~lost].max() < 1.0


def test_pre_ping_meets_the_silence_itself_nobody_fails_but_who_asks_waits_it_out() -> None:
    story = drill(f"{CUT}&pool_pre_ping=true", rate=QUIET)
    assert set(story.outcomes) == {Outcome.OK}
    assert story.wait_s.max() == pytest.approx(5.0, abs=0.1)


def test_recycling_sooner_still_waits_for_a_goodbye_that_nobody_hears() -> None:
    """A graceful close gets two seconds before SQLAlchemy connects anew."""
    story = drill("idle_cut_s=2&unanswered_s=60&pool_recycle=1", rate=QUIET)
    assert set(story.outcomes) == {Outcome.OK}
    assert story.causes[Cause.RECYCLE] > 0
    assert story.wait_s.max() == pytest.approx(2.0, abs=0.1)


def test_asyncpg_closing_idle_connections_before_the_firewall_does_is_never_hit() -> None:
    base = f"kind=asyncpg&min_size=0&{CUT}"
    hit = drill(base, rate=QUIET)
    safe = drill(f"{base}&max_inactive_connection_lifetime=0.5", rate=QUIET)
    assert hit.outcomes[Outcome.CONNECTION_LOST] > 0
    assert set(safe.outcomes) == {Outcome.OK}
    assert safe.wait_s.max() < 0.05


def test_the_server_keeps_the_slots_of_forgotten_connections() -> None:
    """Three usable slots: each forgotten connection takes one for good."""
    story = drill(f"{CUT}&max_connections=6", rate=QUIET)
    assert story.outcomes[Outcome.CONNECT_REFUSED] > 0
    assert story.failed_s.max() > 11.0


# ---- PgBouncer in between ------------------------------------------------------------------------


def test_pgbouncer_hides_a_restart_of_the_server_from_who_is_idle_and_makes_the_rest_wait() -> None:
    """It tries to log in again after 15 s only; whoever asks meanwhile waits for that."""
    story = drill("kind=asyncpg&restart_s=2&pgbouncer=true", rate=50)
    assert story.causes[Cause.OPEN_FAILED] < story.outcomes[Outcome.CONNECT_REFUSED] + 20
    assert story.outcomes[Outcome.CONNECTION_LOST] < 10
    assert story.wait_s.max() > 10.0


def test_a_restart_of_pgbouncer_cuts_off_every_client() -> None:
    story = drill("kind=asyncpg&pgbouncer=true&pgbouncer_restart_s=2")
    assert story.causes[Cause.DEAD] == 10
    assert story.outcomes[Outcome.CONNECT_REFUSED] == pytest.approx(400, abs=60)
    assert UNTIL_S - 0.1 < story.failed_s.max() < UNTIL_S


# ---- clients that ask again keep it down ---------------------------------------------------------

RETRIES = (
    "kind=asyncpg&cpu_fraction=0&slow_s=2&slow_factor=10&client_timeout_ms=200"
    "&abandoned=carried_on&retry_backoff_ms=10&retries={}&retry_budget={}"
)


def served_late(retries: int, budget: float) -> tuple[float, float]:
    """Return the share of clients answered of those who asked from 10 s on, and asks a second.

    Half of the pool is what they need if each asks once.
    """
    trace = drill(RETRIES.format(retries, budget), rate=250).trace
    asked_s = np.asarray(trace.asked_s)
    calls = trace.calls
    assert calls is not None
    outcome = np.asarray(calls.outcome)[np.asarray(calls.asked_s) >= 10.0]
    return float((outcome == Outcome.OK).mean()), float((asked_s >= 10.0).sum()) / 2.0


def test_retries_keep_a_service_down_after_a_slow_period_is_over() -> None:
    """Metastable: three seconds after the cause is gone it is still asked four times as often."""
    answered, asked_per_s = served_late(retries=3, budget=0.0)
    assert answered < 0.05
    assert asked_per_s > 3.0 * 250


def test_a_retry_budget_lets_it_recover_and_so_does_not_asking_again() -> None:
    for retries, budget in ((3, 0.1), (0, 0.0)):
        answered, asked_per_s = served_late(retries, budget)
        assert answered > 0.99
        assert asked_per_s < 1.2 * 250


# ---- a deploy: old and new workers at once -------------------------------------------------------

FIVE = "kind=asyncpg&workers=5&max_size=12&min_size=12&deploy_s=2"


def test_a_deploy_with_room_for_both_versions_goes_unnoticed() -> None:
    story = drill(f"{FIVE}&max_connections=130")
    assert story.causes[Cause.STILL_OPEN] == 60
    assert story.causes[Cause.DEAD] == 60
    assert set(story.outcomes) == {Outcome.OK}


def test_a_deploy_beyond_max_connections_stops_half_way_and_the_old_version_goes_on() -> None:
    """Of 97, 60 are taken: three of five new pools can be made, the others give up."""
    story = drill(FIVE)
    assert story.causes[Cause.OPEN_FAILED] > 0
    assert set(story.outcomes) == {Outcome.OK}
    assert story.causes[Cause.STILL_OPEN] == 60


def test_a_lazy_pool_is_deployed_and_refused_later() -> None:
    """SQLAlchemy connects when asked: requests of the new version find no room."""
    story = drill(
        "workers=5&pool_size=12&max_overflow=0&warm_connections=12&max_connections=70&deploy_s=2"
    )
    assert story.outcomes[Outcome.CONNECT_REFUSED] > 0
    assert story.failed_s.min() >= FROM_S
    assert story.failed_s.max() < UNTIL_S
