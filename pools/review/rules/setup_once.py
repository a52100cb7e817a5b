"""`setup` does work that belongs in `init`: it runs at every acquire.

asyncpg calls `init` once for each new connection and `setup` at every acquire, at a round
trip per statement. Codecs outlive the release; settings made with SET do not, but
server_settings sets them at connect, at no cost, and RESET returns to them.
Source: asyncpg/pool.py (PoolConnectionHolder.acquire, connect), asyncpg 0.32.0; observed: 2
connections, 5 acquires: init ran 2 times, setup 5 times.
"""

import ast
from collections.abc import Iterator

from pools.kinds import AsyncpgPool
from pools.review.edits import rename_argument
from pools.review.made import made
from pools.review.rule import Found, WhatIf
from pools.review.statements import awaited_calls, fixed_set, statements_of
from pools.review.syntax import last_name
from pools.review.things import PG_POOL
from pools.review.tree import Module
from pools.review.what_if import with_hold_added
from sim.scenario import Scenario

_ONCE = frozenset(
    {"set_type_codec", "set_builtin_type_codec", "register_vector", "register_vector_async"}
    | {"reload_schema_state", "add_log_listener", "add_query_logger"}
)


def find(module: Module) -> Iterator[Found]:
    """Yield pools whose `setup` only does what need not be repeated."""
    for one in made(module, PG_POOL):
        given = one.arguments.get("setup")
        body = statements_of(module, given)
        if given is None or not body:
            continue
        calls = awaited_calls(module, body)
        codecs = [c for c in calls if last_name(c.func) in _ONCE]
        sets = [c for c in calls if fixed_set(module, c)]
        if calls and len(codecs) + len(sets) == len(calls):
            edits = (rename_argument(module, one.call, "setup", "init"),)
            can_rename = not sets and "init" not in one.arguments
            yield Found(
                given,
                f"setup runs at every acquire, and {_said(codecs, sets)} at each costs a round"
                " trip or more while the connection is held.",
                "Give codecs to init= instead of setup=, and settings to server_settings={...}.",
                edits if can_rename else (),
            )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare with one more round trip in each hold."""
    if not isinstance(scenario.pool, AsyncpgPool):
        return None
    longer = with_hold_added(scenario, scenario.server.rtt_s)
    return WhatIf(mistaken=longer, fixed=scenario, label="one more round trip at each acquire")


def _said(codecs: list[ast.Call], sets: list[ast.Call]) -> str:
    names = [last_name(codecs[0].func)] if codecs else []
    names += ["SET"] if sets else []
    return " and ".join(names)


BAD = (
    """
import json
import asyncpg


async def prepare(connection):
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, setup=prepare)  # <-
""",
    """
import asyncpg


async def configure(conn: asyncpg.Connection) -> None:
    await conn.execute("SET statement_timeout = '5s'")
    await conn.execute("SET search_path TO app, public")


async def open_pool(dsn):
    return await asyncpg.create_pool(
        dsn,
        min_size=5,
        setup=configure,  # <-
    )
""",
    """
from asyncpg import create_pool
from pgvector.asyncpg import register_vector


class Store:
    @staticmethod
    async def _setup(connection):
        await register_vector(connection)

    async def open(self, dsn):
        self.pool = await create_pool(dsn, max_size=8, setup=self._setup)  # <-

    async def close(self):
        await self.pool.close()
""",
)
GOOD = (
    """
import json
import asyncpg


async def prepare(connection):
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )


async def open_pool(dsn):
    return await asyncpg.create_pool(
        dsn, init=prepare, server_settings={"statement_timeout": "5000"}
    )
""",
    '''
import asyncpg
from contextvars import ContextVar

tenant: ContextVar[str] = ContextVar("tenant")


async def use_tenant(connection):
    """Differs from request to request, so it has to run at each acquire."""
    await connection.execute("SELECT set_config('app.tenant', $1, false)", tenant.get())


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, setup=use_tenant)
''',
    """
import asyncpg

from .codecs import prepare


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, setup=prepare, min_size=2)
""",
)
