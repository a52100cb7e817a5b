"""The generated psycopg pool, run against a real PostgreSQL on this machine."""

import asyncio
import types

import psycopg
import psycopg_pool
import pytest

from sim.query import parse
from tests.codegen.conftest import Database
from tests.codegen.support import module_for

pytestmark = pytest.mark.server

PID = "SELECT pg_backend_pid()"


def pool_code(query: str) -> types.ModuleType:
    return module_for(parse(f"kind=psycopg&{query}"), "psycopg")


async def value(connection: psycopg.AsyncConnection, statement: str) -> object:
    row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    return row[0]


async def test_pool_opens_its_floor_and_closes_all(database: Database) -> None:
    made = pool_code("min_size=3&max_size=5")
    async with made.open_pool() as pool:
        assert await database.comes_to(3)
        async with made.acquire(pool) as connection:
            assert await value(connection, "SELECT 42") == 42
    assert await database.comes_to(0)


async def test_pool_grows_to_its_limit_and_no_further(database: Database) -> None:
    made, gate = pool_code("min_size=1&max_size=3"), asyncio.Event()

    async def hold() -> object:
        async with made.acquire(pool) as connection:
            found = await value(connection, PID)
            await gate.wait()
            return found

    async with made.open_pool() as pool:
        held = [asyncio.create_task(hold()) for _ in range(6)]
        assert await database.comes_to(3)
        await asyncio.wait(held, timeout=0.2)
        assert await database.comes_to(3)
        gate.set()
        assert len(set(await asyncio.gather(*held))) == 3


async def test_wait_ends_with_the_timeout(database: Database) -> None:
    made = pool_code("min_size=1&max_size=1&timeout=0.2")
    async with made.open_pool() as pool, made.acquire(pool):
        with pytest.raises(psycopg_pool.PoolTimeout):
            async with made.acquire(pool):
                pass


async def test_full_queue_refuses_at_once(database: Database) -> None:
    made = pool_code("min_size=1&max_size=1&max_waiting=1&timeout=20")

    async def ask() -> None:
        async with made.acquire(pool):
            pass

    async with made.open_pool() as pool:
        async with made.acquire(pool):
            waiter = asyncio.create_task(ask())
            await asyncio.sleep(0)
            with pytest.raises(psycopg_pool.TooManyRequests):
                await ask()
        await waiter


@pytest.mark.parametrize("check", [False, True])
async def test_check_spares_callers_a_dead_connection(database: Database, check: bool) -> None:
    made = pool_code(f"min_size=1&max_size=1&check={str(check).lower()}")
    async with made.open_pool() as pool:
        await database.end_all()
        async with made.acquire(pool) as connection:
            if check:
                assert await value(connection, "SELECT 42") == 42
                return
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT 42")


@pytest.mark.parametrize("reset", [False, True])
async def test_reset_forgets_what_the_last_caller_set(database: Database, reset: bool) -> None:
    made = pool_code(f"min_size=1&max_size=1&reset={str(reset).lower()}")
    async with made.open_pool() as pool:
        async with made.acquire(pool) as connection:
            before = await value(connection, "SHOW work_mem")
            await connection.execute("SET work_mem = '123kB'")
        async with made.acquire(pool) as connection:
            after = await value(connection, "SHOW work_mem")
        assert after == (before if reset else "123kB")


async def test_block_that_fails_is_rolled_back(database: Database) -> None:
    made = pool_code("min_size=1&max_size=1")
    async with made.open_pool() as pool:

        async def fail() -> None:
            async with made.acquire(pool) as connection:
                await connection.execute("SET work_mem = '123kB'")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        async with made.acquire(pool) as connection:
            assert await value(connection, "SHOW work_mem") != "123kB"


async def test_server_hears_the_timeouts_and_the_name(database: Database) -> None:
    made = pool_code("min_size=1")
    async with made.open_pool() as pool, made.acquire(pool) as connection:
        for name, wanted in made.SERVER_SETTINGS.items():
            shown = await value(
                connection, f"SELECT setting FROM pg_settings WHERE name = '{name}'"
            )
            assert shown == wanted


async def test_pool_that_reaches_no_server_says_so_and_connects_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@127.0.0.1:1/name")
    made = pool_code("min_size=1")
    monkeypatch.setattr(made.AsyncConnectionPool, "wait", impatient(made.AsyncConnectionPool.wait))
    with pytest.raises(psycopg_pool.PoolTimeout):
        async with made.open_pool():
            pass


def impatient(wait: object) -> object:
    async def less(pool: object, given_s: float) -> None:
        assert given_s == 10.0
        await wait(pool, 0.2)  # type: ignore[operator]

    return less
