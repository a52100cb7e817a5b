"""Faults made for real, each with the code that a person gets for it.

A real PostgreSQL behind a proxy that breaks the network, servers that are not what they seem,
and a PgBouncer. The whole matrix, as exceptions, is in `tests/live/test_problems.py`.
"""

import asyncio
import contextlib
import gc
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from pools.live import probe
from pools.live.client import Target, connect
from pools.live.client_psycopg import connect_psycopg
from pools.live.clock import precise_loop
from pools.live.guard import Door, GuardedLoop
from pools.live.problems import Problem, explain
from pools.live.secret import Secret
from pools.live.target import Tls
from tests.faults import impostors, kinds
from tests.faults.cluster import DATABASE, ROLE, Cluster, cluster
from tests.faults.proxy import HOST, FaultProxy
from tests.live.test_problems import is_said_well

# A driver whose connection broke leaves its socket to the garbage collector. A check therefore
# runs in a process of its own, whose end closes all: tests/faults counts that.
pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PASSWORD = "canary-password"
PATIENCE_S = 1.0
Break = Callable[[FaultProxy, Cluster], Awaitable[None] | None]


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with cluster(PASSWORD) as made:
        yield made


@pytest.fixture
async def healthy(running: Cluster) -> Cluster:
    running.thaw()
    running.start()  # in this thread: the server ends with the thread that started it
    await running.make_role()
    return running


@asynccontextmanager
async def proxied(server: Cluster) -> AsyncIterator[tuple[FaultProxy, Target]]:
    path = server.socket_path
    proxy = FaultProxy(lambda: asyncio.open_unix_connection(path), random.Random(1))
    await proxy.open()
    where = Target(HOST, proxy.port, ROLE, Secret(PASSWORD), DATABASE)
    try:
        yield proxy, replace(where, command_timeout_s=PATIENCE_S)
    finally:
        await proxy.close()
        await _rest()


async def _rest() -> None:
    """Let what the drivers do in the background come to its end: a cancel has its own socket."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=5.0)
    await asyncio.sleep(0.01)
    gc.collect()  # here, where it is known whose sockets these are


def said(error: BaseException, target: Target, step: str = "preflight") -> Problem:
    where = f"{target.host}:{target.port}"
    problem = explain(error, step, where=where, secrets=[PASSWORD])
    assert is_said_well(problem)
    return problem


async def refusal(target: Target, by: Callable[..., Awaitable[Any]] = connect) -> Problem:
    """Connect, which must fail, and say why: with the probe, as a check does."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  which one is what explain finds out
        (await by(target, timeout_s=PATIENCE_S)).terminate()
    problem = said(caught.value, target)
    row = await probe.tell_apart(problem.code, target.host, target.port)
    return replace(problem, code=row.code) if row else problem


def _posing(handler: Any) -> Break:
    def act(proxy: FaultProxy, _: Cluster) -> None:
        proxy.impostor = handler

    return act


def _saying(statement: str) -> Break:
    async def act(_: FaultProxy, server: Cluster) -> None:
        connection = await server.connect()
        await connection.execute(statement)
        await connection.close()

    return act


async def _stop(_: FaultProxy, server: Cluster) -> None:
    await asyncio.to_thread(server.stop, signal.SIGINT)


