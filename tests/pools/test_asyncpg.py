"""asyncpg.Pool, decision by decision."""

import itertools
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pools.kinds import AsyncpgPool
from pools.kinds.base import POSTGRES_CONNECT_ROUND_TRIPS
from pools.protocol import Step
from pools.setting import InvalidSettings
from pools.trace import Cause, Outcome
from tests.pools.rig import Link, Rig
from tests.pools.schedules import Ask, Schedule, schedules, small_pools

CONNECT_S = 0.05


def rig_of(rtt_s: float = 0.0, connect_s: float = CONNECT_S, **settings: Any) -> Rig:
    """Make a started pool of two, without a floor unless told otherwise."""
    pool = AsyncpgPool(**{"max_size": 2, "min_size": 0} | settings)
    rig = Rig(pool, connect_s=connect_s, rtt_s=rtt_s)
    rig.start()
    return rig


# ---- which connection ----------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "opens"), [("0.32", 1), ("0.31", 2)])
def test_a_connected_holder_is_lent_before_an_empty_one_from_0_32(version: str, opens: int) -> None:
    """The empty one was freed last (its connect failed); before 0.32 it is taken first."""
    rig = Rig(
        AsyncpgPool(max_size=2, min_size=0, version=version),
        connect_s=CONNECT_S,
        refuses=lambda number: number == 1,
    )
    rig.start()
    rig.ask(0.0, 0.1)
    refused = rig.ask(0.12, 0.1)
    later = rig.ask(1.0, 0.1)
    rig.run()
    assert refused.outcome is Outcome.CONNECT_REFUSED
    assert later.wait_s == pytest.approx(0.0 if opens == 1 else CONNECT_S)
    assert rig.opened == opens


@pytest.mark.parametrize(("version", "left"), [("0.32", 2), ("0.31", 0)])
def test_min_size_outlasts_the_idle_timer_from_0_32(version: str, left: int) -> None:
    rig = rig_of(max_size=3, min_size=2, max_inactive_connection_lifetime=10.0, version=version)
    rig.run()
    assert rig.idle == left


@pytest.mark.parametrize(("version", "left"), [("0.32", 2), ("0.31", 1)])
def test_a_killed_connection_is_replaced_behind_everybodys_back_from_0_32(
    version: str, left: int
) -> None:
    rig = rig_of(min_size=2, max_inactive_connection_lifetime=0.0, version=version)
    rig.kill(1.0, 0)
    rig.run()
    assert rig.idle == left


def test_init_size_is_refused_before_0_32() -> None:
    with pytest.raises(InvalidSettings, match=r"init_size must be -1 before asyncpg 0\.32, got 3"):
        AsyncpgPool(max_size=5, min_size=2, init_size=3, version="0.31")


def test_the_connection_returned_last_is_lent_first() -> None:
    """Light load keeps to one connection, so the others grow old."""
    rig = rig_of(max_size=3, min_size=3)
    burst = [rig.ask(0.0, hold_s) for hold_s in (0.1, 0.3, 0.2)]
    alone = [rig.ask(1.0 + turn, 0.1) for turn in range(5)]
    rig.run()
    assert {story.link for story in alone} == {burst[1].link}


# Its gaps and holds; the thirteenth gives up while its connection is being closed.
_GAPS = (11, 8, 12, 5, 3, 0, 6, 6, 0, 0, 9, 1, 3, *[0] * 12)
_HOLDS = {2: 21, 7: 40, 11: 13, 12: 39}
GIVES_UP_WHILE_CLOSING = Schedule(
    asks=tuple(
        Ask(gap, _HOLDS.get(number, 0), 0, 53 if number == 12 else None)
        for number, gap in enumerate(_GAPS)
    ),
    kills=((104, 0),),
    refused=frozenset(),
    slots=None,
    connect=7,
    rtt=1,
    warm=0,
    jitter=True,
)


@example(
    AsyncpgPool(
        max_size=5, min_size=0, init_size=0, max_queries=1, max_inactive_connection_lifetime=0.0
    ),
    GIVES_UP_WHILE_CLOSING,
)
@given(pool=small_pools("asyncpg"), schedule=schedules())
def test_nobody_opens_a_connection_while_another_is_idle(
    pool: AsyncpgPool, schedule: Schedule
) -> None:
    """But for the floor, which is restored behind everybody's back. True from 0.32."""

    class Watching(Rig):
        def open(self, slot, round_trips):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if slot.request is not None:
                assert not self.idle, f"opens with {self.idle} idle at {self.now} s"
            super().open(slot, round_trips)

    assume(pool.has_floor)
    schedule.drive(pool, make=Watching)


