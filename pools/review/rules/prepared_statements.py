"""Prepared statements are cached on connections that PgBouncer swaps underneath.

In transaction mode each transaction may run on another server connection, which does not know
the statements that the client prepared: "prepared statement does not exist", in 1 of 5 to 1 of
40 queries here. asyncpg and SQLAlchemy's dialect for it cache statements by default.
Source: observed with asyncpg 0.32, SQLAlchemy 2.1.9 and PgBouncer 1.18; PgBouncer from 1.21
follows prepared statements itself if max_prepared_statements is above 0.
"""

import ast
from collections.abc import Iterator

from pools.review.capacity import is_pooler
from pools.review.dsn import Dsn
from pools.review.edits import Edit, add_argument
from pools.review.made import Made, address, made
from pools.review.rule import Found
from pools.review.settings import connection_settings
from pools.review.things import ENGINE, PG_POOL
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.worth import Known, Unknown

LEVEL = "error"
_SUPABASE = ("pooler.supabase.com", 6543)


def find(module: Module) -> Iterator[Found]:
    """Yield asyncpg pools and engines behind a pooler that keep a statement cache."""
    noted = module.context.noted
    if noted.get("pool_mode") == "session" or noted.get("max_prepared_statements", "0") != "0":
        return
    for one in made(module, ENGINE, PG_POOL):
        dsn = address(module, one)
        if dsn is None or not _swaps_connections(dsn) or one.is_open:
            continue
        if one.thing == PG_POOL and not _is_off(module, one, "statement_cache_size"):
            yield Found(one.call, _why(dsn), _ADVICE, _pool_edits(module, one))
        elif one.thing == ENGINE and _speaks_asyncpg(dsn) and not _is_safe_engine(module, one):
            yield Found(one.call, _why(dsn), _ADVICE, _engine_edits(module, one))


_ADVICE = (
    "Switch the cache off: statement_cache_size=0 for asyncpg, for SQLAlchemy"
    ' connect_args={"statement_cache_size": 0}; or set max_prepared_statements in PgBouncer 1.21'
    " or later."
)


def _swaps_connections(dsn: Dsn) -> bool:
    """Whether the address is PgBouncer's, or a pooler's known for transaction mode."""
    host, port = _SUPABASE
    if host in dsn.host:
        return dsn.port == port
    return is_pooler(dsn) and "neon" not in dsn.host


def _why(dsn: Dsn) -> str:
    what = "port 6432 is PgBouncer's" if dsn.port == 6432 else "the host is a pooler"
    return (
        f"The address leads to a pooler ({what}), and statements are cached on connections that"
        " it swaps in transaction mode: queries fail with 'prepared statement does not exist'."
    )


def _speaks_asyncpg(dsn: Dsn) -> bool:
    driver = dsn.scheme.partition("+")[2]
    return driver == "asyncpg" or "\ufffc" in dsn.scheme


def _is_safe_engine(module: Module, one: Made) -> bool:
    """Whether SQLAlchemy is set up in one of the ways that were observed to work."""
    given = connection_settings(module, one)
    if "connect_args" in one.arguments and not given:
        return True  # it comes from elsewhere
    if _is_zero(module, given.get("statement_cache_size")):
        return True
    dsn = address(module, one)
    query = dsn.query if dsn is not None else {}
    autocommit = evaluate(module, one.arguments.get("isolation_level", ast.Constant(None)))
    in_transactions = isinstance(autocommit, Known) and autocommit.value != "AUTOCOMMIT"
    cache = given.get("prepared_statement_cache_size")
    if in_transactions and (
        _is_zero(module, cache) or query.get("prepared_statement_cache_size") == "0"
    ):
        return True
    unpooled = one.poolclass == "NullPool"
    return unpooled and "prepared_statement_name_func" in given


def _is_off(module: Module, one: Made, name: str) -> bool:
    return _is_zero(module, one.arguments.get(name))


def _is_zero(module: Module, node: ast.expr | None) -> bool:
    """Whether a setting is 0, or is decided elsewhere."""
    if node is None:
        return False
    answer = evaluate(module, node)
    return isinstance(answer, Unknown) or answer.value in (0, "0")


def _pool_edits(module: Module, one: Made) -> tuple[Edit, ...]:
    if "statement_cache_size" in one.arguments:
        return ()
    return (add_argument(module, one.call, "statement_cache_size=0"),)


def _engine_edits(module: Module, one: Made) -> tuple[Edit, ...]:
    if "connect_args" in one.arguments:
        return ()
    return (add_argument(module, one.call, 'connect_args={"statement_cache_size": 0}'),)


BAD = (
    """
import asyncpg


async def open_pool():
    return await asyncpg.create_pool(  # <-
        host="pgbouncer.internal", port=6432, database="orders", max_size=20
    )
""",
    """
import os
from sqlalchemy.ext.asyncio import create_async_engine

USER, PASSWORD = os.environ["PGUSER"], os.environ["PGPASSWORD"]
URL = f"postgresql+asyncpg://{USER}:{PASSWORD}@db.internal:6432/orders"
engine = create_async_engine(URL, pool_pre_ping=True, pool_size=10)  # <-
""",
    """
from uuid import uuid4

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine

url = URL.create("postgresql+asyncpg", host="pgbouncer", port=5432, database="orders")
engine = create_async_engine(  # <-
    url,
    pool_recycle=300,
    connect_args={"prepared_statement_name_func": lambda: f"__asyncpg_{uuid4()}__"},
)
""",
)
GOOD = (
    """
import asyncpg


async def open_pool():
    return await asyncpg.create_pool(
        host="pgbouncer.internal", port=6432, database="orders", statement_cache_size=0
    )
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    "postgresql+asyncpg://app@db.internal:6432/orders",
    pool_pre_ping=True,
    connect_args={"statement_cache_size": 0},
)
direct = create_async_engine("postgresql+asyncpg://app@db.internal:5432/orders", pool_recycle=900)
""",
    """
from uuid import uuid4

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

engine = create_async_engine(
    "postgresql+asyncpg://app@pgbouncer/orders",
    poolclass=NullPool,
    connect_args={"prepared_statement_name_func": lambda: f"__asyncpg_{uuid4()}__"},
)
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    "postgresql+psycopg://app@pgbouncer:6432/orders",
    pool_pre_ping=True,
    connect_args={"prepare_threshold": None},
)
""",
)