CONNECTING: dict[str, tuple[str, Break, dict[str, Any]]] = {
    "refused": ("PW-NET-refused", lambda proxy, _: proxy.refuse(), {}),
    "handshake unanswered": ("PW-NET-no_answer", lambda proxy, _: proxy.ignore(), {}),
    "silent": ("PW-DB-silent", _posing(impostors.silent), {}),
    "deaf": ("PW-DB-silent", _posing(impostors.deaf), {}),
    "drips": ("PW-DB-not_postgres", _posing(impostors.drips), {}),
    "web server": ("PW-DB-not_postgres", _posing(impostors.speaks_http), {}),
    "web server, TLS": (
        "PW-DB-not_postgres",
        _posing(impostors.speaks_http),
        {"tls": Tls("require")},
    ),
    "garbage": ("PW-DB-not_postgres", _posing(impostors.garbage), {}),
    "garbage, TLS": ("PW-DB-not_postgres", _posing(impostors.garbage), {"tls": Tls("require")}),
    "closes": ("PW-NET-closed", _posing(impostors.closes), {}),
    "unknown login": ("PW-DB-login_method", _posing(impostors.unknown_login), {}),
    "GSSAPI": ("PW-DB-login_method", _posing(impostors.wants_gssapi), {}),
    "wrong nonce": ("PW-DB-login_method", _posing(impostors.wrong_nonce), {}),
    "starting": ("PW-DB-57P03", _posing(impostors.starting), {}),
    "password told": ("PW-DB-28P01", _posing(impostors.tells_the_password), {}),
    "no TLS": ("PW-TLS-none", lambda *_: None, {"tls": Tls("require")}),
    "wrong password": ("PW-DB-28P01", lambda *_: None, {"password": Secret("no")}),
    "no password": ("PW-DB-28P01", lambda *_: None, {"password": Secret()}),
    "unknown user": ("PW-DB-28P01", lambda *_: None, {"user": "nobody-such"}),
    "database missing": ("PW-DB-3D000", lambda *_: None, {"database": "none-such"}),
    "setting unknown": ("PW-DB-42704", lambda *_: None, {"settings": {"no_such": "1"}}),
    "NOLOGIN": ("PW-DB-28000-nologin", _saying(f"ALTER ROLE {ROLE} NOLOGIN"), {}),
    "role limit": ("PW-DB-53300-role", _saying(f"ALTER ROLE {ROLE} CONNECTION LIMIT 0"), {}),
    "database limit": (
        "PW-DB-53300-database",
        _saying(f"ALTER DATABASE {DATABASE} CONNECTION LIMIT 0"),
        {},
    ),
    "down": ("PW-NET-closed", _stop, {}),  # the proxy accepts, and finds nobody behind it
}


@pytest.mark.parametrize("fault", CONNECTING)
async def test_a_failed_connect_says_what_stands_in_the_way(fault: str, healthy: Cluster) -> None:
    code, act, changes = CONNECTING[fault]
    async with proxied(healthy) as (proxy, target):
        done = act(proxy, healthy)
        if done is not None:
            await done
        problem = await refusal(replace(target, **changes))
    assert problem.code == code
    assert PASSWORD not in problem.server_text


LIBPQ = {"password told": "PW-DB-refused"}  # libpq keeps no SQLSTATE, and the text is hostile


@pytest.mark.parametrize("fault", CONNECTING)
def test_libpq_comes_to_the_same_words(fault: str, running: Cluster) -> None:
    """On a loop of its own: libpq's sockets are let out by the guarded loop's door alone."""

    async def run() -> Problem:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, GuardedLoop)
        loop.door = Door(lambda *_: True, 50)  # the proxy and the superuser are on it, too
        running.thaw()
        await running.make_role()
        _, act, changes = CONNECTING[fault]
        async with proxied(running) as (proxy, target):
            done = act(proxy, running)
            if done is not None:
                await done
            return await refusal(replace(target, **changes), connect_psycopg)

    running.start()
    with asyncio.Runner(loop_factory=lambda: precise_loop(GuardedLoop)) as runner:
        problem = runner.run(run())
    assert problem.code == LIBPQ.get(fault, CONNECTING[fault][0])
    assert PASSWORD not in problem.server_text


async def test_slots_that_others_hold_are_named(healthy: Cluster) -> None:
    async with proxied(healthy) as (proxy, target):
        world = kinds.World(proxy, healthy, None, random.Random(1), [])  # type: ignore[arg-type]
        await kinds.slots_taken(world)
        try:
            assert (await refusal(target)).code == "PW-DB-53300"
        finally:
            for connection in world.held:
                connection.terminate()


async def test_a_name_that_nobody_knows_is_named(healthy: Cluster) -> None:
    async with proxied(healthy) as (_, target):
        problem = await refusal(replace(target, host="no-such-host.invalid"))
    assert problem.code == "PW-NET-unknown_host"


