"""The generated engine and pool, run against a real PostgreSQL: connect, queue, time out, close."""

import asyncio
import types
from typing import Any

import asyncpg
import pytest
import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pools.codegen import generate
from sim.query import parse
from tests.codegen.conftest import Database
from tests.codegen.support import module_for, module_of

pytestmark = pytest.mark.server

SETTINGS = """
SELECT current_setting('application_name'), current_setting('statement_timeout'),
       current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')
"""
EXPECTED = ("generated code", "30s", "5s", "1min")
ENGINES = ["kind=sqlalchemy", "kind=sqlalchemy-null"]
ONE_CONNECTION = "kind=sqlalchemy&pool_size=1&max_overflow=0&pool_timeout=0.2"
ONE_PATIENT = "kind=sqlalchemy&pool_size=1&max_overflow=0&pool_timeout=60"
PRE_PING = "kind=sqlalchemy&pool_size=1&max_overflow=0&pool_pre_ping=true"
SMALL_POOL = "kind=asyncpg&min_size=1&max_size=1"


def engine_code(query: str) -> types.ModuleType:
    return module_for(parse(query), "engine")


def pool_code(query: str) -> types.ModuleType:
    return module_for(parse(query), "asyncpg")


async def pid(session: AsyncSession) -> Any:
    return await session.scalar(text("SELECT pg_backend_pid()"))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("query", ENGINES)
async def test_engine_connects_with_its_server_settings(query: str) -> None:
    async with engine_code(query).open_sessions() as sessions, sessions() as session:
        assert tuple((await session.execute(text(SETTINGS))).one()) == EXPECTED


@pytest.mark.parametrize("query", ENGINES)
async def test_engine_closes_every_connection_at_shutdown(database: Database, query: str) -> None:
    engine = engine_code(query)
    async with engine.open_sessions() as sessions, sessions() as first, sessions() as second:
        assert await pid(first) != await pid(second)
        assert await database.comes_to(2)
    assert await database.comes_to(0)


@pytest.mark.usefixtures("database")
async def test_engine_queues_for_its_only_connection() -> None:
    async with engine_code(ONE_PATIENT).open_sessions() as sessions:

        async def work() -> Any:
            async with sessions() as session:
                return await pid(session)

        assert len(set(await asyncio.gather(*(work() for _ in range(5))))) == 1


@pytest.mark.usefixtures("database")
async def test_engine_times_out_when_exhausted() -> None:
    engine = engine_code(ONE_CONNECTION)
    async with engine.open_sessions() as sessions, sessions() as holder, sessions() as waiter:
        await pid(holder)
        with pytest.raises(sqlalchemy.exc.TimeoutError, match="size 1 overflow 0 reached"):
            await pid(waiter)


async def test_pre_ping_replaces_a_connection_that_died_idle(database: Database) -> None:
    async with engine_code(PRE_PING).open_sessions() as sessions:
        async with sessions() as session:
            first = await pid(session)
        await database.end(first)
        async with sessions() as session:
            assert await pid(session) != first


async def test_null_pool_keeps_no_connection_between_sessions(database: Database) -> None:
    async with engine_code("kind=sqlalchemy-null").open_sessions() as sessions:
        async with sessions() as session:
            first = await pid(session)
        assert await database.comes_to(0)
        async with sessions() as session:
            assert await pid(session) != first


@pytest.mark.usefixtures("database")
async def test_objects_stay_readable_after_commit() -> None:
    async with engine_code("kind=sqlalchemy").open_sessions() as sessions, sessions() as session:
        assert session.sync_session.expire_on_commit is False


@pytest.mark.usefixtures("database")
async def test_asyncpg_pool_connects_with_its_server_settings() -> None:
    made = pool_code("kind=asyncpg&min_size=0")
    async with made.open_pool() as pool, made.acquire(pool) as connection:
        assert tuple(await connection.fetchrow(SETTINGS)) == EXPECTED


@pytest.mark.usefixtures("database")
async def test_server_settings_survive_the_reset_at_release() -> None:
    made = pool_code(SMALL_POOL)
    async with made.open_pool() as pool:
        for _ in range(3):
            async with made.acquire(pool) as connection:
                assert tuple(await connection.fetchrow(SETTINGS)) == EXPECTED


@pytest.mark.usefixtures("database")
async def test_json_is_read_and_written_as_python_values() -> None:
    made, value = pool_code(SMALL_POOL), {"sizes": [1, 2.5, None], "name": "é"}
    async with made.open_pool() as pool:
        for _ in range(2):
            async with made.acquire(pool) as connection:
                for kind in ("json", "jsonb"):
                    assert await connection.fetchval(f"SELECT $1::{kind}", value) == value


@pytest.mark.usefixtures("database")
async def test_connection_survives_a_statement_that_the_server_ends() -> None:
    written = generate(parse(SMALL_POOL), "asyncpg").text
    assert '"statement_timeout": "30000"' in written
    made = module_of(written.replace('"30000"', '"100"'))
    async with made.open_pool() as pool, made.acquire(pool) as connection:
        before = await connection.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.execute("SELECT pg_sleep(30)")
        assert await connection.fetchval("SELECT pg_backend_pid()") == before


async def test_pool_opens_its_initial_connections_and_closes_them_all(database: Database) -> None:
    async with pool_code("kind=asyncpg&min_size=2&init_size=3&max_size=4").open_pool() as pool:
        assert (pool.get_size(), pool.get_min_size(), pool.get_max_size()) == (3, 2, 4)
        assert await database.comes_to(3)
    assert await database.comes_to(0)


@pytest.mark.usefixtures("database")
async def test_pool_queues_for_its_only_connection() -> None:
    made = pool_code(f"{SMALL_POOL}&acquire_timeout=60")
    async with made.open_pool() as pool:

        async def work() -> Any:
            async with made.acquire(pool) as connection:
                return await connection.fetchval("SELECT pg_backend_pid()")

        assert len(set(await asyncio.gather(*(work() for _ in range(5))))) == 1


@pytest.mark.usefixtures("database")
async def test_acquire_times_out_when_the_pool_is_exhausted() -> None:
    made = pool_code(f"{SMALL_POOL}&acquire_timeout=0.2")
    async with made.open_pool() as pool:
        async with made.acquire(pool):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30), made.acquire(pool):
                    pytest.fail("acquired a connection that is taken")
            assert pool.get_size() == 1
        async with made.acquire(pool) as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.usefixtures("database")
async def test_acquire_without_a_timeout_waits_for_ever_and_says_so() -> None:
    made = pool_code(f"{SMALL_POOL}&acquire_timeout=0")
    async with made.open_pool() as pool, made.acquire(pool):
        waiting = asyncio.ensure_future(made.acquire(pool).__aenter__())
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_closing_cuts_a_connection_never_given_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, heard = pool_code(SMALL_POOL), []

    def soon(seconds: float) -> asyncio.Timeout:
        heard.append(seconds)
        return asyncio.timeout(0.2)

    monkeypatch.setattr(made, "asyncio", types.SimpleNamespace(timeout=soon))
    with pytest.raises(TimeoutError):
        async with made.open_pool() as pool:
            await made.acquire(pool).__aenter__()
    assert heard == [10.0]
    assert await database.comes_to(0)
