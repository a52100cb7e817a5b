"""What asyncpg and SQLAlchemy do that surprises, played by the simulation and by the library.

`both` plays a script on both sides and fails if they differ in anything; what is asserted
here is then true of the installed library and of the simulation alike.
"""

import math
from collections import Counter

import pytest

from pools.kinds import AsyncpgPool, SqlalchemyNull, SqlalchemyQueue
from pools.trace import Outcome, Trace
from sim.script import Ask, Costs, Kill, Loop, Outage, Script, Use
from tests.conformance.suite import both

MS = 0.001
RTT_S = 0.02
COSTS = Costs(latency_s=RTT_S / 2.0, connect_s=0.0, connect_jitter_s=(0.0, 1e-6, 2e-6))
NEAR = Costs(latency_s=0.05 * MS, connect_s=2.0 * MS)
OPEN_S = 5.0 * RTT_S
INITIALISE_S = 10.0 * RTT_S


def hold(seconds: float, **more: object) -> Use:
    """Hold a connection without a query."""
    return Use(seconds, **more)  # type: ignore[arg-type]


def waits(trace: Trace) -> list[float]:
    return [got - asked for got, asked in zip(trace.granted_s, trace.asked_s, strict=True)]


def warmed(pool: SqlalchemyQueue, count: int, at_s: float = 0.0) -> tuple[Ask, ...]:
    """Requests that leave `count` connections in the pool, all back within a second."""
    return tuple(Ask(at_s + 0.001 * n, hold(0.5 + 0.01 * n)) for n in range(count))


# Fact 1: room that comes free wakes nobody.


def test_a_failed_connect_frees_its_room_and_wakes_nobody() -> None:
    """The waiter sleeps for its whole pool_timeout and then connects instead of failing."""
    pool = SqlalchemyQueue(pool_size=1, max_overflow=0, pool_timeout=2.0)
    asks = (Ask(0.0, hold(0.1)), Ask(0.11, hold(0.1)))
    outage = Outage(-1.0, 0.3, after_s=0.5)
    trace = both(Script(pool, NEAR, asks=asks, outages=(outage,)))
    assert trace.outcome[0] == Outcome.CONNECT_REFUSED
    assert trace.released_s[0] == pytest.approx(0.5)
    assert trace.outcome[1] == Outcome.OK
    assert trace.opening_s[1] == pytest.approx(2.11)


def test_a_closed_overflow_connection_frees_its_room_and_wakes_nobody() -> None:
    """Room is free after one round trip; the waiter is served after pool_timeout."""
    pool = SqlalchemyQueue(pool_size=1, max_overflow=1, pool_timeout=5.0)
    first, surplus = Ask(0.0, hold(0.50)), Ask(0.001, hold(0.51))
    takes_idle, waits_in_vain = Ask(0.815, hold(60.0)), Ask(0.82, hold(0.1))
    trace = both(Script(pool, COSTS, asks=(first, surplus, takes_idle, waits_in_vain)))
    assert trace.closed_s[1] == pytest.approx(trace.released_s[1] + RTT_S)
    assert trace.closed_s[1] < 0.84
    assert trace.opening_s[2] == pytest.approx(5.82)


# Fact 2: an explicit close() in a loop starves everybody else.


def turns_of_four_loops(explicit: bool) -> list[int]:
    """Let four callers loop over one connection for half a second; count their checkouts.

    Each holds a few microseconds longer than the one before, which tells them apart.
    """
    pool = SqlalchemyQueue(pool_size=1, max_overflow=0)
    loops = tuple(
        Loop(n * 1e-4, (hold(0.6 * MS + n * 8e-6, explicit=explicit),), (0.0,), until_s=0.5)
        for n in range(4)
    )
    trace = both(Script(pool, NEAR, loops=loops))
    held = zip(trace.granted_s, trace.released_s, strict=True)
    counts = Counter(round((end - start - 0.6 * MS) / 8e-6) for start, end in held)
    return [counts[n] for n in range(4)]


def test_an_explicit_close_in_a_loop_starves_the_others() -> None:
    most, *others = turns_of_four_loops(explicit=True)
    assert most > 700
    assert others == [1, 1, 1]