RUNNING: dict[str, tuple[set[str], Break]] = {
    "swallowed": ({"PW-LIVE-timeout_command"}, lambda proxy, _: _swallow(proxy)),
    "backend frozen": ({"PW-LIVE-timeout_command"}, lambda _, server: server.freeze()),
    "reset": ({"PW-DB-08003", "PW-LIVE-lost"}, lambda proxy, _: proxy.reset()),
    "FIN": ({"PW-DB-08003", "PW-LIVE-lost"}, lambda proxy, _: proxy.fin()),
    # asyncpg may lose the reason in a race of its own.
    "terminated": (
        {"PW-DB-57P01", "PW-LIVE-lost"},
        _saying(f"SELECT pg_terminate_backend(pid) {kinds.OF_THE_ROLE}"),
    ),
    "cancelled": (
        {"PW-DB-57014"},
        _saying(f"SELECT pg_cancel_backend(pid) {kinds.OF_THE_ROLE}"),
    ),
    "backend killed": ({"PW-DB-08003", "PW-LIVE-lost"}, lambda _, server: _kill(server)),
    "fast stop": ({"PW-DB-57P01", "PW-LIVE-lost"}, _stop),
}


def _swallow(proxy: FaultProxy) -> None:
    proxy.down.swallows = True


def _kill(server: Cluster) -> None:
    for backend in server.backends():
        with contextlib.suppress(psutil.NoSuchProcess):
            backend.kill()


@pytest.mark.parametrize("through", ["asyncpg", "SQLAlchemy"])
@pytest.mark.parametrize("fault", RUNNING)
async def test_a_connection_that_breaks_in_use_says_how(
    fault: str, through: str, healthy: Cluster
) -> None:
    codes, act = RUNNING[fault]
    async with proxied(healthy) as (proxy, target):
        with pytest.raises(Exception) as caught:  # noqa: PT011  which one is what explain finds out
            await (_used if through == "asyncpg" else _used_in_engine)(
                target, lambda: act(proxy, healthy)
            )
        healthy.thaw()
    assert said(caught.value, target, "calibrate").code in codes


async def _used(target: Target, act: Callable[[], Awaitable[None] | None]) -> None:
    connection = await connect(target, timeout_s=10.0)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(connection.execute("SELECT pg_sleep(5)"))
            await _soon(act)
    finally:
        connection.terminate()


async def _used_in_engine(target: Target, act: Callable[[], Awaitable[None] | None]) -> None:
    made: list[Any] = []

    async def creator() -> Any:
        made.append(await connect(target, timeout_s=10.0))
        return made[-1]

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator)
    try:
        async with asyncio.TaskGroup() as group, engine.connect() as connection:
            group.create_task(_soon(act))
            await connection.execute(text("SELECT pg_sleep(5)"))
    finally:
        for connection in made:
            connection.terminate()
        await engine.dispose()


async def _soon(act: Callable[[], Awaitable[None] | None]) -> None:
    await asyncio.sleep(0.1)
    done = act()
    if done is not None:
        await done


LIMITS = {
    "statement_timeout": ("PW-DB-57014", {"statement_timeout": "50"}, "SELECT pg_sleep(5)"),
    "read-only": (
        "PW-DB-25006",
        {"default_transaction_read_only": "on"},
        "CREATE TEMP TABLE t (x int)",
    ),
    "not allowed": ("PW-DB-42501", {}, "SELECT * FROM pg_authid"),
}


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_limit_of_the_server_is_named(limit: str, healthy: Cluster) -> None:
    code, settings, statement = LIMITS[limit]
    async with proxied(healthy) as (_, target):
        connection = await connect(replace(target, settings=settings), timeout_s=10.0)
        with pytest.raises(asyncpg.PostgresError) as caught:
            await connection.execute(statement)
        connection.terminate()
    assert said(caught.value, target).code == code


async def test_an_idle_session_that_the_server_ended_is_lost(healthy: Cluster) -> None:
    async with proxied(healthy) as (_, target):
        settings = {"idle_session_timeout": "50"}
        connection = await connect(replace(target, settings=settings), timeout_s=10.0)
        await asyncio.wait_for(_closed(connection), 10.0)
        with pytest.raises(asyncpg.InterfaceError) as caught:
            await connection.execute("SELECT 1")
    assert said(caught.value, target).code == "PW-LIVE-lost"


async def _closed(connection: Any) -> None:
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _: ended.set())
    await ended.wait()