# ---- timeouts ------------------------------------------------------------------------------------


@given(timeout_s=st.floats(0.02, 0.5), hold_s=st.floats(0.001, 0.5), connect_s=st.floats(0.01, 0.5))
def test_acquire_timeout_covers_queue_and_connect_together(
    timeout_s: float, hold_s: float, connect_s: float
) -> None:
    """The second request waits for the first, whose connection is then killed, and connects."""
    rig = rig_of(max_size=1, acquire_timeout=timeout_s, connect_s=connect_s, max_queries=1)
    first, second = rig.ask(0.0, hold_s), rig.ask(0.0, 0.1)
    rig.run()
    if abs(connect_s - timeout_s) < 1e-6 or abs(2 * connect_s + hold_s - timeout_s) < 1e-6:
        return
    if connect_s > timeout_s:
        # The first gives up its connect; the second tries in its turn, for no time at all.
        assert first.outcome is second.outcome is Outcome.ACQUIRE_TIMEOUT
        assert (first.rejected_s, second.rejected_s) == (timeout_s, timeout_s)
    elif 2 * connect_s + hold_s > timeout_s:
        assert first.outcome is Outcome.OK
        assert second.outcome is Outcome.ACQUIRE_TIMEOUT
        assert second.rejected_s == timeout_s
    else:
        assert second.wait_s == pytest.approx(2 * connect_s + hold_s)


def test_acquire_timeout_also_bounds_the_reset() -> None:
    """A round trip longer than the timeout: release() raises, the connection is destroyed."""
    rig = rig_of(max_size=1, min_size=1, acquire_timeout=0.2, rtt_s=0.3)
    story = rig.ask(0.0, 0.1)
    rig.run(until_s=1.0)
    assert story.outcome is Outcome.RELEASE_FAILED
    assert story.finished_s == pytest.approx(0.3)
    assert rig.wires[0].cause is Cause.DEAD


def test_without_a_timeout_a_request_waits_for_ever() -> None:
    rig = rig_of(max_size=1)
    rig.ask(0.0, 900.0)
    waiter = rig.ask(0.0, 0.1)
    rig.run()
    assert waiter.outcome is Outcome.OK
    assert waiter.wait_s == pytest.approx(900.0 + CONNECT_S)


# ---- release -------------------------------------------------------------------------------------


def test_the_reset_on_release_holds_the_place_for_a_round_trip() -> None:
    rig = rig_of(max_size=1, min_size=1, rtt_s=0.02)
    first, second = rig.ask(0.0, 0.1), rig.ask(0.0, 0.1)
    rig.run()
    assert first.available_s == pytest.approx(0.12)
    assert second.wait_s == pytest.approx(0.12)
    assert rig.wires[0].steps == [Step.RESET, Step.RESET]


@given(max_queries=st.integers(1, 12))
def test_a_connection_is_replaced_after_max_queries_and_resets_count(max_queries: int) -> None:
    """One query a checkout: n checkouts are n queries and n - 1 resets before the last."""
    rig = rig_of(max_size=1, max_queries=max_queries)
    for turn in range(30):
        rig.ask(float(turn), 0.1)
    rig.run()
    served = [len(wire.requests) for wire in rig.wires]
    assert set(served[:-1]) <= {max_queries // 2 + 1}
    assert all(wire.cause is Cause.MAX_QUERIES for wire in rig.wires[:-1])


# ---- idle lifetime and floor ---------------------------------------------------------------------


def test_idle_connections_above_min_size_are_closed_after_their_lifetime() -> None:
    rig = rig_of(max_size=4, min_size=1, max_inactive_connection_lifetime=10.0)
    for _ in range(4):
        rig.ask(0.0, 1.0)
    rig.run()
    closed = [wire for wire in rig.wires if wire.state is Link.CLOSED]
    assert [wire.cause for wire in closed] == [Cause.IDLE] * 3
    assert {round((wire.closed_s or 0.0) - 10.0 - 1.0, 2) for wire in closed} <= {0.0, CONNECT_S}
    assert rig.idle == 1


def test_use_puts_the_end_of_an_idle_connection_off() -> None:
    rig = rig_of(max_size=1, max_inactive_connection_lifetime=10.0)
    for at_s in (0.0, 6.0, 12.0):
        rig.ask(at_s, 0.1)
    rig.run()
    assert rig.opened == 1
    assert rig.wires[0].closed_s == pytest.approx(12.1 + 10.0)


def test_no_lifetime_keeps_idle_connections_for_ever() -> None:
    rig = rig_of(max_inactive_connection_lifetime=0.0)
    rig.ask(0.0, 0.1)
    rig.run()
    assert rig.idle == 1


@given(pool=small_pools("asyncpg"), schedule=schedules(refuses=False))
def test_the_floor_is_restored_when_all_is_quiet(pool: AsyncpgPool, schedule: Schedule) -> None:
    """Whatever was killed, abandoned or used up: min_size connections are there in the end."""
    assume(pool.has_floor)
    rig = schedule.drive(pool)
    assert pool.min_size <= rig.idle <= pool.max_size


def test_a_floor_that_cannot_be_restored_is_tried_after_1_2_4_and_at_most_60_s() -> None:
    rig = Rig(
        AsyncpgPool(max_size=1, min_size=1),
        connect_s=0.0,
        refuses=lambda number: number < 10,
    )
    rig.start()
    rig.kill(10.0)
    rig.run()
    tried = [wire.opening_s for wire in rig.wires if wire.opening_s >= 0.0]
    waits = [after - before for before, after in itertools.pairwise(tried)]
    assert waits[:8] == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])
    assert rig.idle == 1