def test_async_with_in_a_loop_rotates_perfectly() -> None:
    counts = turns_of_four_loops(explicit=False)
    assert max(counts) - min(counts) <= 1
    assert sum(counts) > 700


# Fact 5, the other side of it: asyncio.Queue passes a lost wake-up on.


@pytest.mark.parametrize(
    "pool",
    [
        SqlalchemyQueue(pool_size=1, max_overflow=0),
        AsyncpgPool(max_size=1, min_size=1),
    ],
    ids=lambda pool: pool.name,
)
def test_a_waiter_cancelled_as_it_is_woken_passes_the_wake_up_on(
    pool: SqlalchemyQueue | AsyncpgPool,
) -> None:
    """The releaser cancels the waiter that its own release has just woken."""
    asks = (
        Ask(0.0, hold(0.3, explicit=True), rival=1),
        Ask(0.1, hold(0.1)),
        Ask(0.2, hold(0.1)),
    )
    trace = both(Script(pool, NEAR, asks=asks))
    assert trace.outcome[1] == Outcome.CANCELLED
    assert trace.granted_s[2] < trace.returned_s[0] + 0.2 * MS


# Fact 6: what pre-ping costs, and what its failure does.


def test_a_ping_takes_four_round_trips_at_first_and_three_afterwards() -> None:
    pool = SqlalchemyQueue(pool_size=1, max_overflow=0, pool_pre_ping=True)
    asks = tuple(Ask(at_s, hold(0.1)) for at_s in (0.0, 2.0, 4.0, 6.0))
    found = waits(both(Script(pool, COSTS, asks=asks)))
    trips = [wait_s / RTT_S for wait_s in found]
    assert trips == pytest.approx([15.0, 4.0, 3.0, 3.0], abs=0.001)


def test_a_ping_after_five_minutes_has_to_prepare_and_to_close_its_statement() -> None:
    """asyncpg forgets prepared statements after 300 s."""
    pool = SqlalchemyQueue(pool_size=1, max_overflow=0, pool_pre_ping=True)
    asks = tuple(Ask(at_s, hold(0.1)) for at_s in (0.0, 2.0, 4.0, 306.0))
    found = waits(both(Script(pool, COSTS, asks=asks)))
    assert found[-1] / RTT_S == pytest.approx(5.0, abs=0.001)


def test_one_failed_ping_condemns_every_connection_of_the_pool() -> None:
    pool = SqlalchemyQueue(pool_size=3, max_overflow=0, pool_pre_ping=True)
    later = tuple(Ask(3.0 + 0.001 * n, hold(1.0)) for n in range(3))
    asks = (*warmed(pool, 3), *later)
    trace = both(Script(pool, COSTS, asks=asks, kills=(Kill(2.0, 0),)))
    assert trace.connection[:3].tolist() == [0, 1, 2]
    assert trace.connection[3:].tolist() == [3, 4, 5]
    assert trace.outcome.count(Outcome.OK) == 6


# Fact 7: the acquire timeout is the release timeout, too.


def test_a_reset_slower_than_the_acquire_timeout_fails_release_and_costs_the_connection() -> None:
    pool = AsyncpgPool(max_size=1, min_size=1)
    asks = (Ask(0.0, hold(0.1, timeout_s=RTT_S / 2.0)), Ask(0.5, hold(0.1)))
    trace = both(Script(pool, COSTS, asks=asks))
    assert trace.outcome[0] == Outcome.RELEASE_FAILED
    assert trace.returned_s[0] == pytest.approx(trace.released_s[0] + RTT_S / 2.0)
    assert trace.closed_s[0] == pytest.approx(trace.returned_s[0])


# Fact 8: min_size is a floor, idle dead connections are noticed, live ones are preferred.


def test_a_killed_idle_connection_is_replaced_at_once_up_to_min_size() -> None:
    pool = AsyncpgPool(max_size=5, min_size=2)
    trace = both(Script(pool, COSTS, asks=(Ask(5.0, hold(0.1)),), kills=(Kill(1.0, 0),)))
    assert trace.closed_s[0] == pytest.approx(1.0 + RTT_S / 2.0)
    assert trace.opening_s[2] == pytest.approx(trace.closed_s[0])
    assert len(trace.opening_s) == 3


