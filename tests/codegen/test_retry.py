"""The generated retry: again when the connection is lost, and never otherwise."""

import asyncio
import types
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import asyncpg
import httpx
import psycopg
import pytest
import stamina
from aiohttp import web
from aiohttp.test_utils import TestServer
from psycopg_pool import PoolTimeout, TooManyRequests
from sqlalchemy import exc, text

from sim.query import parse
from tests.codegen.conftest import Database, Website
from tests.codegen.support import module_for

pytestmark = pytest.mark.server

ONE = {
    "sqlalchemy": "pool_size=1&max_overflow=0&pool_timeout=0.2",
    "asyncpg": "min_size=1&max_size=1&acquire_timeout=5",
    "psycopg": "min_size=1&max_size=1&timeout=5",
}
FAILURES = (exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, psycopg.Error)
Run = Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _without_pauses() -> Iterator[None]:
    """Keep the attempts that the code asks for, without the pauses between them."""
    with stamina.set_testing(True, attempts=3):
        yield


def opener(made: types.ModuleType) -> Any:
    return made.open_pool() if hasattr(made, "open_pool") else made.open_sessions()


async def value(connection: Any, statement: str) -> Any:
    if hasattr(connection, "fetchval"):
        return await connection.fetchval(statement)
    if hasattr(connection, "scalar"):
        return await connection.scalar(text(statement))
    [found] = await (await connection.execute(statement)).fetchone()
    return found


async def backend(connection: Any) -> int:
    return int(await value(connection, "SELECT pg_backend_pid()"))


@pytest.mark.parametrize("kind", ONE)
async def test_work_is_done_again_on_another_connection(database: Database, kind: str) -> None:
    made, seen = module_for(parse(f"kind={kind}&{ONE[kind]}"), "retry"), []

    async def work(connection: Any) -> str:
        seen.append(await backend(connection))
        if len(seen) == 1:
            await database.end(seen[0])
        await backend(connection)
        return "done"

    async with opener(made) as source:
        assert await made.run(source, work) == "done"
    assert len(set(seen)) == 2


@pytest.mark.parametrize("kind", ONE)
async def test_connection_lost_every_time_is_given_up(database: Database, kind: str) -> None:
    made, seen = module_for(parse(f"kind={kind}&{ONE[kind]}"), "retry"), []

    async def work(connection: Any) -> None:
        seen.append(await backend(connection))
        await database.end(seen[-1])
        await backend(connection)

    async with opener(made) as source:
        with pytest.raises(FAILURES):
            await made.run(source, work)
    assert len(set(seen)) == 3


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ONE)
async def test_work_is_undone_before_it_is_done_again(kind: str) -> None:
    made = module_for(parse(f"kind={kind}&{ONE[kind]}"), "retry")

    async def work(connection: Any) -> str:
        if kind == "psycopg":
            assert not connection.autocommit
        elif kind == "asyncpg":
            assert connection.is_in_transaction()
        else:
            assert connection.in_transaction()
        return str(await value(connection, "SELECT pg_current_xact_id_if_assigned()::text"))

    async with opener(made) as source:
        assert await made.run(source, work) == "None"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ONE)
@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT nothing", "SELECT pg_sleep(9)"])
async def test_failure_that_is_no_loss_is_not_repeated(kind: str, statement: str) -> None:
    made, times = module_for(parse(f"kind={kind}&{ONE[kind]}"), "retry"), Counter[str]()

    async def work(connection: Any) -> None:
        times["done"] += 1
        run = connection.execute
        shown = text if kind == "sqlalchemy" else str
        await run(shown("SET LOCAL statement_timeout = 50"))
        await run(shown(statement))

    async with opener(made) as source:
        with pytest.raises(FAILURES):
            await made.run(source, work)
    assert times["done"] == 1


