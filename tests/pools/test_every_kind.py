"""What every pool keeps, whatever its kind: taken up by a new kind untouched.

Each kind is driven by random loads with refused connects, dropped connections and callers that
give up (tests/pools/schedules.py); the rig checks each order as it is given.
"""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.kinds import KINDS, Pool
from pools.protocol import Stage
from pools.trace import Outcome
from tests.pools.rig import Link, Rig
from tests.pools.schedules import Schedule, schedules, small_pools

UNSERVED = (Outcome.ACQUIRE_TIMEOUT, Outcome.CONNECT_REFUSED, Outcome.QUEUE_FULL)
EVERY_KIND = pytest.mark.parametrize("kind", sorted(KINDS))


def no_excuse(rig: Rig) -> bool:
    """A pool serves whoever it can: the rule for a kind not named below."""
    return False


def room_came_free_unnoticed(rig: Rig) -> bool:
    """SQLAlchemy wakes nobody when a connect fails, is cancelled, or an overflow one is closed.

    Source: sqlalchemy/pool/impl.py, QueuePool._dec_overflow does not notify the queue. An idle
    connection is never left lying while somebody waits, though.
    """
    return rig.silent_frees > 0 and not rig.idle


def wake_up_was_lost(rig: Rig) -> bool:
    """aiohttp wakes nobody else when the waiter it woke has just ended or finds no place.

    Source: connector.py, _wait_for_available_connection. Two places that come free in one
    instant may both wake waiters of one host, with room for one of them; another host's wait.
    """
    return rig.lost_wakes > 0


# httpx's pool timeout begins afresh when another request gets a connection to the same host.
BEGINS_AFRESH = frozenset({"httpx"})


def nothing_lies_idle(rig: Rig) -> bool:
    """psycopg grows by one connection at a time, and a connect that failed keeps its place.

    Source: psycopg_pool/pool_async.py, _maybe_grow_pool and _add_connection. A reset callback
    waits for a background worker, so a connection may be there and not be lent yet.
    """
    return rig.pool == dataclasses.replace(rig.pool, reset=True) or not rig.idle


EXCUSES = {
    "sqlalchemy": room_came_free_unnoticed,
    "aiohttp": wake_up_was_lost,
    "psycopg": nothing_lies_idle,
}


def could_serve(rig: Rig) -> bool:
    """Whether a place is free for one of those who queue."""
    pool = rig.pool
    if pool.capacity is not None and rig.taken >= pool.capacity:
        return False
    per_host = getattr(pool, "limit_per_host", 0)
    if not per_host:
        return bool(rig.queued())
    taken = [s for s in rig.stories.values() if s.request.stage in (Stage.OPENING, Stage.HOLDING)]
    return any(
        sum(one.request.host == story.request.host for one in taken) < per_host
        for story in rig.queued()
    )


def nobody_waits_in_vain(rig: Rig) -> None:
    """Check an instant that is over."""
    woken = [s.request.row for s in rig.stories.values() if s.request.stage is Stage.WOKEN]
    assert not woken, f"requests {woken} were woken and not served"
    if could_serve(rig):
        excuse = EXCUSES.get(rig.pool.name, no_excuse)
        assert excuse(rig), f"{len(rig.queued())} wait at {rig.now} s, {rig.taken} places taken"


def time_limits(pool: Pool) -> list[float]:
    """Return the times (s) after which a request may fail; httpx times the connect on its own."""
    connect_s = getattr(pool, "connect_timeout", 0.0) if pool.name == "httpx" else 0.0
    return [limit_s for limit_s in (pool.wait_s_max, connect_s) if limit_s]


def drawn(data: st.DataObject, kind: str, **what: bool) -> tuple[Pool, Schedule]:
    return data.draw(small_pools(kind), "pool"), data.draw(schedules(**what), "schedule")


@EVERY_KIND
@given(data=st.data())
def test_nobody_waits_while_a_place_is_free_and_the_library_would_serve(
    kind: str, data: st.DataObject
) -> None:
    """Order, capacity and lending are checked by the rig at each step on the way."""
    pool, schedule = drawn(data, kind)
    schedule.drive(pool, nobody_waits_in_vain)