def test_the_repair_of_the_floor_backs_off_while_the_server_is_down() -> None:
    """Tried at once, then after 1, 2 and 4 s; the last connect is the request's own."""
    pool = AsyncpgPool(max_size=1, min_size=1)
    script = Script(
        pool,
        NEAR,
        asks=(Ask(12.0, hold(0.1)),),
        kills=(Kill(1.0, 0),),
        outages=(Outage(0.5, 10.0),),
        lead_s=0.4,
    )
    trace = both(script)
    tries = trace.opening_s[1:].tolist()
    assert tries == pytest.approx([1.0, 2.0, 4.0, 8.0, 12.0], abs=2.0 * MS)


def test_surplus_connections_age_out_down_to_min_size_and_no_further() -> None:
    pool = AsyncpgPool(max_size=3, min_size=1, max_inactive_connection_lifetime=2.0)
    asks = (*(Ask(0.001 * n, hold(0.5)) for n in range(3)), Ask(10.0, hold(0.1)))
    trace = both(Script(pool, NEAR, asks=tuple(asks)))
    assert sum(not math.isnan(closed_s) for closed_s in trace.closed_s) == 2


def test_acquire_prefers_a_live_connection_over_a_holder_freed_later() -> None:
    """The second holder is freed last but empty; the first, live, is lent."""
    pool = AsyncpgPool(max_size=2, min_size=0)
    asks = (Ask(0.0, hold(0.5)), Ask(0.3, hold(1.0, timeout_s=0.05)), Ask(1.0, hold(0.1)))
    trace = both(Script(pool, COSTS, asks=asks))
    assert trace.outcome[1] == Outcome.ACQUIRE_TIMEOUT
    assert trace.connection[2] == trace.connection[0]


# Fact 9: the reset counts as a query.


def test_max_queries_is_reached_after_half_as_many_checkouts() -> None:
    pool = AsyncpgPool(max_size=1, min_size=1, max_queries=10)
    asks = tuple(Ask(0.1 * n, Use(0.0, work_s=MS)) for n in range(12))
    trace = both(Script(pool, NEAR, asks=asks))
    assert Counter(trace.connection) == {0: 6, 1: 6}


# Fact 10: the first connect initialises the dialect; whoever comes meanwhile waits for it.


@pytest.mark.parametrize(
    "pool", [SqlalchemyQueue(pool_size=5), SqlalchemyNull()], ids=lambda pool: pool.name
)
def test_cold_checkouts_all_wait_for_the_first_to_initialise(
    pool: SqlalchemyQueue | SqlalchemyNull,
) -> None:
    asks = tuple(Ask(n * 1e-5, hold(0.1)) for n in range(5))
    trace = both(Script(pool, COSTS, asks=asks))
    assert trace.granted_s.tolist() == pytest.approx([OPEN_S + INITIALISE_S] * 5, abs=MS)
    assert trace.opened_s.tolist() == pytest.approx([OPEN_S] * 5, abs=MS)


# Fact 11: a new record is tested after its connect, by a clock that started before it.


def test_an_invalidation_during_a_slow_connect_makes_it_connect_twice() -> None:
    """One connection is found dead in use while another is being opened."""
    pool = SqlalchemyQueue(pool_size=2, max_overflow=0)
    finds_it_dead = Ask(1.0, Use(0.5, work_s=MS))
    opens = Ask(1.45, hold(0.1))
    script = Script(
        pool,
        Costs(latency_s=RTT_S / 2.0, connect_s=0.3),
        asks=(Ask(-2.0, hold(0.1)), finds_it_dead, opens),
        kills=(Kill(1.2, 0),),
        lead_s=3.0,
    )
    trace = both(script)
    assert trace.outcome.tolist() == [Outcome.OK, Outcome.CONNECTION_LOST, Outcome.OK]
    assert trace.connection[2] == 2
    assert trace.closed_s[1] == pytest.approx(trace.opened_s[1] + RTT_S)


