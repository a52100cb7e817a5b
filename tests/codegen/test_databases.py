"""The generated code for several databases: each has its own connections, time and rights."""

import asyncio
import types
from typing import Any

import asyncpg
import pytest
from sqlalchemy import exc, text

from sim.query import parse
from tests.codegen.conftest import Database
from tests.codegen.support import module_for

pytestmark = pytest.mark.server

QUERIES = {
    "sqlalchemy": "pool_size=3&max_overflow=1&hold_ms=6000",
    "sqlalchemy-null": "hold_ms=6000",
    "asyncpg": "min_size=0&max_size=3&acquire_timeout=5&hold_ms=6000",
}
SETTINGS = """
SELECT current_setting('statement_timeout'), current_setting('default_transaction_read_only')
"""
EXPECTED = {"primary": ("1min", "off"), "replica": ("1min", "on"), "analytics": ("5min", "on")}


@pytest.fixture
def _three(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("REPLICA_URL", "ANALYTICS_URL"):
        monkeypatch.setenv(variable, database.url)


def made_for(kind: str) -> types.ModuleType:
    return module_for(parse(f"kind={kind}&{QUERIES[kind]}"), "databases")


async def ask(made: types.ModuleType, source: Any, statement: str) -> tuple[Any, ...]:
    if hasattr(made, "acquire"):
        async with made.acquire(source) as connection:
            return tuple(await connection.fetchrow(statement))
    async with source() as session:
        return tuple((await session.execute(text(statement))).one())


@pytest.mark.usefixtures("_three")
@pytest.mark.parametrize("kind", QUERIES)
async def test_each_database_has_its_own_time_and_rights(kind: str) -> None:
    made = made_for(kind)
    async with made.open_databases() as databases:
        for name, expected in EXPECTED.items():
            assert await ask(made, getattr(databases, name), SETTINGS) == expected


@pytest.mark.usefixtures("_three")
@pytest.mark.parametrize("kind", QUERIES)
async def test_replica_refuses_to_write(kind: str) -> None:
    made = made_for(kind)
    async with made.open_databases() as databases:
        with pytest.raises((asyncpg.ReadOnlySQLTransactionError, exc.DBAPIError)) as refused:
            await ask(made, databases.replica, "SELECT lo_create(0)")
    assert "read-only transaction" in str(refused.value)


@pytest.mark.usefixtures("_three")
async def test_long_report_takes_no_connection_from_requests() -> None:
    made = made_for("asyncpg")
    async with (
        made.open_databases() as databases,
        made.acquire(databases.analytics),
        made.acquire(databases.analytics),
    ):
        waiting = asyncio.ensure_future(made.acquire(databases.analytics).__aenter__())
        assert await ask(made, databases.primary, "SELECT 1") == (1,)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


@pytest.mark.usefixtures("_three")
@pytest.mark.parametrize("kind", QUERIES)
async def test_all_are_closed_at_shutdown(database: Database, kind: str) -> None:
    made = made_for(kind)
    async with made.open_databases() as databases:
        for name in EXPECTED:
            await ask(made, getattr(databases, name), "SELECT 1")
        assert await database.comes_to(0 if kind == "sqlalchemy-null" else 3)
    assert await database.comes_to(0)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", QUERIES)
async def test_missing_variable_is_named_and_what_was_opened_is_closed(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.delenv("REPLICA_URL", raising=False)
    with pytest.raises(RuntimeError, match="REPLICA_URL is not set"):
        async with made_for(kind).open_databases():
            pytest.fail("opened without the replica's URL")
