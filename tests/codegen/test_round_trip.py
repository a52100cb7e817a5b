"""Executed code gives the library exactly the scenario's settings, and the library accepts them.

The library's constructor is listened to, not replaced: it runs with what it hears.
"""

import asyncio
import contextlib
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import aiohttp
import asyncpg
import httpx
import psycopg_pool
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from pools.codegen.timeouts import timeouts
from pools.kinds import KINDS, Pool
from pools.setting import settings_of
from sim.scenario import Scenario
from tests.codegen.support import examples, module_for, modules_with
from tests.strategies import scenarios

DATABASE_TARGETS = [
    (kind, target)
    for kind in KINDS
    for function in ("open_sessions", "open_pool")
    for target in modules_with(kind, function)
    if KINDS[kind].serves == "database" and target != "fastapi"
]
URL = "postgresql://user:pass%40word@localhost/name?sslmode=require"


class Heard(Exception):
    """The constructor has been called; nothing after it should run."""


@contextlib.contextmanager
def listening(owner: Any, name: str, *, stop: bool = False) -> Iterator[list[dict[str, Any]]]:
    """Record the keyword arguments of every call, and pass it on."""
    real, heard = getattr(owner, name), []

    def listen(*given_arguments: Any, **named: Any) -> Any:
        heard.append(named)
        made = real(*given_arguments, **named)
        if stop:
            raise Heard
        return made

    with mock.patch.object(owner, name, listen):
        yield heard


def with_url() -> contextlib.AbstractContextManager[Any]:
    return mock.patch.dict("os.environ", {"DATABASE_URL": URL})


def hear_engine(scenario: Scenario, target: str) -> tuple[AsyncEngine, dict[str, Any]]:
    made = module_for(scenario, target)
    with with_url(), listening(made, "create_async_engine") as heard:
        engine = made.create_engine(*primary_of(made))
    [arguments] = heard
    return engine, arguments


def primary_of(made: types.ModuleType) -> tuple[Any, ...]:
    """Return what the code for several databases has to be told, for the first of them."""
    return (made.DATABASES["primary"],) if hasattr(made, "DATABASES") else ()


