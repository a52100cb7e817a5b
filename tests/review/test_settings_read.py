"""Pasted code moves the sliders: what is found, where, how it is known, what is asked."""

from textwrap import dedent

import pytest

from pools.kinds import KINDS
from pools.review import Reading, read, scenario_of
from pools.setting import InvalidSettings, Value
from sim.query import all_settings, parse
from sim.scenario import Scenario

ENGINE = "from sqlalchemy.ext.asyncio import create_async_engine\n"


def engine(before: str, arguments: str) -> Reading:
    return read(f"import os\n{ENGINE}{dedent(before)}e = create_async_engine(U, {arguments})\n")


def test_literals_are_found_with_their_place() -> None:
    reading = engine("", "pool_size=7, pool_pre_ping=True, pool_timeout=2.5")
    assert reading.kind == "sqlalchemy"
    assert reading.values == {"pool_size": 7, "pool_pre_ping": True, "pool_timeout": 2.5}
    shown = reading.found["pool_size"]
    assert (shown.place.line, shown.how) == (3, "")
    assert "e = create_async_engine(U, pool_size=7"[shown.place.column - 1] == "7"


@pytest.mark.parametrize(
    ("before", "written", "value", "how"),
    [
        ("SIZE = 12\n", "SIZE", 12, "constant SIZE"),
        ("A = 4\nB = A * 3\n", "B", 12, "constant A"),
        ("", "4 * 3", 12, ""),
        ("", "int(os.environ.get('N', '12'))", 12, "default of environment variable N"),
        ("", "int(os.getenv('N', 12))", 12, "default of environment variable N"),
        ("", "int(os.environ.get('N') or 12)", 12, "used where nothing else is set"),
        ("class C:\n    size = 12\n", "C.size", 12, "default of C.size"),
        ("class C:\n    size: int = 12\nc = C()\n", "c.size", 12, "default of C.size"),
        (
            "class S(BaseSettings):\n    size: int = Field(12, ge=1)\ns = S()\n",
            "s.size",
            12,
            "default of S.size",
        ),
        (
            "class S:\n    size: int = 12\ndef get():\n    return S()\n",
            "get().size",
            12,
            "default of S.size",
        ),
        ("class A:\n    size = 12\nclass B(A):\n    pass\n", "B().size", 12, "default of A.size"),
        (
            "@dataclass\nclass D:\n    size: int\nd = D(size=12)\n",
            "d.size",
            12,
            "size of the D",
        ),
        (
            "@dataclass\nclass D:\n    size: int\nprimary = D(4)\nreplica = D(12)\n",
            "replica.size",
            12,
            "size of the D",
        ),
        (
            "@dataclass\nclass D:\n    size: int\nall = [D(12), D(4)]\nd: D = all[0]\n",
            "d.size",
            12,
            "size of the first D",
        ),
        ("O = {'n': 12}\n", "O['n']", 12, "entry n"),
        ("O = dict(n=12)\n", "O.get('n', 3)", 12, ""),
        ("O = {}\n", "O.get('n', 12)", 12, ""),
        ("from decouple import config\n", "config('N', default=12, cast=int)", 12, None),
        ("from environs import env\n", "env.int('N', 12)", 12, None),
    ],
)
def test_values_are_followed_to_where_they_are_written(
    before: str, written: str, value: Value, how: str | None
) -> None:
    reading = engine(before, f"pool_size={written}")
    assert reading.values == {"pool_size": value}
    if how is not None:
        assert reading.found["pool_size"].how == how


@pytest.mark.parametrize(
    "before",
    [
        "O = {'pool_size': 3, 'max_overflow': 0}\n",
        "O = dict(pool_size=3, max_overflow=0)\n",
        "B = {'pool_size': 1, 'max_overflow': 0}\nO = {**B, 'pool_size': 3}\n",
        "B = {'pool_size': 3}\nO = B | {'max_overflow': 0}\n",
        "O = {'pool_size': 3}\nO['max_overflow'] = 0\n",
        "N = 3\nO = {'pool_size': N, 'max_overflow': N - N}\n",
    ],
)
def test_dictionaries_handed_on_with_stars_are_followed(before: str) -> None:
    reading = engine(before, "**O")
    assert reading.values == {"pool_size": 3, "max_overflow": 0}
    assert reading.not_understood == ()


