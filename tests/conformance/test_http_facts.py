"""What aiohttp and httpx do that surprises, played by the simulation and by the library alike."""

import dataclasses
import math
from collections import Counter

import pytest

import pools.twin.play
import sim.play
from pools.kinds import AiohttpConnector
from pools.kinds.httpx import HttpxPool
from pools.trace import Outcome, Trace
from sim.script import Ask, Costs, Kill, Loop, Script, Use
from tests.conformance.compare import differences

COSTS = Costs(latency_s=0.001, connect_s=0.01)
MS = 0.001


def both(script: Script) -> Trace:
    """Play a script on both sides; they must agree."""
    simulated, real = sim.play.play(script), pools.twin.play.play(script)
    assert differences(simulated, real) == []
    return real


def use(work_s: float, host: int = 0, **more: object) -> Use:
    return Use(0.0, work_s, host=host, **more)  # type: ignore[arg-type]


def served(trace: Trace, starts_s: tuple[float, ...]) -> list[int]:
    """Count the answers of looping callers of equal uses; who is who follows from the times."""
    return sorted(Counter(owners(trace, starts_s)).values(), reverse=True)


def owners(trace: Trace, starts_s: tuple[float, ...]) -> list[int]:
    """Tell for each answered request whose it is: a caller asks again when its last ends."""
    next_s = dict(enumerate(starts_s))
    found = []
    for row, asked_s in enumerate(trace.asked_s):
        owner = min(next_s, key=lambda caller: abs(next_s[caller] - asked_s))
        assert next_s[owner] == pytest.approx(asked_s, abs=1e-5)
        next_s[owner] = trace.released_s[row]
        if trace.outcome[row] == Outcome.OK:
            found.append(owner)
    return found


def looping(pool: AiohttpConnector | HttpxPool, think_s: float = 0.0) -> list[int]:
    """Let four callers loop over one connection for 2 s; return how often each was served."""
    starts_s = tuple(0.0001 * number for number in range(4))
    loops = tuple(Loop(at_s, (use(1.3 * MS),), (think_s,), until_s=2.0) for at_s in starts_s)
    return served(both(Script(pool, COSTS, loops=loops, limit_s=100.0)), starts_s)


def test_a_tight_loop_has_the_connection_of_aiohttp_to_itself() -> None:
    """Fact 3: limit 1, four loops; the other three are served when the day is over."""
    assert looping(AiohttpConnector(limit=1)) == [pytest.approx(600, abs=20), 1, 1, 1]


def test_a_pause_between_requests_restores_the_rotation() -> None:
    """Fact 3: any pause lets the woken waiter go first."""
    counts = looping(AiohttpConnector(limit=1), think_s=1e-6)
    assert max(counts) - min(counts) <= 2


def test_aiohttp_3_10_rotated_perfectly() -> None:
    """Fact 3, the other side of it: by the simulation alone, unless 3.10 is installed."""
    starts_s = tuple(0.0001 * number for number in range(4))
    loops = tuple(Loop(at_s, (use(1.3 * MS),), (0.0,), until_s=2.0) for at_s in starts_s)
    pool = AiohttpConnector(limit=1, version="3.10")
    trace = sim.play.play(Script(pool, COSTS, loops=loops, limit_s=100.0))
    counts = served(trace, starts_s)
    assert max(counts) - min(counts) <= 2


def test_a_tight_loop_has_the_connection_of_httpx_to_itself() -> None:
    assert looping(HttpxPool(max_connections=1, pool_timeout=0.0))[1:] == [1, 1, 1]


def test_in_use_exceeds_limit_when_an_idle_connection_to_another_host_is_used_again() -> None:
    """Fact 4: limit 1, hosts A and B; an idle connection is lent without a look at the limit."""
    asks = (
        Ask(0.0, use(10 * MS, host=0)),
        Ask(0.1, use(500 * MS, host=1)),
        Ask(0.2, use(100 * MS, host=0)),
    )
    trace = both(Script(AiohttpConnector(limit=1), COSTS, asks=asks))
    assert trace.granted_s[2] == pytest.approx(0.2)
    assert trace.connection[2] == trace.connection[0]
    assert trace.granted_s[2] < trace.released_s[1]