def test_a_connect_slower_than_pool_recycle_is_done_twice() -> None:
    pool = SqlalchemyQueue(pool_size=1, max_overflow=0, pool_recycle=1)
    trace = both(Script(pool, Costs(latency_s=MS, connect_s=1.2), asks=(Ask(0.0, hold(0.1)),)))
    assert len(trace.opening_s) == 2
    assert trace.connection[0] == 1


# More of what the state machines say.


def test_pool_timeout_covers_the_queue_only() -> None:
    """A connect of 1.5 s is no reason to fail with a pool_timeout of 0.2 s."""
    pool = SqlalchemyQueue(pool_size=1, max_overflow=0, pool_timeout=0.2)
    trace = both(Script(pool, Costs(latency_s=MS, connect_s=1.5), asks=(Ask(0.0, hold(0.1)),)))
    assert trace.outcome[0] == Outcome.OK


def test_waiters_of_asyncpg_fail_one_after_another_while_the_server_is_down() -> None:
    """Two holders, six callers: each failed connect hands its holder to the next waiter."""
    pool = AsyncpgPool(max_size=2, min_size=0)
    asks = tuple(Ask(n * MS, hold(0.1)) for n in range(6))
    outage = Outage(-1.0, 5.0, after_s=0.02)
    trace = both(Script(pool, NEAR, asks=asks, outages=(outage,)))
    assert trace.outcome.tolist() == [Outcome.CONNECT_REFUSED] * 6
    expected = [0.020, 0.021, 0.040, 0.041, 0.060, 0.061]
    assert trace.released_s.tolist() == pytest.approx(expected, abs=0.1 * MS)


def test_a_query_cancelled_in_asyncpg_leaves_its_connection_in_the_pool() -> None:
    """A CancelRequest on a connection of its own takes three round trips, the reset one."""
    pool = AsyncpgPool(max_size=1, min_size=1)
    asks = (Ask(0.0, Use(0.0, work_s=10.0), cancel_s=0.5), Ask(0.6, hold(0.1)))
    trace = both(Script(pool, COSTS, asks=asks))
    assert trace.outcome.tolist() == [Outcome.CANCELLED, Outcome.OK]
    assert trace.returned_s[0] == pytest.approx(0.5 + 4.0 * RTT_S)
    assert trace.connection[1] == trace.connection[0]


def test_a_query_cancelled_in_sqlalchemy_costs_its_connection() -> None:
    pool = SqlalchemyQueue(pool_size=1, max_overflow=0)
    asks = (Ask(0.0, Use(0.0, work_s=10.0), cancel_s=0.5), Ask(0.6, hold(0.1)))
    trace = both(Script(pool, COSTS, asks=asks))
    assert trace.closed_s[0] == pytest.approx(0.5 + 4.0 * RTT_S)
    assert trace.connection[1] == 1


def test_a_dead_connection_found_in_use_condemns_the_pool_so_that_one_caller_fails() -> None:
    """With three dead connections only the first caller fails."""
    pool = SqlalchemyQueue(pool_size=3, max_overflow=0)
    later = tuple(Ask(3.0 + 0.1 * n, Use(1.0, work_s=MS)) for n in range(3))
    kills = tuple(Kill(2.0 + 0.001 * n, 0) for n in range(3))
    trace = both(Script(pool, NEAR, asks=(*warmed(pool, 3), *later), kills=kills))
    assert trace.outcome[3:].tolist() == [Outcome.CONNECTION_LOST, Outcome.OK, Outcome.OK]


def test_connections_beyond_max_connections_are_refused_after_authentication() -> None:
    """The refusal takes as long as the connect would have taken."""
    asks = tuple(Ask(n * MS, hold(1.0)) for n in range(3))
    costs = Costs(latency_s=RTT_S / 2.0, connect_s=0.01, slots=2)
    trace = both(Script(SqlalchemyNull(), costs, asks=asks))
    assert trace.outcome.tolist() == [Outcome.OK, Outcome.OK, Outcome.CONNECT_REFUSED]
    assert trace.released_s[2] - trace.asked_s[2] == pytest.approx(OPEN_S + 0.01, abs=MS)