@pytest.mark.parametrize(
    ("before", "arguments", "name", "why"),
    [
        ("", "pool_size=N", "pool_size", "N is not in the text"),
        ("from .conf import N\n", "pool_size=N", "pool_size", "N comes from .conf.N"),
        (
            "",
            "pool_size=int(os.environ['N'])",
            "pool_size",
            "environment variable N has no default here",
        ),
        ("N = 1\nN = 2\n", "pool_size=N", "pool_size", "N has several values"),
        ("", "**options()", "**options", "more settings come from where the text does not show"),
        ("", "pool_size=501", "pool_size", "must be a whole number from 0 to 500 connections"),
        ("", "pool_size='many'", "pool_size", "must be a whole number from 0 to 500 connections"),
        ("", "pool_sise=5", "pool_sise", "is not a parameter of create_async_engine"),
        ("", "poolclass=StaticPool", "poolclass", "StaticPool is not simulated"),
        ("O = {}\nO.update(load())\n", "**O", "**O", "more settings come from"),
    ],
)
def test_what_the_text_does_not_decide_is_asked_with_the_reason(
    before: str, arguments: str, name: str, why: str
) -> None:
    [asked] = engine(before, arguments).not_understood
    assert asked.name == name
    assert why in asked.why


def test_an_argument_passed_by_a_caller_is_not_guessed_from_its_default() -> None:
    body = "def make(size=5):\n    return create_async_engine(U, pool_size=size)\n"
    assert read(ENGINE + body).found["pool_size"].how == "default of argument size"
    assert read(f"{ENGINE}{body}e = make(9)\n").not_understood[0].name == "pool_size"
    assert read(f"{ENGINE}{body}e = make(size=9)\n").not_understood[0].name == "pool_size"


def test_asyncpg_settings_and_the_timeout_of_acquire_are_found() -> None:
    reading = read(
        "import asyncpg\n"
        "async def main(dsn):\n"
        "    async with asyncpg.create_pool(dsn, min_size=1, max_size=4, init_size=None) as pool:\n"
        "        async with pool.acquire(timeout=1.5) as connection:\n"
        "            pass\n"
    )
    assert reading.kind == "asyncpg"
    assert reading.values == {"min_size": 1, "max_size": 4, "init_size": -1, "acquire_timeout": 1.5}


def test_acquires_with_different_timeouts_are_asked_about() -> None:
    reading = read(
        "import asyncpg\n"
        "async def main(pool: asyncpg.Pool):\n"
        "    p = await asyncpg.create_pool()\n"
        "    await pool.acquire(timeout=1)\n"
        "    await pool.acquire(timeout=2)\n"
    )
    assert [asked.name for asked in reading.not_understood] == ["acquire_timeout"]


def test_the_connector_and_its_session_s_timeout_are_one_pool() -> None:
    reading = read(
        "import aiohttp\n"
        "timeout = aiohttp.ClientTimeout(total=30, connect=3, sock_connect=2)\n"
        "connector = aiohttp.TCPConnector(limit=None, limit_per_host=8, keepalive_timeout=4)\n"
        "session = aiohttp.ClientSession(connector=connector, timeout=timeout)\n"
    )
    assert reading.values == {
        "limit": 0,
        "limit_per_host": 8,
        "keepalive_timeout": 4.0,
        "connect_timeout": 3.0,
    }
    assert reading.noted == {"total": "30", "sock_connect": "2"}


def test_a_keep_alive_without_end_has_no_slider_and_is_asked() -> None:
    reading = read("import aiohttp\nc = aiohttp.TCPConnector(keepalive_timeout=None)\n")
    assert [asked.name for asked in reading.not_understood] == ["keepalive_timeout"]


def test_nullpool_is_a_kind_of_its_own() -> None:
    reading = engine("from sqlalchemy.pool import NullPool\n", "poolclass=NullPool, echo=True")
    assert (reading.kind, reading.values, reading.not_understood) == ("sqlalchemy-null", {}, ())


def test_several_pools_are_told_apart_and_the_first_is_the_main_one() -> None:
    reading = read(
        f"{ENGINE}import asyncpg\n"
        "primary = create_async_engine(P, pool_size=8)\n"
        "replica = create_async_engine(R, pool_size=4)\n"
        "async def f():\n    return await asyncpg.create_pool(max_size=3, min_size=1)\n"
    )
    assert [(p.kind, p.name) for p in reading.pools] == [
        ("sqlalchemy", "primary"),
        ("sqlalchemy", "replica"),
        ("asyncpg", ""),
    ]
    assert reading.values == {"pool_size": 8}
    assert scenario_of(reading, Scenario(), "asyncpg").pool == KINDS["asyncpg"](
        max_size=3, min_size=1
    )


