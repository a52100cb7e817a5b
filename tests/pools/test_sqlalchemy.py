"""SQLAlchemy's AsyncAdaptedQueuePool and NullPool, decision by decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.kinds import SqlalchemyNull, SqlalchemyQueue
from pools.kinds.base import POSTGRES_CONNECT_ROUND_TRIPS
from pools.kinds.sqlalchemy import QueuePoolLogic
from pools.kinds.sqlalchemy_record import INITIALISE_ROUND_TRIPS, Doing, Record
from pools.protocol import Slot, Step
from pools.setting import InvalidSettings
from pools.trace import Cause, Outcome
from tests.pools.rig import Link, Rig
from tests.pools.schedules import Schedule, schedules, small_pools

RTT_S = 0.004
CONNECT_S = 0.05


def rig_of(pool: SqlalchemyQueue | SqlalchemyNull, warm: int = 0, **world: float) -> Rig:
    rig = Rig(pool, **{"connect_s": CONNECT_S, "rtt_s": RTT_S} | world)  # type: ignore[arg-type]
    rig.start(warm)
    return rig


# ---- overflow ------------------------------------------------------------------------------------


def test_returned_overflow_connection_is_closed_if_pool_size_are_idle() -> None:
    """Three at once with room for two: whoever comes back third is closed, whichever it was."""
    rig = rig_of(SqlalchemyQueue(pool_size=2, max_overflow=1), rtt_s=0.0)
    held = [rig.ask(0.0, hold_s) for hold_s in (0.3, 0.1, 0.2)]
    rig.run()
    assert [wire.cause for wire in rig.wires] == [Cause.OVERFLOW, None, None]
    assert rig.wires[0].closed_s == held[0].released_s


def test_returned_overflow_connection_is_kept_while_fewer_are_idle() -> None:
    """The rule is about the idle ones: an overflow connection that comes back first is kept."""
    rig = rig_of(SqlalchemyQueue(pool_size=2, max_overflow=1), rtt_s=0.0)
    for hold_s in (0.1, 0.2, 0.3):
        rig.ask(0.0, hold_s)
    again = [rig.ask(0.25, 0.2) for _ in range(2)]
    rig.run()
    assert [story.wait_s for story in again] == [0.0, 0.0]
    assert rig.opened == 3
    # The third came back while none was idle.
    assert rig.wires[2].closed_s != rig.stories[2].released_s


def test_a_returned_connection_goes_to_who_waits_and_is_never_closed() -> None:
    rig = rig_of(SqlalchemyQueue(pool_size=1, max_overflow=1), rtt_s=0.0)
    held = [rig.ask(0.0, hold_s) for hold_s in (0.1, 0.2)]
    waiting = [rig.ask(0.01, 0.3) for _ in range(2)]
    rig.run(until_s=0.3)
    assert [story.link for story in waiting] == [0, 1]
    assert [story.granted_s for story in waiting] == [story.released_s for story in held]


def test_of_two_returned_at_one_instant_the_second_is_closed_although_somebody_waits() -> None:
    """The first is still in the queue, on its way to the waiter it woke, and fills it."""
    rig = rig_of(SqlalchemyQueue(pool_size=1, max_overflow=1), rtt_s=0.0)
    for _ in range(2):
        rig.ask(0.0, 0.1)
    waiting = [rig.ask(0.01, 0.1) for _ in range(2)]
    rig.run(until_s=0.2)
    assert waiting[0].link == 0
    assert waiting[1].granted_s is None
    assert rig.wires[1].cause is Cause.OVERFLOW


class WatchesOverflow(Rig):
    """Checks each time a record is closed as surplus how many are idle."""

    def exchange(
        self, slot: Slot, step: Step, round_trips: int, within_s: float | None = None
    ) -> None:
        assert isinstance(slot, Record)
        assert isinstance(self.pool, SqlalchemyQueue)
        if slot.doing is Doing.CLOSE:
            assert self.idle_records >= self.pool.pool_size > 0
        super().exchange(slot, step, round_trips, within_s)

    @property
    def idle_records(self) -> int:
        """Idle records, those without a connection included."""
        assert isinstance(self.logic, QueuePoolLogic)
        return len(self.logic._idle)


@given(pool=small_pools("sqlalchemy"), schedule=schedules())
def test_a_connection_is_closed_as_overflow_only_when_pool_size_are_idle(
    pool: SqlalchemyQueue, schedule: Schedule
) -> None:
    schedule.drive(pool, make=WatchesOverflow)


def test_closing_an_overflow_connection_takes_a_round_trip_and_then_wakes_nobody() -> None:
    """Its place is taken until the server has answered; who queues meanwhile is forgotten.

    Measured with SQLAlchemy 2.1.9: room free after 0.1 s, the waiter served after its 5 s.
    """
    pool = SqlalchemyQueue(pool_size=1, max_overflow=1, pool_timeout=5.0)
    rig = rig_of(pool, rtt_s=0.1, warm=1)
    connect_s = CONNECT_S + POSTGRES_CONNECT_ROUND_TRIPS * 0.1
    rig.ask(0.0, 1.0)
    overflow = rig.ask(0.0, 2.0 - connect_s)
    takes_the_idle_one = rig.ask(2.02, 10.0)
    forgotten = rig.ask(2.05, 0.1)
    rig.run()
    assert overflow.available_s == pytest.approx(2.1)
    assert takes_the_idle_one.wait_s == 0.0
    assert forgotten.granted_s == pytest.approx(2.05 + 5.0 + connect_s)


def test_room_that_came_free_unnoticed_is_used_when_the_timeout_is_over() -> None:
    """A's connect fails at 0.05 s, W waits out its 2 s and only then connects."""
    pool = SqlalchemyQueue(pool_size=1, max_overflow=0, pool_timeout=2.0)
    rig = Rig(pool, connect_s=CONNECT_S, refuses=lambda number: number == 0)
    rig.start()
    failed, waiter = rig.ask(0.0, 0.1), rig.ask(0.01, 0.1)
    rig.run()
    assert failed.outcome is Outcome.CONNECT_REFUSED
    assert failed.rejected_s == pytest.approx(CONNECT_S)
    assert waiter.granted_s == pytest.approx(0.01 + 2.0 + CONNECT_S)