def test_open_sockets_exceed_limit_by_those_that_are_idle() -> None:
    """Fact 4: limit 2 and six hosts, one after the other: six sockets stay open."""
    asks = tuple(Ask(0.1 * host, use(10 * MS, host=host)) for host in range(6))
    trace = both(Script(AiohttpConnector(limit=2), COSTS, asks=asks))
    assert len(trace.opening_s) == 6
    assert all(math.isnan(closed_s) for closed_s in trace.closed_s)


def lost_wake_up(pool: AiohttpConnector | HttpxPool) -> Trace:
    """One connection; its user, when done, cancels the waiter that was just woken.

    Another waits behind that one; a third request comes much later.
    """
    asks = (
        Ask(0.0, use(100 * MS), rival=1),
        Ask(0.01, use(10 * MS)),
        Ask(0.02, use(10 * MS)),
        Ask(20.0, use(10 * MS)),
    )
    return both(Script(pool, COSTS, asks=asks))


def test_aiohttp_loses_a_wake_up_when_the_woken_waiter_is_cancelled() -> None:
    """Fact 5: the next waiter sleeps on with the connection idle, until somebody else is done."""
    trace = lost_wake_up(AiohttpConnector(limit=1, keepalive_timeout=60.0))
    assert trace.outcome[1] == Outcome.CANCELLED
    assert trace.released_s[0] == pytest.approx(0.114)
    # The newcomer is served first, from the idle connection; its end wakes the sleeper.
    assert trace.granted_s[3] == pytest.approx(20.0)
    assert trace.granted_s[2] == pytest.approx(20.012)


def test_httpx_passes_the_connection_on_when_the_woken_request_is_cancelled() -> None:
    trace = lost_wake_up(HttpxPool(max_connections=1, keepalive_expiry=60.0))
    assert trace.granted_s[2] == trace.released_s[0]


def test_httpx_loses_a_place_when_a_request_about_to_connect_is_cancelled() -> None:
    """Its place is taken by a connection that nobody opens or removes: max_connections shrinks."""
    asks = (
        Ask(0.0, use(100 * MS, closes=True), rival=1),
        Ask(0.01, use(10 * MS)),
        Ask(0.02, use(10 * MS)),
        Ask(20.0, use(10 * MS)),
    )
    trace = both(Script(HttpxPool(max_connections=1), COSTS, asks=asks))
    assert trace.outcome[1] == Outcome.CANCELLED
    assert list(trace.outcome[2:]) == [Outcome.ACQUIRE_TIMEOUT, Outcome.ACQUIRE_TIMEOUT]
    assert len(trace.opening_s) == 1


@pytest.mark.parametrize(("timeout_s", "waits_s"), [(4.9, 4.9), (5.0, 5.0), (5.1, 5.7), (6.0, 6.7)])
def test_connect_timeout_above_5_s_ends_at_a_whole_second_of_the_clock(
    timeout_s: float, waits_s: float
) -> None:
    """ClientTimeout.connect covers the queue. The request asks 0.3 s after a whole second."""
    asks = (Ask(0.0, use(60.0)), Ask(0.3, use(1.0)))
    pool = AiohttpConnector(limit=1, connect_timeout=timeout_s)
    trace = both(Script(pool, COSTS, asks=asks, clock_s=1000.0, lead_s=1.0))
    assert trace.outcome[1] == Outcome.ACQUIRE_TIMEOUT
    assert trace.released_s[1] - trace.asked_s[1] == pytest.approx(waits_s)


def test_idle_connections_are_used_oldest_first() -> None:
    """Since 3.11: load spreads over all sockets, and none ages out under light load."""
    asks = tuple(Ask(0.001 * number, use(50 * MS)) for number in range(3)) + tuple(
        Ask(1.0 + number, use(10 * MS)) for number in range(6)
    )
    trace = both(Script(AiohttpConnector(), COSTS, asks=asks))
    assert list(trace.connection[3:]) == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(("keepalive_s", "closed_s"), [(2.0, 4.0), (7.0, 15.0)])