def test_a_dead_idle_connection_is_noticed_at_once() -> None:
    rig = rig_of(max_size=2, min_size=2)
    rig.kill(1.0, 0)
    story = rig.ask(5.0, 0.1)
    rig.run(until_s=2.0)
    assert rig.idle == 2  # the floor is back
    rig.run()
    assert story.wait_s == 0.0


# ---- connects that fail --------------------------------------------------------------------------


def test_with_the_server_down_waiters_fail_one_after_another_on_each_holder() -> None:
    """Observed with size 2, 6 clients, 20 ms connects: failures at 20, 20, 40, 40, 60, 60 ms."""
    rig = Rig(AsyncpgPool(max_size=2, min_size=0), connect_s=0.02, refuses=lambda number: True)
    rig.start()
    stories = [rig.ask(0.0, 0.1) for _ in range(6)]
    rig.run()
    assert [story.rejected_s for story in stories] == pytest.approx(
        [0.02, 0.02, 0.04, 0.04, 0.06, 0.06]
    )


def test_an_abandoned_connect_lets_the_next_waiter_try() -> None:
    rig = rig_of(max_size=1, connect_s=1.0)
    gone = rig.ask(0.0, 0.1, give_up_after_s=0.4)
    next_one = rig.ask(0.1, 0.1)
    rig.run()
    assert gone.outcome is Outcome.CANCELLED
    assert next_one.granted_s == pytest.approx(1.4)
    assert rig.wires[0].cause is Cause.ABORTED


# ---- the start -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "at_start"),
    [
        ({"max_size": 5, "min_size": 3}, 3),
        ({"max_size": 5, "min_size": 1, "init_size": 4}, 4),
        ({"max_size": 5, "min_size": 0}, 0),
    ],
)
def test_init_size_connections_are_there_at_the_start(
    settings: dict[str, float], at_start: int
) -> None:
    rig = rig_of(**settings)
    assert rig.count(Link.OPEN) == at_start
    rig.run(until_s=5.0)
    assert rig.idle == at_start


def test_the_floor_is_reached_later_if_the_server_had_no_room_at_the_start() -> None:
    rig = Rig(AsyncpgPool(max_size=5, min_size=5), connect_s=CONNECT_S, slots=3)
    rig.start()
    assert rig.count(Link.OPEN) == 3
    rig.at(10.0, lambda: setattr(rig, "slots", 5))
    rig.run(until_s=200.0)
    assert rig.idle == 5


def test_the_start_must_reach_the_floor() -> None:
    with pytest.raises(InvalidSettings, match="init_size must be at least min_size"):
        AsyncpgPool(max_size=5, min_size=3, init_size=2)


@pytest.mark.parametrize("name", ["min_size", "init_size"])
def test_floor_and_start_must_fit_in_the_pool(name: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{name} must be at most max_size"):
        AsyncpgPool(**{"max_size": 5, "min_size": 5} | {name: 6})  # type: ignore[arg-type]


def test_connecting_costs_its_round_trips_to_who_asked() -> None:
    rig = rig_of(rtt_s=0.01)
    story = rig.ask(0.0, 0.1)
    rig.run()
    assert story.wait_s == pytest.approx(CONNECT_S + POSTGRES_CONNECT_ROUND_TRIPS * 0.01)