@EVERY_KIND
@given(data=st.data())
def test_every_request_ends_exactly_once(kind: str, data: st.DataObject) -> None:
    pool, schedule = drawn(data, kind)
    rig = schedule.drive(pool)
    for story in rig.stories.values():
        if story.ends == 0:
            assert story.request.stage is Stage.QUEUED, f"request {story.request.row} got stuck"
            assert EXCUSES.get(kind, no_excuse)(rig), f"request {story.request.row} never ended"
        elif story.outcome in UNSERVED:
            assert story.grants == 0 or story.idempotent
        else:
            assert story.grants or story.outcome is Outcome.CANCELLED


@EVERY_KIND
@given(data=st.data())
def test_requests_are_conserved_at_every_instant(kind: str, data: st.DataObject) -> None:
    """Asked = waiting + holding + returning + ended, and ended = served + rejected."""
    pool, schedule = drawn(data, kind)

    def conserved(rig: Rig) -> None:
        for story in rig.stories.values():
            stage = story.request.stage
            assert (story.ends == 1) == (stage is Stage.ENDED)
            assert (story.asked_s > rig.now) <= (stage is Stage.NEW)
            if stage in (Stage.HOLDING, Stage.RETURNING):
                assert story.granted_s is not None
                assert (story.released_s is None) == (stage is Stage.HOLDING)
        held = [s.link for s in rig.stories.values() if s.request.stage is Stage.HOLDING]
        assert len(held) == len(set(held)), "a connection is lent to two requests"

    schedule.drive(pool, conserved)


@EVERY_KIND
@given(data=st.data())
def test_every_connection_is_accounted_for_at_the_end(kind: str, data: st.DataObject) -> None:
    """Nothing opens for ever, what was closed has a cause, what is open is idle and no more."""
    pool, schedule = drawn(data, kind)
    rig = schedule.drive(pool)
    assert rig.count(Link.OPENING) == 0
    for wire in rig.wires:
        assert (wire.state is Link.CLOSED) == (wire.closed_s is not None)
        assert (wire.cause is None) == (wire.closed_s is None)
        assert wire.lent_to == -1
    assert rig.idle == rig.count(Link.OPEN, Link.DEAD)


@EVERY_KIND
@given(data=st.data())
def test_a_timeout_never_fires_early_and_nobody_queues_beyond_it(
    kind: str, data: st.DataObject
) -> None:
    pool, schedule = drawn(data, kind)
    limit_s = pool.wait_s_max
    # aiohttp rounds a timeout above 5 s up to a whole second.
    grace_s = 1.0 if limit_s is not None and limit_s > 5.0 and kind == "aiohttp" else 0.0

    def in_time(rig: Rig) -> None:
        if limit_s is not None and kind not in BEGINS_AFRESH:
            assert all(rig.now <= s.asked_s + limit_s + grace_s for s in rig.queued())

    rig = schedule.drive(pool, in_time)
    for story in rig.stories.values():
        if story.outcome is Outcome.ACQUIRE_TIMEOUT:
            assert story.rejected_s is not None
            assert story.rejected_s >= story.asked_s + min(time_limits(pool))


@EVERY_KIND
@given(data=st.data())
def test_without_failures_nobody_is_refused_and_all_are_served(
    kind: str, data: st.DataObject
) -> None:
    pool = data.draw(small_pools(kind), "pool")
    schedule = data.draw(schedules(kills=False, gives_up=False, refuses=False), "schedule")
    rig = schedule.drive(pool)
    outcomes = {story.outcome for story in rig.stories.values()}
    # asyncpg's acquire timeout bounds the reset on release, too.
    late = {Outcome.ACQUIRE_TIMEOUT, Outcome.RELEASE_FAILED} if time_limits(pool) else set()
    full = {Outcome.QUEUE_FULL} if getattr(pool, "max_waiting", 0) else set()
    assert outcomes <= {Outcome.OK} | late | full


@EVERY_KIND
@given(data=st.data())
def test_the_same_load_is_decided_the_same_way_twice(kind: str, data: st.DataObject) -> None:
    pool, schedule = drawn(data, kind)
    assert schedule.drive(pool).log == schedule.drive(pool).log
