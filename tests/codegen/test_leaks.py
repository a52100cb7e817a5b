"""The generated leak tracing names the task, the time and the place of each holder."""

import asyncio
import logging
import types
from typing import Any

import aiohttp
import httpx
import pytest
from sqlalchemy import text

from sim.query import parse
from tests.codegen.conftest import POLL_S, POLLS, Database, Website
from tests.codegen.support import module_for

pytestmark = pytest.mark.server

QUERIES = {
    "sqlalchemy": "pool_size=2&max_overflow=0",
    "sqlalchemy-null": "",
    "asyncpg": "min_size=0&max_size=2&acquire_timeout=5",
    "psycopg": "min_size=1&max_size=2&timeout=5",
    "aiohttp": "limit=2",
    "httpx": "pool_connections=2",
}


def traced(kind: str) -> types.ModuleType:
    return module_for(parse(f"kind={kind}&{QUERIES[kind]}"), "leaks")


def opener(made: types.ModuleType) -> Any:
    names = ("open_pool", "open_sessions", "open_http")
    [opened] = [getattr(made, name) for name in names if hasattr(made, name)]
    return opened()


async def hold_a_connection(
    made: types.ModuleType, source: Any, url: str, taken: asyncio.Event, back: asyncio.Event
) -> None:
    """Take a connection and keep it; the name of this function is what must be found."""
    if isinstance(source, aiohttp.ClientSession):
        async with source.get(url):
            taken.set()
            await back.wait()
    elif isinstance(source, httpx.AsyncClient):
        async with source.stream("GET", url):
            taken.set()
            await back.wait()
    elif hasattr(made, "acquire"):
        async with made.acquire(source) as connection:
            await connection.execute("SELECT 1")
            taken.set()
            await back.wait()
    else:
        async with source() as session:
            await session.execute(text("SELECT 1"))
            taken.set()
            await back.wait()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", QUERIES)
async def test_holder_is_named_with_its_stack_until_it_lets_go(website: Website, kind: str) -> None:
    website.large = True
    made, taken, back = traced(kind), asyncio.Event(), asyncio.Event()
    async with opener(made) as source:
        work = hold_a_connection(made, source, website.url, taken, back)
        holder = asyncio.create_task(work, name="the holder")
        await taken.wait()
        [found] = made.held()
        assert "the holder has held a connection for 0." in str(found)
        assert "in hold_a_connection" in str(found)
        for library in ("sqlalchemy", "asyncpg", "psycopg_pool", "aiohttp", "httpx", "httpcore"):
            assert f"site-packages/{library}" not in str(found)
        assert made.held(longer_than_s=60) == []
        back.set()
        await holder
        assert made.held() == []


@pytest.mark.usefixtures("database")
async def test_longest_holder_comes_first() -> None:
    made = traced("asyncpg")
    async with made.open_pool() as pool, made.acquire(pool):
        first = made.held()
        async with made.acquire(pool):
            assert made.held()[0] == first[0]
            assert len(made.held()) == 2
    assert made.held() == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ["sqlalchemy", "asyncpg"])
async def test_long_holder_is_logged_while_the_process_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    made, taken, back = traced(kind), asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(made, "HELD_S_MAX", 0.01)
    monkeypatch.setattr(made, "WATCH_S", 0.02)
    with caplog.at_level(logging.WARNING):
        async with opener(made) as source, made.watch_holders():
            work = hold_a_connection(made, source, "", taken, back)
            holder = asyncio.create_task(work, name="the holder")
            await taken.wait()
            for _ in range(POLLS):
                if "the holder has held" in caplog.text:
                    break
                await asyncio.sleep(POLL_S)
            back.set()
            await holder
    assert "in hold_a_connection" in caplog.text


@pytest.mark.parametrize("kind", ["sqlalchemy", "asyncpg", "psycopg"])
async def test_session_idle_in_a_transaction_is_found_on_the_server(
    database: Database, kind: str
) -> None:
    made = traced(kind)
    async with opener(made) as source:
        assert await made.idle_in_transaction(source, 0.0) == []
        if kind == "asyncpg":
            async with made.acquire(source) as connection, connection.transaction():
                pid = await connection.fetchval("SELECT pg_backend_pid()")
                found = await made.idle_in_transaction(source, 0.0)
        elif kind == "psycopg":
            async with made.acquire(source) as connection:
                pid = connection.info.backend_pid
                await connection.execute("SELECT pg_backend_pid()")
                found = await made.idle_in_transaction(source, 0.0)
        else:
            async with source() as session:
                pid = await session.scalar(text("SELECT pg_backend_pid()"))
                found = await made.idle_in_transaction(source, 0.0)
                assert await made.idle_in_transaction(source, 60.0) == []
    [row] = found
    assert row["pid"] == pid
    assert row["state"] == "idle in transaction"
    assert "pg_backend_pid" in str(row["last_query"])
    assert database
