"""The PostgreSQL in memory, spoken to by asyncpg itself."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from pools.twin.asyncpg import connect_arguments, listen
from pools.twin.clock import VirtualLoop, run
from pools.twin.network import Network
from pools.twin.postgres import VERSION, PostgresServer
from sim.script import Costs

LATENCY_S = 0.25
RTT_S = 0.5
START_S = 1000.0
OPENED: list[Any] = []


def with_server(
    act: Callable[[VirtualLoop, PostgresServer], Awaitable[Any]],
    *,
    slots: float = math.inf,
    connect_s: float = 0.0,
    cores: int = 1,
    scram: bool = True,
) -> Any:
    """Run `act` beside a server and return what it returns."""

    async def main(loop: VirtualLoop) -> Any:
        costs = Costs(LATENCY_S, connect_s, slots=slots, cores=cores)
        loop.network = Network(loop, LATENCY_S)
        server = PostgresServer(loop.network, costs, scram=scram, iterations=4096)
        listen(loop.network, server, 1)
        result = await act(loop, server)
        while server.live:
            server.kill(0)
        await asyncio.sleep(1.0)
        OPENED.clear()
        return result

    return run(main, START_S)


async def connect(**more: Any) -> Any:
    """Connect; the connection is kept until the server drops it."""
    made = await asyncpg.connect(**(connect_arguments(0) | more))
    OPENED.append(made)
    return made


async def took_s(loop: VirtualLoop, act: Awaitable[Any]) -> float:
    began_s = loop.time()
    await act
    return loop.time() - began_s


@pytest.mark.parametrize(
    ("scram", "ssl", "round_trips"),
    [(True, "prefer", 5), (True, False, 4), (False, "prefer", 3), (False, False, 2)],
)
def test_a_connect_takes_as_many_round_trips_as_on_the_wire(
    scram: bool, ssl: object, round_trips: int
) -> None:
    """TCP, SSLRequest, startup, and two for SCRAM; and the server's own time."""

    async def act(loop: VirtualLoop, _: PostgresServer) -> float:
        return await took_s(loop, connect(ssl=ssl))

    assert with_server(act, scram=scram, connect_s=0.125) == round_trips * RTT_S + 0.125


def test_a_wrong_password_is_refused() -> None:
    async def act(_: VirtualLoop, __: PostgresServer) -> None:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(password="wrong")

    with_server(act)


def test_the_server_has_a_version_that_drivers_read() -> None:
    async def act(_: VirtualLoop, __: PostgresServer) -> tuple[Any, Any]:
        made = await connect()
        return made.get_server_version(), await made.fetchval("select pg_catalog.version()")

    numbers, text = with_server(act)
    assert f"{numbers.major}.{numbers.micro}" == VERSION
    assert text.startswith(f"PostgreSQL {VERSION} ")


def test_queries_take_round_trips_and_the_time_they_name() -> None:
    """Simple: 1. Prepared: 2 the first time, 1 afterwards."""

    async def act(loop: VirtualLoop, _: PostgresServer) -> list[float]:
        made = await connect()
        work = "SELECT work($1, $2)"
        return [
            await took_s(loop, made.execute("SELECT work(0.0, 2.0)")),
            await took_s(loop, made.fetchval(work, 0.0, 2.0)),
            await took_s(loop, made.fetchval(work, 0.0, 2.0)),
            await took_s(loop, made.execute("BEGIN")),
        ]

    assert with_server(act) == [2.5, 3.0, 2.5, 0.5]


def test_computing_queries_share_the_cores() -> None:
    """Two queries of 2 s on one core take 4 s, on two cores 2 s."""

    async def act(loop: VirtualLoop, _: PostgresServer) -> float:
        first, second = await connect(), await connect()
        both = asyncio.gather(*(one.execute("SELECT work(2.0, 0.0)") for one in (first, second)))
        return await took_s(loop, both)

    assert with_server(act, cores=1) == pytest.approx(4.5)
    assert with_server(act, cores=2) == pytest.approx(2.5)


def test_a_transaction_s_state_is_reported() -> None:
    async def act(_: VirtualLoop, __: PostgresServer) -> list[bool]:
        made = await connect()
        states = [made.is_in_transaction()]
        for statement in ("BEGIN", "SELECT work(0.0, 0.1)", "COMMIT", "BEGIN", "ROLLBACK"):
            await made.execute(statement)
            states.append(made.is_in_transaction())
        return states

    assert with_server(act) == [False, True, True, False, True, False]


def test_a_cancelled_query_ends_after_three_round_trips_and_the_connection_lives() -> None:
    async def act(loop: VirtualLoop, server: PostgresServer) -> float:
        made = await connect()
        with pytest.raises(TimeoutError):
            await made.execute("SELECT work(0.0, 60.0)", timeout=1.0)
        taken_s = await took_s(loop, made.fetchval("show transaction isolation level"))
        assert len(server.live) == 1
        return taken_s

    assert with_server(act) == pytest.approx(3 * RTT_S + 2 * RTT_S)


def test_a_query_cancelled_while_it_computes_leaves_the_cores_to_others() -> None:
    async def act(loop: VirtualLoop, _: PostgresServer) -> float:
        stays, goes = await connect(), await connect()
        query = loop.create_task(stays.execute("SELECT work(4.0, 0.0)"))
        with pytest.raises(TimeoutError):
            await goes.execute("SELECT work(60.0, 0.0)", timeout=1.0)
        return await took_s(loop, query) + 1.0

    # Both begin at 0.25; the CancelRequest arrives at 2.25. Half of those 2 s are done.
    assert with_server(act) == pytest.approx(2.25 + 3.0 + LATENCY_S)


def test_a_killed_connection_is_noticed_at_once_and_fails_what_is_under_way() -> None:
    async def act(loop: VirtualLoop, server: PostgresServer) -> tuple[float, bool]:
        made = await connect()
        loop.call_later(1.0, server.kill, 0)
        began_s = loop.time()
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await made.execute("SELECT work(0.0, 60.0)")
        return loop.time() - began_s, made.is_closed()

    assert with_server(act) == (1.0 + LATENCY_S, True)


def test_the_connection_beyond_the_limit_is_refused_and_a_closed_one_makes_room() -> None:
    async def act(_: VirtualLoop, server: PostgresServer) -> int:
        first = await connect()
        with pytest.raises(asyncpg.TooManyConnectionsError, match="SUPERUSER"):
            await connect()
        await first.close()
        await connect()
        return len(server.live)

    assert with_server(act, slots=1) == 1


def test_a_client_that_vanishes_keeps_its_slot_until_its_query_ends() -> None:
    async def act(loop: VirtualLoop, server: PostgresServer) -> list[int]:
        made = await connect()
        query = loop.create_task(made.execute("SELECT work(0.0, 5.0)"))
        await asyncio.sleep(1.0)
        made.terminate()
        await asyncio.gather(query, return_exceptions=True)
        counts = []
        for pause_s in (1.0, 4.0):
            await asyncio.sleep(pause_s)
            counts.append(len(server.live))
        return counts

    assert with_server(act) == [1, 0]


def test_closing_takes_a_round_trip() -> None:
    async def act(loop: VirtualLoop, server: PostgresServer) -> float:
        made = await connect()
        taken_s = await took_s(loop, made.close())
        assert server.live == []
        return taken_s

    assert with_server(act) == RTT_S