class Lender:
    """Stands for a pool that is asked to lend; what it hears counts, not what it lends."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def acquire(self, **named: Any) -> Any:
        self.heard.append(named)
        raise Heard


def hear_pool(scenario: Scenario, target: str) -> tuple[dict[str, Any], dict[str, Any]]:
    async def run() -> None:
        with contextlib.suppress(Heard):
            if hasattr(made, "open_pool"):
                await made.open_pool().__aenter__()
            await made.create_pool(*primary_of(made))
        with contextlib.suppress(Heard):
            async with made.acquire(lender):
                pass

    made, lender = module_for(scenario, target), Lender()
    with with_url(), listening(asyncpg, "create_pool", stop=True) as heard:
        asyncio.run(run())
    [arguments] = heard
    [acquired] = lender.heard
    return arguments, acquired


def hear_http(scenario: Scenario, target: str) -> tuple[dict[str, Any], dict[str, Any]]:
    async def run() -> tuple[int, aiohttp.ClientTimeout]:
        async with made.open_http() as session:
            return session.connector.limit, session.timeout

    made = module_for(scenario, target)
    own = [name for name in vars(made) if name.endswith("Connector")]
    with (
        listening(made if own else aiohttp, *own or ("TCPConnector",)) as connectors,
        listening(aiohttp, "ClientTimeout") as limits,
        listening(aiohttp, "ClientSession") as sessions,
    ):
        limit, timeout = asyncio.run(run())
    [connector], [limits], [session] = connectors, limits, sessions
    assert limit == connector["limit"]
    assert session["timeout"] is timeout
    return connector, limits


def same(heard: dict[str, Any], pool: Pool, *, but: tuple[str, ...] = ()) -> None:
    """Compare values and types of every setting of a pool."""
    wanted = {name: getattr(pool, name) for name in settings_of(type(pool)) if name not in but}
    assert {name: repr(value) for name, value in heard.items()} == {
        name: repr(value) for name, value in wanted.items()
    }


def given_each_target(kind: str, *functions: str) -> Callable[[Any], Any]:
    """Draw a scenario of a kind, and one of its targets that has one of the functions."""
    names = [name for one in functions for name in modules_with(kind, one)]
    drawn = given(scenario=scenarios(kind), target=st.sampled_from(names))
    return lambda test: examples(60)(drawn(test))


def check_connect_arguments(arguments: dict[str, Any], scenario: Scenario, target: str) -> None:
    limits = timeouts(scenario)
    assert arguments.pop("timeout") == limits.connect_s
    assert arguments.pop("command_timeout") == limits.command_s
    said = dict(arguments.pop("server_settings"))
    assert said.pop("application_name")
    assert all(isinstance(value, str) for value in said.values())
    if target == "databases":
        assert said.pop("default_transaction_read_only") == "off"
    if target == "pgbouncer":
        # It refuses the settings, and its transactions outlive no prepared statement.
        assert (said, arguments.pop("statement_cache_size")) == ({}, 0)
    else:
        assert said == limits.server_settings
    assert not arguments


@given_each_target("sqlalchemy", "create_engine")
def test_sqlalchemy_engine_hears_the_scenario(scenario: Scenario, target: str) -> None:
    engine, heard = hear_engine(scenario, target)
    check_connect_arguments(heard.pop("connect_args"), scenario, target)
    assert issubclass(heard.pop("poolclass", AsyncAdaptedQueuePool), AsyncAdaptedQueuePool)
    same(heard, scenario.pool)
    assert isinstance(engine.pool, AsyncAdaptedQueuePool)
    assert engine.pool.size() == scenario.pool.pool_size


@given_each_target("sqlalchemy-null", "create_engine")
def test_null_pool_engine_hears_no_pool_settings(scenario: Scenario, target: str) -> None:
    engine, heard = hear_engine(scenario, target)
    check_connect_arguments(heard.pop("connect_args"), scenario, target)
    assert issubclass(heard.pop("poolclass"), NullPool)
    assert not heard
    assert isinstance(engine.pool, NullPool)


@given_each_target("asyncpg", "open_pool", "create_pool")
def test_asyncpg_pool_hears_the_scenario(scenario: Scenario, target: str) -> None:
    created, acquired = hear_pool(scenario, target)
    assert inspect.iscoroutinefunction(created.pop("init"))
    assert ("reset" in created) == (target == "pgbouncer")
    created.pop("reset", None)
    names = {"timeout", "command_timeout", "server_settings", "statement_cache_size"}
    given_names = names & set(created)
    check_connect_arguments({name: created.pop(name) for name in given_names}, scenario, target)
    wait_s = acquired.get("timeout")
    assert wait_s is None or wait_s > 0
    heard = created | {"acquire_timeout": wait_s or 0.0}
    if "init_size" in heard:
        heard["init_size"] = -1 if heard["init_size"] is None else heard["init_size"]
        same(heard, scenario.pool, but=("version",))
    else:
        # Before 0.32 min_size is what is opened at start, and there is no init_size.
        assert heard.pop("min_size") == scenario.pool.connections_at_start
        same(heard, scenario.pool, but=("version", "min_size", "init_size"))


@given_each_target("aiohttp", "open_http")
def test_aiohttp_connector_hears_the_scenario(scenario: Scenario, target: str) -> None:
    connector, limits = hear_http(scenario, target)
    assert connector.pop("ssl").check_hostname
    assert limits.pop("total") == timeouts(scenario).http_total_s
    assert limits.pop("sock_connect") == timeouts(scenario).http_sock_connect_s
    connect = limits.pop("connect")
    assert connect is None or connect > 0
    assert not limits
    heard = {"force_close": False, "connect_timeout": 0.0 if connect is None else connect}
    # aiohttp refuses keepalive_timeout beside force_close, which leaves nothing to keep.
    but = ("keepalive_timeout",) if scenario.pool.force_close else ()
    same(heard | connector, scenario.pool, but=("version", *but))


def hear_psycopg(scenario: Scenario, target: str) -> dict[str, Any]:
    """Return the pool's settings as its constructor hears them; it connects to nothing."""

    async def run() -> None:
        with contextlib.suppress(Heard):
            await made.open_pool().__aenter__()

    made = module_for(scenario, target)
    pool_class = psycopg_pool.AsyncConnectionPool
    with with_url(), listening(pool_class, "__init__", stop=True) as pools:
        asyncio.run(run())
    [heard] = pools
    assert heard.pop("open") is False
    arguments, limits = heard.pop("kwargs"), timeouts(scenario)
    assert arguments.pop("application_name")
    said = dict(
        one.split("=") for one in arguments.pop("options").removeprefix("-c ").split(" -c ")
    )
    assert said == limits.server_settings
    assert arguments == {
        "connect_timeout": round(limits.connect_s),
        "tcp_user_timeout": round(1000 * limits.command_s),
    }
    assert heard.get("check") in (None, pool_class.check_connection)
    assert ("configure" in heard) == (target == "metrics")
    heard.pop("configure", None)
    return heard | {
        "max_size": heard["max_size"] or 0,
        "check": heard.get("check") is not None,
        "reset": heard.get("reset") is not None,
    }


