"""`SET` in `init` holds only until the connection's first release.

asyncpg resets each connection when it is released, and RESET ALL undoes every SET since the
connect. A timeout set in `init` protects the first request on a connection and none after it.
Source: asyncpg/connection.py (get_reset_query), asyncpg 0.32.0; observed: 11 s, then 0.
"""

import ast
from collections.abc import Iterator

from pools.review.made import Made, made
from pools.review.rule import Found
from pools.review.statements import awaited_calls, sets_session, sql_of, statements_of
from pools.review.things import PG_POOL
from pools.review.tree import Module

LEVEL = "error"


def find(module: Module) -> Iterator[Found]:
    """Yield SET statements in the `init` of pools that use asyncpg's own reset."""
    seen: set[ast.AST] = set()
    for one in made(module, PG_POOL):
        if not _resets(one):
            continue
        body = statements_of(module, one.arguments.get("init"))
        for call in awaited_calls(module, body):
            if sets_session(module, call) and call not in seen:
                seen.add(call)
                yield Found(
                    call,
                    f"{_name(sql_of(module, call))} set in init is lost at the first release:"
                    " asyncpg then runs RESET ALL.",
                    "Set it with create_pool(..., server_settings={...}): sent with the connect,"
                    " and what RESET returns to. Times there are text, in ms.",
                )


def _resets(one: Made) -> bool:
    return not one.is_open and not {"reset", "connection_class", "connect"} & {*one.arguments}


def _name(sql: str) -> str:
    words = sql.replace("=", " ").split()
    name = words[2] if len(words) > 2 and words[1].upper() == "SESSION" else words[1]
    return name if words[0].upper() == "SET" and name.isidentifier() else "What is"


BAD = (
    """
import asyncpg


async def prepare(connection):
    await connection.execute("SET statement_timeout = 5000")  # <-


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, init=prepare)
""",
    """
import asyncpg

TIMEOUT_MS = 3000


async def init_connection(conn: asyncpg.Connection) -> None:
    await conn.execute(f"SET lock_timeout TO {TIMEOUT_MS}")  # <-
    await conn.set_builtin_type_codec("hstore", codec_name="pg_contrib.hstore")


class Database:
    async def connect(self, **where):
        self.pool = await asyncpg.create_pool(
            host=where["host"], database=where["database"], init=init_connection, min_size=1
        )

    async def disconnect(self):
        await self.pool.close()
""",
    """
import asyncpg as pg

OPTIONS = {
    "min_size": 2,
    "init": lambda c: c.execute("SELECT set_config('search_path', 'app', false)"),  # <-
}


async def pool(dsn):
    return await pg.create_pool(dsn, **OPTIONS)
""",
)
GOOD = (
    """
import asyncpg


async def prepare(connection):
    await connection.set_builtin_type_codec("hstore", codec_name="pg_contrib.hstore")


async def open_pool(dsn):
    return await asyncpg.create_pool(
        dsn, init=prepare, server_settings={"statement_timeout": "5000", "search_path": "app"}
    )
""",
    '''
import asyncpg


async def prepare(connection):
    await connection.execute("SET search_path TO app")


async def keep(connection):
    """Our own reset leaves the settings alone."""


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, init=prepare, reset=keep)
''',
    """
import asyncpg


async def warm(connection):
    await connection.fetchval("SELECT 1")
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("CREATE EXTENSION IF NOT EXISTS hstore")


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, init=warm)
""",
)