def test_a_refused_connect_is_told_to_its_requester_only() -> None:
    pool = SqlalchemyQueue(pool_size=3, max_overflow=0)
    rig = Rig(pool, connect_s=CONNECT_S, refuses=lambda number: number == 1)
    rig.start()
    stories = [rig.ask(0.0, 0.1) for _ in range(3)]
    rig.run()
    assert [story.outcome for story in stories] == [
        Outcome.OK,
        Outcome.CONNECT_REFUSED,
        Outcome.OK,
    ]


# ---- timeouts ------------------------------------------------------------------------------------


@given(timeout_s=st.floats(0.05, 1.0), hold_s=st.floats(0.01, 2.0))
def test_pool_timeout_covers_the_queue_alone(timeout_s: float, hold_s: float) -> None:
    """Connecting may take far longer than the timeout; waiting may not."""
    rig = rig_of(SqlalchemyQueue(pool_size=1, max_overflow=0, pool_timeout=timeout_s), rtt_s=1.0)
    connects = rig.ask(0.0, hold_s)
    rig.run()
    assert connects.outcome is Outcome.OK
    assert connects.wait_s > timeout_s
    holds, waits = rig.ask(100.0, hold_s), rig.ask(100.0, 0.1)
    rig.run()
    assert holds.outcome is Outcome.OK
    if hold_s > timeout_s:
        assert waits.outcome is Outcome.ACQUIRE_TIMEOUT
        assert waits.rejected_s == 100.0 + timeout_s
    elif hold_s < timeout_s:
        assert waits.wait_s == pytest.approx(hold_s)


def test_a_waiter_woken_and_robbed_at_its_last_moment_times_out() -> None:
    """At 0.75 s: the release wakes B, B's time is over, and C takes the connection."""
    rig = rig_of(SqlalchemyQueue(pool_size=1, max_overflow=0, pool_timeout=0.5), warm=1)
    rig.ask(0.0, 0.75)
    b = rig.ask(0.25, 0.1)
    rig.at(0.5, lambda: rig.ask(0.75, 10.0))
    rig.run()
    assert b.outcome is Outcome.ACQUIRE_TIMEOUT
    assert b.rejected_s == 0.75


