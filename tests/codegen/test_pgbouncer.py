"""The generated PgBouncer set-up runs a real PgBouncer, and the generated client behind it."""

import asyncio
import contextlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import types
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import create_async_engine

from pools.codegen import generate
from pools.live.client import connect
from sim.query import parse
from sim.scenario import Scenario
from tests.codegen.conftest import PATIENCE_S, POLL_S, POLLS, Database
from tests.codegen.support import module_of, tool

pytestmark = pytest.mark.server

# Ten clients over four server connections.
FEW = "max_connections=12&reserved=3"
CLIENTS = {
    "sqlalchemy": f"{FEW}&pool_size=10&max_overflow=0",
    "sqlalchemy-null": FEW,
    "asyncpg": f"{FEW}&min_size=0&max_size=10&acquire_timeout=20",
}
ROUNDS = 15


@contextlib.contextmanager
def bouncer(database: Database, files: dict[str, str]) -> Iterator[int]:
    """Run PgBouncer with generated files in front of the server; yield its port."""
    program, target = tool("pgbouncer", "pgbouncer"), database.server.target
    log = tempfile.TemporaryFile()  # noqa: SIM115
    folder = Path(tempfile.mkdtemp(prefix="bouncer-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = files["pgbouncer.ini"]
    for given, here in {
        "host=127.0.0.1 port=5432": f"host={target.host} port={target.port}",
        "listen_port = 6432": f"listen_port = {port}",
        "auth_file = userlist.txt": f"auth_file = {folder}/userlist.txt",
    }.items():
        assert given in settings
        settings = settings.replace(given, here)
    (folder / "pgbouncer.ini").write_text(settings)
    (folder / "userlist.txt").write_text(f'"{target.user}" "{target.password.reveal()}"\n')
    # PgBouncer does not run as root.
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    if account:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
    process = subprocess.Popen(
        [program, str(folder / "pgbouncer.ini")],
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        # A pipe that nobody reads would stop PgBouncer once it is full.
        stderr=log.fileno(),
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
        shutil.rmtree(folder)
        log.seek(0)
        written = log.read().decode()
        log.close()
    assert "FATAL" not in written, written
    assert "ERROR" not in written, written


async def reachable(port: int) -> None:
    for _ in range(POLLS):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(POLL_S)
    pytest.fail("PgBouncer does not listen")


@contextlib.asynccontextmanager
async def behind(
    database: Database, monkeypatch: pytest.MonkeyPatch, scenario: Scenario
) -> AsyncIterator[tuple[types.ModuleType, Any]]:
    """Set a server, a PgBouncer and a client up as the generated files say."""
    files = {made.name: made.text for made in generate(scenario, "pgbouncer").files}
    target = database.server.target
    connection = await connect(target, timeout_s=PATIENCE_S)
    await connection.execute(files["role.sql"])
    await connection.close()
    try:
        with bouncer(database, files) as port:
            await reachable(port)
            url = f"postgresql://{target.user}:{target.password.reveal()}@127.0.0.1:{port}/postgres"
            monkeypatch.setenv("DATABASE_URL", url)
            made = module_of(files["database.py"])
            opened = made.open_pool if hasattr(made, "open_pool") else made.open_sessions
            async with opened() as source:
                yield made, source
    finally:
        connection = await connect(database.server.control, timeout_s=PATIENCE_S)
        await connection.execute(f"ALTER ROLE {target.user} RESET ALL")
        await connection.close()


async def work(made: types.ModuleType, source: Any, number: int) -> tuple[int, int]:
    """Run a prepared statement alone and two in a transaction; return what came back."""
    if hasattr(made, "acquire"):
        async with made.acquire(source) as connection:
            first = await connection.fetchval("SELECT $1::int + 1", number)
            async with connection.transaction():
                await connection.fetchval("SELECT $1::text", str(number))
                second = await connection.fetchval("SELECT $1::int + 2", number)
            return int(first), int(second)
    async with source() as session:
        first = await session.scalar(text("SELECT CAST(:n AS int) + 1"), {"n": number})
        await session.commit()
        await session.scalar(text("SELECT CAST(:n AS text)"), {"n": str(number)})
        second = await session.scalar(text("SELECT CAST(:n AS int) + 2"), {"n": number})
        return int(first), int(second)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_client_works_through_pgbouncer_in_transaction_mode(
    database: Database, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    scenario = parse(f"kind={kind}&{CLIENTS[kind]}")
    async with behind(database, monkeypatch, scenario) as (made, source):
        rounds = 3 if kind == "sqlalchemy-null" else ROUNDS  # which connects each time
        for start in range(0, 10 * rounds, 10):
            numbers = range(start, start + 10)
            came = await asyncio.gather(*(work(made, source, number) for number in numbers))
            assert came == [(number + 1, number + 2) for number in numbers]
        # Ten clients have shared at most the four and the reserve.
        assert 1 <= await backends(database) <= 9


async def backends(database: Database) -> int:
    connection = await connect(database.server.control, timeout_s=PATIENCE_S)
    try:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"
        return int(await connection.fetchval(asked, database.server.target.user))
    finally:
        await connection.close()


async def test_timeouts_are_the_roles(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = parse(f"kind=asyncpg&{CLIENTS['asyncpg']}&hold_ms=6000")
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    async with (
        behind(database, monkeypatch, scenario) as (made, source),
        made.acquire(source) as connection,
    ):
        said = [await connection.fetchval(f"SHOW {name}") for name in names]
        assert said == ["1min", "5s", "2min"]
        assert await connection.fetchval("SHOW application_name") == "generated code"


# One server connection, no reserve, and one second to wait for it.
SCARCE = "max_connections=4&reserved=3"


async def test_asyncpg_that_waits_too_long_for_a_server_connection_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = parse(f"kind=asyncpg&min_size=0&max_size=2&acquire_timeout=0.5&{SCARCE}")
    async with (
        behind(database, monkeypatch, scenario) as (made, source),
        made.acquire(source) as one,
        made.acquire(source) as two,
        one.transaction(),
    ):
        await one.fetchval("SELECT 1")
        with pytest.raises(asyncpg.PostgresError, match="query_wait_timeout"):
            await two.fetchval("SELECT 1")


async def test_sqlalchemy_that_waits_too_long_for_a_server_connection_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = parse(f"pool_size=2&max_overflow=0&pool_timeout=0.5&{SCARCE}")
    async with (
        behind(database, monkeypatch, scenario) as (_, source),
        source() as holder,
        source() as waiter,
    ):
        await holder.scalar(text("SELECT 1"))
        with pytest.raises((exc.DBAPIError, asyncpg.PostgresError), match="query_wait"):
            await waiter.scalar(text("SELECT 1"))


def tracks_statements() -> bool:
    """Whether PgBouncer knows prepared statements, as it does from 1.21."""
    program = [tool("pgbouncer", "pgbouncer"), "--version"]
    told = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    major, minor = re.findall(r"\d+", told)[:2]
    return (int(major), int(minor)) >= (1, 21)


async def answers(database: Database, port: int, **caches: int) -> tuple[int, int]:
    """Ask 300 times in AUTOCOMMIT; return how many failed and how many came back wrong."""
    target = database.server.target
    engine = create_async_engine(
        f"postgresql+asyncpg://{target.user}:{target.password.reveal()}@127.0.0.1:{port}/postgres",
        pool_size=10,
        isolation_level="AUTOCOMMIT",
        connect_args=caches,
    )
    failed = wrong = 0

    async def ask(number: int) -> None:
        nonlocal failed, wrong
        for turn in range(30):
            added = (number + turn) % 7
            try:
                async with engine.connect() as connection:
                    asked = text(f"SELECT CAST(:n AS int) + {added}")
                    wrong += await connection.scalar(asked, {"n": number}) != number + added
            except exc.DBAPIError:
                failed += 1

    await asyncio.gather(*(ask(number) for number in range(10)))
    await engine.dispose()
    return failed, wrong


async def test_behind_pgbouncer_without_prepared_statements_asyncpgs_own_cache_breaks_queries(
    database: Database,
) -> None:
    """SQLAlchemy's cache off and asyncpg's left on: errors by the dozen, at times wrong answers.

    With asyncpg's cache off nothing fails. PgBouncer from 1.21 keeps track of statements itself.
    """
    if tracks_statements():
        pytest.skip("this PgBouncer tracks prepared statements itself")
    files = {
        made.name: made.text for made in generate(parse(CLIENTS["sqlalchemy"]), "pgbouncer").files
    }
    with bouncer(database, files) as port:
        await reachable(port)
        failed, wrong = await answers(database, port, prepared_statement_cache_size=0)
        print(f"{failed} of 300 failed, {wrong} came back wrong")
        assert failed + wrong > 0
        assert await answers(database, port, statement_cache_size=0) == (0, 0)