def test_connection_settings_without_a_slider_are_noted() -> None:
    reading = engine(
        "ARGS = {'timeout': 5, 'server_settings': {'statement_timeout': '3000', 'x': 'y'}}\n",
        "connect_args=ARGS, pool_reset_on_return=None",
    )
    assert reading.noted == {
        "timeout": "5",
        "statement_timeout": "3000",
        "pool_reset_on_return": "None",
    }


@pytest.mark.parametrize(
    "written",
    [
        '"postgresql+asyncpg://u@h/d?prepared_statement_cache_size=0&pool_size=5"',
        'f"postgresql+asyncpg://{u}@{h}/d?prepared_statement_cache_size=0&pool_size=5"',
        '"postgresql+asyncpg://u@h/d" + "?prepared_statement_cache_size=0&pool_size=5"',
        (
            'URL.create("postgresql+asyncpg", host="h",'
            ' query={"prepared_statement_cache_size": "0", "pool_size": "5"})'
        ),
    ],
)
def test_parameters_of_an_address_are_read_also_from_an_f_string(written: str) -> None:
    reading = read(
        f"from sqlalchemy import URL\n{ENGINE}U = {written}\ne = create_async_engine(U)\n"
    )
    assert reading.noted == {"prepared_statement_cache_size": "0"}
    assert [asked.name for asked in reading.not_understood] == ["pool_size"]


def test_a_reading_becomes_a_scenario_and_keeps_what_the_text_leaves_open() -> None:
    base = parse("pool_size=40&rate=77&workers=3")
    scenario = scenario_of(engine("", "pool_size=6, pool_recycle=900"), base)
    assert scenario.pool == KINDS["sqlalchemy"](pool_size=6, pool_recycle=900)
    assert (scenario.workload.rate_per_s, scenario.fleet.workers) == (77, 3)


def test_settings_that_cannot_stand_together_are_refused_by_name() -> None:
    reading = read("import asyncpg\np = asyncpg.create_pool(max_size=5)\n")
    with pytest.raises(InvalidSettings, match="min_size must be at most max_size"):
        scenario_of(reading, Scenario())


def test_every_value_found_is_one_the_page_takes() -> None:
    reading = engine("", "pool_size=3.0, pool_recycle=True, max_overflow=-1, pool_timeout=30")
    known = all_settings("sqlalchemy")
    for name, value in reading.values.items():
        assert known[name].problem(value) is None
    assert reading.values == {"pool_size": 3, "max_overflow": -1, "pool_timeout": 30.0}


def test_the_summary_counts_what_was_found_and_names_what_was_not() -> None:
    reading = engine("", "pool_size=3, max_overflow=M, pool_timeout=T")
    assert reading.summary == "Found 1 setting, 2 not understood: max_overflow, pool_timeout."


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ("", {}),
        ("timeout=3", {"pool_timeout": 3.0, "connect_timeout": 3.0}),
        (
            "limits=httpx.Limits(max_connections=40)",
            {"pool_connections": 40, "max_keepalive_connections": 500},
        ),
        (
            "limits=httpx.Limits(max_keepalive_connections=7, keepalive_expiry=2)",
            {"pool_connections": 0, "max_keepalive_connections": 7, "keepalive_expiry": 2.0},
        ),
        (
            (
                "limits=httpx.Limits(max_connections=1),"
                "transport=httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=40))"
            ),
            {"pool_connections": 40, "max_keepalive_connections": 500},
        ),
        ("limits=httpx.Limits(max_connections=1), transport=httpx.AsyncHTTPTransport()", {}),
        (
            "timeout=httpx.Timeout(9, pool=None)",
            {"pool_timeout": 0.0, "connect_timeout": 9.0},
        ),
    ],
)
def test_httpx_settings_are_found_and_limits_alone_is_no_limit(
    arguments: str, values: dict[str, Value]
) -> None:
    reading = read(f"import httpx\nclient = httpx.AsyncClient({arguments})\n")
    assert (reading.kind, reading.values) == ("httpx", values)
    assert reading.not_understood == ()


def test_limits_of_a_transport_with_a_name_are_found_and_of_one_unseen_are_asked_for() -> None:
    head = "import httpx\nlimits = httpx.Limits(max_connections=9)\n"
    made = f"{head}carrier = Mine(limits=limits)\nclient = httpx.AsyncClient(transport=carrier)\n"
    assert read(made).values["pool_connections"] == 9
    unseen = read(f"{head}client = httpx.AsyncClient(transport=elsewhere.carrier)\n")
    assert unseen.values == {}
    assert [one.name for one in unseen.not_understood] == ["transport"]