# ---- which connection ----------------------------------------------------------------------------


@pytest.mark.parametrize(("lifo", "order"), [(False, [0, 1, 2, 0]), (True, [2, 2, 2, 2])])
def test_the_connection_idle_longest_is_lent_or_with_lifo_the_last_returned(
    lifo: bool, order: list[int]
) -> None:
    rig = rig_of(SqlalchemyQueue(pool_size=3, pool_use_lifo=lifo), warm=3)
    stories = [rig.ask(float(turn), 0.1) for turn in range(4)]
    rig.run()
    assert [story.link for story in stories] == order


# ---- recycle and pre-ping ------------------------------------------------------------------------


@given(age_s=st.integers(1, 20), at_s=st.floats(0.5, 25.0))
def test_a_connection_older_than_pool_recycle_is_replaced_at_its_checkout(
    age_s: int, at_s: float
) -> None:
    """Not before: recycling costs the requester a close and a connect."""
    rig = rig_of(SqlalchemyQueue(pool_size=1, max_overflow=0, pool_recycle=age_s), warm=1)
    story = rig.ask(at_s, 0.1)
    rig.run()
    if at_s > age_s:
        connect_s = CONNECT_S + POSTGRES_CONNECT_ROUND_TRIPS * RTT_S
        assert story.wait_s == pytest.approx(RTT_S + connect_s)
        assert rig.wires[0].cause is Cause.RECYCLE
    else:
        assert story.wait_s == 0.0
        assert rig.wires[0].cause is None


def test_a_connect_that_takes_longer_than_pool_recycle_is_repeated_once() -> None:
    """The clock of a record starts before its connect, and is looked at once, after it."""
    rig = rig_of(SqlalchemyQueue(pool_size=1, pool_recycle=1), connect_s=1.5, rtt_s=0.0)
    story = rig.ask(0.0, 0.1)
    rig.run()
    assert story.wait_s == pytest.approx(3.0)
    assert [wire.cause for wire in rig.wires] == [Cause.RECYCLE, None]


def test_pre_ping_costs_four_round_trips_the_first_time_and_then_three() -> None:
    rig = rig_of(SqlalchemyQueue(pool_size=1, max_overflow=0, pool_pre_ping=True), warm=1)
    stories = [rig.ask(float(turn), 0.1) for turn in range(3)]
    rig.run()
    assert [round(story.wait_s / RTT_S, 6) for story in stories] == [4.0, 3.0, 3.0]


def test_a_new_connection_is_not_pinged() -> None:
    rig = rig_of(SqlalchemyQueue(pool_size=1, pool_pre_ping=True))
    story = rig.ask(0.0, 0.1)
    rig.run()
    trips = POSTGRES_CONNECT_ROUND_TRIPS + INITIALISE_ROUND_TRIPS
    assert story.wait_s == pytest.approx(CONNECT_S + trips * RTT_S)
    assert Step.PING not in rig.wires[0].steps


def test_the_place_is_taken_while_its_connection_is_pinged() -> None:
    rig = rig_of(SqlalchemyQueue(pool_size=1, max_overflow=0, pool_pre_ping=True), warm=1)
    first, second = rig.ask(0.0, 0.1), rig.ask(0.0, 0.1)
    rig.run()
    assert first.granted_s == pytest.approx(4 * RTT_S)
    assert second.granted_s == pytest.approx(4 * RTT_S + 0.1 + 3 * RTT_S)


def test_one_failed_ping_condemns_every_connection_of_the_pool() -> None:
    """Observed with three connections of which one was killed: all three are replaced."""
    rig = rig_of(SqlalchemyQueue(pool_size=3, pool_pre_ping=True), warm=3)
    rig.kill(0.5, 0)
    stories = [rig.ask(1.0 + turn, 0.1) for turn in range(3)]
    rig.run()
    assert all(story.outcome is Outcome.OK for story in stories)
    causes = [rig.wires[number].cause for number in range(3)]
    assert causes == [Cause.DEAD, Cause.INVALIDATED, Cause.INVALIDATED]