@pytest.mark.usefixtures("database")
async def test_full_pool_is_not_asked_again() -> None:
    made = module_for(parse(f"kind=sqlalchemy&{ONE['sqlalchemy']}"), "retry")
    async with made.open_sessions() as sessions, sessions() as holder:
        await backend(holder)
        with pytest.raises(exc.TimeoutError):
            await made.run(sessions, backend)
        assert not made.is_connection_loss(exc.TimeoutError("full"))


@pytest.mark.usefixtures("database")
async def test_full_psycopg_pool_is_not_asked_again() -> None:
    made = module_for(parse("kind=psycopg&min_size=1&max_size=1&timeout=0.2"), "retry")
    async with made.open_pool() as pool, made.acquire(pool):
        with pytest.raises(PoolTimeout):
            await made.run(pool, backend)
    for refused in (PoolTimeout("full"), TooManyRequests("full"), psycopg.errors.QueryCanceled()):
        assert not made.is_connection_loss(refused)
    starting = psycopg.errors.CannotConnectNow("starting up")
    assert made.is_connection_loss(starting)


async def test_server_that_is_starting_up_is_asked_again() -> None:
    for kind in ("sqlalchemy", "asyncpg"):
        made = module_for(parse(f"kind={kind}"), "retry")
        assert made.is_connection_loss(asyncpg.CannotConnectNowError("starting up"))
        assert made.is_connection_loss(ConnectionRefusedError())
        assert not made.is_connection_loss(asyncpg.TooManyConnectionsError("full"))
        assert not made.is_connection_loss(TimeoutError())
        assert not made.is_connection_loss(ValueError())


@pytest.mark.parametrize("kind", ["aiohttp", "httpx"])
async def test_cut_response_is_fetched_again_and_an_error_status_is_not(kind: str) -> None:
    asked = Counter[str]()

    async def cut(request: web.Request) -> web.StreamResponse:
        asked["cut"] += 1
        if asked["cut"] < 3:
            response = web.StreamResponse(headers={"Content-Length": "99"})
            await response.prepare(request)
            await response.write(b"half")
            assert request.transport is not None
            request.transport.abort()
            return response
        return web.Response(text="whole")

    async def fail(_: web.Request) -> web.Response:
        asked["fail"] += 1
        return web.Response(status=503)

    application = web.Application()
    application.router.add_get("/cut", cut)
    application.router.add_get("/fail", fail)
    made = module_for(parse(f"kind={kind}"), "retry")
    async with TestServer(application) as running, made.open_http() as http:
        assert await made.fetch(http, str(running.make_url("/cut"))) == b"whole"
        with pytest.raises((aiohttp.ClientResponseError, httpx.HTTPStatusError)):
            await made.fetch(http, str(running.make_url("/fail")))
    assert asked == {"cut": 3, "fail": 1}


async def test_closed_port_is_tried_as_often_as_the_code_says(website: Website) -> None:
    made = module_for(parse("kind=aiohttp"), "retry")
    assert website.url
    async with made.open_http() as http, asyncio.timeout(20):
        with pytest.raises(aiohttp.ClientConnectorError):
            await made.fetch(http, "http://127.0.0.1:1/")
    assert made.is_connection_loss(aiohttp.ServerDisconnectedError())
    assert not made.is_connection_loss(aiohttp.InvalidURL("x"))


async def test_refused_connection_is_a_loss_for_httpx_and_a_wrong_name_is_not() -> None:
    made = module_for(parse("kind=httpx"), "retry")
    async with made.open_http() as http, asyncio.timeout(20):
        with pytest.raises(httpx.ConnectError) as refused:
            await made.fetch(http, "http://127.0.0.1:1/")
        with pytest.raises(httpx.ConnectError) as unknown:
            await made.fetch(http, "http://no-such-host.invalid/")
    assert made.is_connection_loss(refused.value)
    assert not made.is_connection_loss(unknown.value)
    assert not made.is_connection_loss(httpx.PoolTimeout("full"))