def test_an_idle_connection_lives_up_to_twice_keepalive_timeout(
    keepalive_s: float, closed_s: float
) -> None:
    """The clean-up runs once in keepalive_timeout, rounded up to a whole second from 5 s."""
    asks = (Ask(0.0, use(236 * MS)), Ask(0.5, use(736 * MS)))
    pool = AiohttpConnector(keepalive_timeout=keepalive_s)
    trace = both(Script(pool, COSTS, asks=asks, drain_s=60.0))
    first_s = trace.released_s[0]
    assert trace.connection[1] == trace.connection[0]
    assert trace.closed_s[0] == pytest.approx(closed_s + (first_s if keepalive_s < 5.0 else 0.0))


def test_a_get_whose_connection_dies_is_sent_again_in_silence() -> None:
    asks = (Ask(0.0, use(500 * MS)), Ask(0.001, use(500 * MS, idempotent=False)))
    kills = (Kill(0.1, 0), Kill(0.1001, 0))
    trace = both(Script(AiohttpConnector(), COSTS, asks=asks, kills=kills))
    assert list(trace.outcome) == [Outcome.OK, Outcome.CONNECTION_LOST]
    assert trace.granted_s[0] > 0.1
    assert trace.connection[0] == 2


def test_a_get_is_sent_again_only_once() -> None:
    kills = (Kill(0.1, 0), Kill(0.2, 0))
    trace = both(Script(AiohttpConnector(), COSTS, asks=(Ask(0.0, use(0.5)),), kills=kills))
    assert list(trace.outcome) == [Outcome.CONNECTION_LOST]
    assert len(trace.opening_s) == 2


def test_a_server_that_hangs_up_first_costs_a_request() -> None:
    """A request that is under way when the server's keep-alive ends; a GET survives it."""
    costs = dataclasses.replace(COSTS, latency_s=0.01, keep_alive_s=5.0)
    asks = (Ask(0.0, use(10 * MS)), Ask(5.055, use(10 * MS, idempotent=False)))
    trace = both(Script(AiohttpConnector(keepalive_timeout=15.0), costs, asks=asks))
    assert trace.outcome[1] == Outcome.CONNECTION_LOST
    shorter = both(Script(AiohttpConnector(keepalive_timeout=4.0), costs, asks=asks))
    assert shorter.outcome[1] == Outcome.OK


def test_httpx_closes_each_connection_above_max_keepalive_connections() -> None:
    """Busy connections count too: with 21 in use and the default of 20, each release closes one."""
    loops = tuple(
        Loop(0.0001 * number, (use(50 * MS),), (0.005,), until_s=1.0) for number in range(22)
    )
    crowded = both(Script(HttpxPool(), COSTS, loops=loops))
    calm = both(Script(HttpxPool(), COSTS, loops=loops[:20]))
    assert len(calm.opening_s) == 20
    assert len(crowded.opening_s) > 4 * 22


def test_the_pool_timeout_of_httpx_begins_afresh_at_each_release() -> None:
    """A waiter behind a loop that never lets go outlasts its timeout many times over."""
    loop = Loop(0.0, (use(30 * MS),), (0.0,), until_s=5.0)
    waits = Ask(0.01, use(10 * MS))
    pool = HttpxPool(max_connections=1, pool_timeout=0.1)
    trace = both(Script(pool, COSTS, asks=(waits,), loops=(loop,)))
    row = next(row for row, at_s in enumerate(trace.asked_s) if at_s == pytest.approx(0.01))
    assert trace.outcome[row] == Outcome.OK
    assert trace.granted_s[row] - trace.asked_s[row] > 4.9


def test_httpx_notices_a_dead_idle_connection_when_it_is_used_next() -> None:
    asks = (Ask(0.0, use(10 * MS)), Ask(3.0, use(10 * MS)))
    trace = both(Script(HttpxPool(), COSTS, asks=asks, kills=(Kill(1.0, 0),)))
    assert trace.closed_s[0] == pytest.approx(3.0)
    assert list(trace.outcome) == [Outcome.OK, Outcome.OK]


def test_httpx_repeats_nothing() -> None:
    trace = both(Script(HttpxPool(), COSTS, asks=(Ask(0.0, use(0.5)),), kills=(Kill(0.1, 0),)))
    assert list(trace.outcome) == [Outcome.CONNECTION_LOST]