def test_one_caller_alone_finds_a_dead_connection_and_the_pool_is_replaced() -> None:
    """Without pre-ping: the error is the caller's, the other connections are closed unused."""
    rig = rig_of(SqlalchemyQueue(pool_size=3), warm=3)
    holder = rig.ask(0.0, 1.0)
    rig.kill(0.5, 0)
    others = [rig.ask(2.0, 0.1) for _ in range(3)]
    rig.run()
    assert holder.outcome is Outcome.CONNECTION_LOST
    assert all(story.outcome is Outcome.OK for story in others)
    assert rig.count(Link.CLOSED) == 3


# ---- the first connect ---------------------------------------------------------------------------


def test_simultaneous_first_checkouts_wait_for_the_first_to_initialise() -> None:
    """All five at the same time, ten round trips later than a connect alone."""
    rig = rig_of(SqlalchemyQueue(pool_size=5))
    stories = [rig.ask(0.0, 0.1) for _ in range(5)]
    later = rig.ask(10.0, 0.1)
    rig.run()
    first_s = CONNECT_S + (POSTGRES_CONNECT_ROUND_TRIPS + INITIALISE_ROUND_TRIPS) * RTT_S
    assert [story.wait_s for story in stories] == pytest.approx([first_s] * 5)
    assert later.wait_s == 0.0


def test_a_cancelled_first_checkout_lets_the_next_initialise() -> None:
    rig = rig_of(SqlalchemyQueue(pool_size=2))
    initialises_at_s = CONNECT_S + POSTGRES_CONNECT_ROUND_TRIPS * RTT_S
    first = rig.ask(0.0, 0.1, give_up_after_s=initialises_at_s + 1.5 * RTT_S)
    second = rig.ask(0.0, 0.1)
    rig.run()
    assert first.outcome is Outcome.CANCELLED
    assert second.outcome is Outcome.OK


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [{"pool_size": 0}, {"max_overflow": -1}])
def test_no_limit_means_nobody_waits(pool: dict[str, int]) -> None:
    made = SqlalchemyQueue(**pool)  # type: ignore[arg-type]
    assert made.capacity is None
    rig = rig_of(made, rtt_s=0.0)
    stories = [rig.ask(0.0, 1.0) for _ in range(100)]
    rig.run()
    assert all(story.wait_s == pytest.approx(CONNECT_S) for story in stories)
    # Without a size nothing is ever closed; without an overflow limit pool_size are kept.
    assert rig.idle == (100 if made.pool_size == 0 else 5)


def test_recycle_at_once_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="pool_recycle must be -1"):
        SqlalchemyQueue(pool_recycle=0)


# ---- NullPool ------------------------------------------------------------------------------------


def test_null_pool_connects_for_each_request_and_closes_after_it() -> None:
    rig = rig_of(SqlalchemyNull())
    stories = [rig.ask(float(turn), 0.1) for turn in range(3)]
    rig.run()
    connect_s = CONNECT_S + POSTGRES_CONNECT_ROUND_TRIPS * RTT_S
    assert stories[0].wait_s == pytest.approx(connect_s + INITIALISE_ROUND_TRIPS * RTT_S)
    assert [story.wait_s for story in stories[1:]] == pytest.approx([connect_s] * 2)
    assert all(wire.cause is Cause.NOT_POOLED for wire in rig.wires)
    assert all(
        story.finished_s == pytest.approx((story.released_s or 0.0) + RTT_S) for story in stories
    )


@given(count=st.integers(1, 60))
def test_null_pool_never_makes_anybody_wait_for_another(count: int) -> None:
    rig = rig_of(SqlalchemyNull(), rtt_s=0.0)
    stories = [rig.ask(0.0, 5.0) for _ in range(count)]
    rig.run()
    assert all(story.wait_s == pytest.approx(CONNECT_S) for story in stories)
    assert rig.opened == count