@given_each_target("psycopg", "open_pool")
def test_psycopg_pool_hears_the_scenario(scenario: Scenario, target: str) -> None:
    same(hear_psycopg(scenario, target), scenario.pool)


def hear_httpx(scenario: Scenario, target: str) -> dict[str, Any]:
    """Return the pool's settings as the client's transport and the client itself have them."""

    async def run() -> httpx.Timeout:
        async with made.open_http() as client:
            limit_s: httpx.Timeout = client.timeout
            return limit_s

    made = module_for(scenario, target)
    with (
        listening(httpx, "Limits") as limits,
        listening(httpx.AsyncHTTPTransport, "__init__") as transports,
    ):
        heard_s = asyncio.run(run())
    [heard], [transport] = limits, transports
    assert transport["limits"] == httpx.Limits(**heard)
    assert transport.get("verify", True) is True
    assert heard_s.read == heard_s.write == timeouts(scenario).http_total_s
    assert all(one is None or one > 0 for one in (heard_s.pool, heard_s.connect))
    return heard | {
        "max_connections": heard["max_connections"] or 0,
        "pool_timeout": heard_s.pool or 0.0,
        "connect_timeout": heard_s.connect or 0.0,
    }


@given_each_target("httpx", "open_http")
def test_httpx_client_hears_the_scenario(scenario: Scenario, target: str) -> None:
    same(hear_httpx(scenario, target), scenario.pool)


@pytest.mark.parametrize("kind", KINDS)
def test_application_gives_the_other_pools_their_own_defaults(kind: str) -> None:
    scenario = Scenario(pool=KINDS[kind]())
    if scenario.pool.serves == "http":
        engine, _ = hear_engine(scenario, "fastapi")
        assert engine.pool.size() == 5
    if kind == "psycopg":
        same(hear_psycopg(scenario, "fastapi"), scenario.pool)
    elif kind != "asyncpg":
        created, acquired = hear_pool(scenario, "fastapi")
        assert (created["min_size"], created["max_size"]) == (0, 10)
        assert acquired == {"timeout": 30.0}
    if kind == "httpx":
        same(hear_httpx(scenario, "fastapi"), scenario.pool)
    elif kind != "aiohttp":
        connector, _ = hear_http(scenario, "fastapi")
        assert connector["limit"] == 100


@pytest.mark.parametrize(
    ("given_url", "expected"),
    [
        ("postgresql://u:p%40@h:1/d", "postgresql+asyncpg://u:p%40@h:1/d"),
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql://u@h/d?sslmode=require", "postgresql+asyncpg://u@h/d?ssl=require"),
        ("postgresql://u@/d?host=/run/x", "postgresql+asyncpg://u@/d?host=/run/x"),
    ],
)
@pytest.mark.parametrize("target", modules_with("sqlalchemy", "engine_url"))
def test_engine_url_names_the_driver_whatever_the_variable_names(
    monkeypatch: pytest.MonkeyPatch, given_url: str, expected: str, target: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", given_url)
    url = module_for(Scenario(), target).engine_url()
    assert url == sqlalchemy.make_url(expected)


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize(("kind", "target"), DATABASE_TARGETS)
async def test_missing_database_url_is_named(
    monkeypatch: pytest.MonkeyPatch, value: Any, kind: str, target: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("DATABASE_URL", value)
    made = module_for(Scenario(pool=KINDS[kind]()), target)
    with pytest.raises((RuntimeError, ValueError), match="DATABASE_URL"):
        await opener(made).__aenter__()


def opener(made: types.ModuleType) -> contextlib.AbstractAsyncContextManager[Any]:
    return made.open_pool() if hasattr(made, "open_pool") else made.open_sessions()
