"""What is using my connections: sessions by application, and sentences that fit them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.live.diagnose.activity import UNNAMED, Activity, Session
from pools.live.diagnose.diagnosis import diagnose
from pools.live.preflight import PostgresFacts

FACTS = PostgresFacts("18", 100, 3, 10, -1, 1, -1, 1, False, False, False)
IDLE = Session("shop", "app", "shop", "idle", "Client", "ClientRead", 1.0, None, 100.0)
HIDDEN = Session("other", "someone", "shop")
STATES = (None, "active", "idle", "idle in transaction", "idle in transaction (aborted)")
sessions = st.builds(
    Session,
    application=st.sampled_from(["shop", "jobs", UNNAMED]),
    role=st.just("app"),
    database=st.just("shop"),
    state=st.sampled_from(STATES),
    waits_for=st.sampled_from([None, "Lock", "Client"]),
    wait=st.none(),
    state_s=st.none() | st.floats(0, 1e7),
    transaction_s=st.none() | st.floats(0, 1e7),
    age_s=st.none() | st.floats(0, 1e7),
)


def _said(*shown: Session, sees_all: bool = True, budget: int | None = None) -> str:
    found = diagnose(Activity(shown, sees_all), FACTS, budget)
    return " ".join(found.findings)


@given(st.lists(sessions, max_size=30), st.none() | st.integers(0, 40), st.booleans())
def test_every_session_is_counted_once_and_something_is_said(
    shown: list[Session], budget: int | None, sees_all: bool
) -> None:
    found = diagnose(Activity(tuple(shown), sees_all), FACTS, budget)
    assert sum(one.connections for one in found.applications) == len(shown)
    for one in found.applications:
        states = one.active + one.idle + one.idle_in_transaction + one.hidden
        assert states <= one.connections
    assert found.findings
    assert all(sentence.strip() and "None" not in sentence for sentence in found.findings)


def test_a_quiet_server_is_said_to_be_quiet() -> None:
    assert _said(IDLE, IDLE).startswith("Nothing looks odd")


def test_a_transaction_left_open_is_suspected_of_a_leak() -> None:
    held = replace(IDLE, state="idle in transaction", state_s=300.0, transaction_s=300.0)
    assert "shop: 1 connection idle in transaction, the longest for 5 minutes" in _said(IDLE, held)
    assert "idle in transaction" not in _said(replace(held, state_s=5.0))


def test_more_connections_than_the_fleet_may_hold_are_named() -> None:
    assert "shop: 3 connections, and a fleet" in _said(IDLE, IDLE, IDLE, budget=2)
    assert "a fleet" not in _said(IDLE, IDLE, budget=2)


def test_many_connections_idle_for_long_are_named() -> None:
    long = replace(IDLE, state_s=3600.0 * 5)
    assert "6 of 6 connections idle, half of them for more than 5 hours" in _said(*[long] * 6)
    assert "larger than this load" not in _said(*[IDLE] * 6)


def test_waiting_for_locks_names_who_is_idle_in_transaction() -> None:
    waiting = replace(IDLE, state="active", waits_for="Lock", application="jobs")
    holder = replace(IDLE, state="idle in transaction", state_s=2.0)
    assert "1 connection waiting for a lock" in _said(waiting, holder)
    assert "idle in transaction are shop" in _said(waiting, holder)


def test_what_the_role_may_not_see_is_said_with_the_grant_that_shows_it() -> None:
    assert "GRANT pg_monitor" in _said(HIDDEN, sees_all=False)
    assert "GRANT" not in _said(IDLE, sees_all=False)


def test_sessions_without_a_name_are_asked_for_one() -> None:
    assert "set application_name" in _said(replace(IDLE, application=UNNAMED))


@pytest.mark.parametrize(("in_use", "is_said"), [(77, False), (78, True), (97, True)])
def test_a_server_that_is_nearly_full_is_named(in_use: int, is_said: bool) -> None:
    found = diagnose(Activity((IDLE,), True), replace(FACTS, in_use=in_use))
    assert ("slots are in use" in " ".join(found.findings)) == is_said
