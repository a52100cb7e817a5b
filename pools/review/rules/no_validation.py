"""An engine notices dead connections only when a request fails on them.

With pool_pre_ping off, no pool_recycle and no retry, each restart of the database, fail-over
or idle cut of a firewall is found by a request: SQLAlchemy then replaces the whole pool, but
the request that found it has failed.
Source: SQLAlchemy, Dealing with Disconnects; sqlalchemy/pool/base.py (_ConnectionFairy).
"""

import ast
import re
from collections.abc import Iterator

from pools.kinds import SqlalchemyQueue
from pools.review.edits import add_argument
from pools.review.lifetimes import is_lifespan, is_main, is_startup, is_test
from pools.review.made import Made, address, made
from pools.review.rule import Found, WhatIf
from pools.review.syntax import last_name
from pools.review.things import ENGINE, SYNC_ENGINE
from pools.review.tree import Module
from pools.review.what_if import with_pool
from pools.review.worth import Known, number
from sim.scenario import Scenario

LEVEL = "note"
_UNPOOLED = frozenset({"NullPool", "StaticPool", "SingletonThreadPool", "AssertionPool"})
_RETRIES = frozenset({"connection_invalidated", "tenacity", "stamina", "backoff", "is_disconnect"})
_SERVERS = re.compile(r"^(postgres|mysql|mariadb|cockroach|oracle|mssql|redshift)")
_EMBEDDED = re.compile(r"sqlite|memory|test", re.IGNORECASE)


def find(module: Module) -> Iterator[Found]:
    """Yield long-lived engines that neither test nor renew connections."""
    if module.once(_retries):
        return
    for one in made(module, ENGINE, SYNC_ENGINE):
        if (
            _is_long_lived(module, one)
            and _has_server(module, one)
            and not _is_validated(module, one)
        ):
            yield Found(
                one.call,
                "Dead connections are found by requests: pool_pre_ping is off, and there is"
                " neither pool_recycle nor a retry. After a restart of the database or an idle"
                " cut, a request fails before the pool is renewed.",
                "Add pool_pre_ping=True (3 round trips at each checkout), or retry once on"
                " connection_invalidated.",
                (add_argument(module, one.call, "pool_pre_ping=True"),),
            )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Say what a restart costs as it is, and what pre-ping would cost instead."""
    if not isinstance(scenario.pool, SqlalchemyQueue) or scenario.pool.pool_pre_ping:
        return None
    pinged = with_pool(scenario, pool_pre_ping=True)
    if pinged is None:
        return None
    added_ms = (pinged.hold_s_mean - scenario.hold_s_mean) * 1000
    pools = scenario.fleet.pools
    failed = "one request" if pools == 1 else f"{pools} requests, one in each pool"
    said = (
        f"Each restart of the database fails {failed}."
        f" Pre-ping instead adds {added_ms:.3g} ms to each checkout."
    )
    return WhatIf(said, pinged, scenario, "with pre-ping")


def _is_long_lived(module: Module, one: Made) -> bool:
    if one.is_open or one.poolclass in _UNPOOLED:
        return False
    if {"creator", "async_creator", "pool"} & {*one.arguments}:
        return False
    if one.function is not None and (is_main(one.function) or is_test(one.function)):
        return False
    if one.role == "local" and one.function is not None:
        return is_lifespan(module, one.function) or is_startup(module, one.function)
    return one.role in {"module", "class", "self", "global", "attribute", "returned"}


def _has_server(module: Module, one: Made) -> bool:
    dsn = address(module, one)
    if dsn is not None and "\ufffc" not in dsn.scheme:
        return _SERVERS.match(dsn.scheme) is not None
    url = one.arguments.get("url")
    said = ast.dump(url) if url is not None else ""
    return one.thing == ENGINE and not _EMBEDDED.search(said)


def _is_validated(module: Module, one: Made) -> bool:
    ping, recycle = one.argument(module, "pool_pre_ping"), one.argument(module, "pool_recycle")
    if ping is not None and not (isinstance(ping, Known) and not ping.value):
        return True
    age_s = number(recycle)
    return recycle is not None and (age_s is None or age_s > 0)


def _retries(module: Module) -> bool:
    """Whether anything in the module deals with lost connections itself."""
    names = {last_name(node) for node in module.nodes if isinstance(node, ast.Name | ast.Attribute)}
    roots = {name.partition(".")[0] for name in module.imports.values()}
    return bool((names | roots) & _RETRIES)


BAD = (
    """
from aiohttp import web
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine


async def database(app: web.Application):
    engine = create_async_engine(app["config"]["dsn"])  # <-
    app["sessions"] = async_sessionmaker(engine)
    yield
    await engine.dispose()


app = web.Application()
app.cleanup_ctx.append(database)
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://app@db.internal/orders", pool_size=20)  # <-
""",
    """
from pydantic_settings import BaseSettings
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine


class Settings(BaseSettings):
    database_url: str
    pool_size: int = 10


settings = Settings()
engine = create_async_engine(  # <-
    settings.database_url,
    pool_size=settings.pool_size,
    max_overflow=5,
)
sessions = async_sessionmaker(engine)
""",
    """
import os

import sqlalchemy

URL = "mysql+pymysql://" + os.environ["DB_HOST"] + "/shop"
db = sqlalchemy.create_engine(URL, pool_pre_ping=False, pool_recycle=-1)  # <-
""",
    """
import sqlalchemy.ext.asyncio as sa


class Database:
    def __init__(self, url: str) -> None:
        self.engine = sa.create_async_engine(url, echo=False)  # <-

    async def close(self) -> None:
        await self.engine.dispose()
""",
)
GOOD = (
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://app@db/orders", pool_pre_ping=True)
analytics = create_async_engine("postgresql+asyncpg://app@dwh/facts", pool_recycle=1800)
""",
    """
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_engine("sqlite:///app.db")
other = create_async_engine("sqlite+aiosqlite:///app.db")
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

engine = create_async_engine("postgresql+asyncpg://app@pgbouncer.local/orders", poolclass=NullPool,
                             connect_args={"statement_cache_size": 0})
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

OPTIONS = {"pool_size": 20, "pool_pre_ping": True}
engine = create_async_engine("postgresql+asyncpg://app@db/orders", **OPTIONS)


def make(url, **kwargs):
    return create_async_engine(url, **kwargs)
""",
    """
import stamina
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://app@db/orders")


def is_lost(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


@stamina.retry(on=is_lost, attempts=2)
async def count() -> int:
    async with engine.connect() as connection:
        return (await connection.exec_driver_sql("SELECT count(*) FROM orders")).scalar_one()
""",
    """
import asyncio

from sqlalchemy.ext.asyncio import create_async_engine


async def main():
    engine = create_async_engine("postgresql+asyncpg://app@db/orders")
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (id int)")
    await engine.dispose()


asyncio.run(main())
""",
)
