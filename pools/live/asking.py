"""The questions a check asks a server it does not own: fixed, read-only, short.

Each is asked in a transaction of its own under SET LOCAL: behind a pooler in transaction mode
a plain SET would stay and hold for other clients.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg

from pools.live.client import Connection, Target, connect
from pools.live.diagnose.activity import Activity, activity_of
from pools.live.preflight import PostgresFacts, Spread
from pools.live.secret import Secret
from pools.live.target import OwnPostgres

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_MS = 5000
COUNT = "SELECT sum(numbackends)::int FROM pg_stat_database"
FACTS = """
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS number,
       current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
       (SELECT sum(numbackends)::int FROM pg_stat_database) AS in_use,
       (SELECT numbackends FROM pg_stat_database WHERE datid = d.oid) AS database_in_use,
       (SELECT count(*)::int FROM pg_stat_activity WHERE usesysid = r.oid) AS role_in_use,
       d.datconnlimit AS database_limit,
       r.rolconnlimit AS role_limit,
       r.rolsuper OR EXISTS (
           SELECT FROM pg_roles AS reserve
           WHERE reserve.rolname = 'pg_use_reserved_connections'
             AND pg_has_role(r.oid, reserve.oid, 'member')) AS takes_reserved,
       pg_is_in_recovery() AS is_standby,
       pg_backend_pid() AS backend
FROM pg_roles AS r, pg_database AS d
WHERE r.rolname = session_user AND d.datname = current_database()
"""
TIMEOUTS = """
SELECT name, reset_val || coalesce(unit, '') AS value FROM pg_settings
WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
               'idle_session_timeout', 'transaction_timeout')
  AND reset_val <> '0'
ORDER BY name
"""
NOT_TAKEN = (
    asyncpg.ProtocolViolationError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
    asyncpg.InsufficientPrivilegeError,
)
EXTENSION = """
SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
# mean_exec_time since version 1.8 of the extension (PostgreSQL 13).
STATEMENTS = """
SELECT sum(calls)::bigint AS n,
       sum(calls * {mean}) / sum(calls) / 1000 AS mean_s,
       sum(calls * ({deviation} ^ 2 + {mean} ^ 2)) / sum(calls) / 1000000 AS square_s2
FROM {schema}.pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND query !~* '^\\s*(begin|start|commit|end|rollback|abort|savepoint|release|set|show|reset'
                '|discard|deallocate|listen|unlisten|close|checkpoint|vacuum|analyze)\\y'
"""


def target_of(own: OwnPostgres, ident: str) -> Target:
    """Return how a check connects at first: with nothing but its name, as behind a pooler."""
    return Target(
        own.host,
        own.port,
        own.user,
        Secret(own.password.reveal()),
        own.database,
        tls=own.tls,
        settings={"application_name": f"poolwise/{ident}"},
        command_timeout_s=COMMAND_TIMEOUT_S,
        is_pooled=True,
    )


async def look(target: Target, *, tries_settings: bool = True) -> PostgresFacts:
    """Find out what a server allows, over one connection and a second one to try settings.

    Without `tries_settings` what the target asks for is taken as it is.
    """
    connection = await connect(target, timeout_s=CONNECT_TIMEOUT_S)
    announced = connection.get_server_pid()
    try:
        async with reading(connection) as ask:
            found = dict(await ask.fetchrow(FACTS))
            timeouts = {row["name"]: row["value"] for row in await ask.fetch(TIMEOUTS)}
        statements = await _statements(connection, found["number"])
    finally:
        connection.terminate()
    number, backend = found.pop("number"), found.pop("backend")
    for name in ("in_use", "database_in_use", "role_in_use"):
        found[name] = max(0, found[name] - 1)
    pooled = backend != announced
    if pooled or not tries_settings:
        settings = dict(target.settings)
    else:
        settings = await _accepted(target, number)
    return PostgresFacts(
        **found,
        is_pooled=pooled or (tries_settings and settings == target.settings),
        settings=settings,
        timeouts=timeouts,
        statements=statements,
    )


def prepared(target: Target, facts: PostgresFacts) -> Target:
    """Return how the check itself connects, once it is known what the server takes."""
    return replace(target, settings=facts.settings, is_pooled=facts.is_pooled)


async def count(connection: Connection) -> int:
    """Count the connections to the server, whichever role they are of."""
    async with reading(connection) as ask:
        return int(await ask.fetchval(COUNT))


async def activity(target: Target) -> Activity:
    """Ask who is connected, over one connection."""
    connection = await connect(target, timeout_s=CONNECT_TIMEOUT_S)
    try:
        async with reading(connection) as ask:
            return await activity_of(ask)
    finally:
        connection.terminate()


@asynccontextmanager
async def reading(connection: Connection) -> AsyncIterator[Any]:
    """Give the connection inside a read-only transaction with a statement timeout."""
    async with connection.transaction(readonly=True):
        await connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
        yield connection


async def _statements(connection: Connection, number: int) -> Spread | None:
    """Read how long this database's statements take, where that is kept and may be read."""
    word = "exec_time" if number >= 130_000 else "time"
    with contextlib.suppress(asyncpg.PostgresError):
        async with reading(connection) as ask:
            schema = await ask.fetchval(EXTENSION)
            if schema is None:
                return None
            quoted = '"' + str(schema).replace('"', '""') + '"'
            found = await ask.fetchrow(
                STATEMENTS.format(schema=quoted, mean=f"mean_{word}", deviation=f"stddev_{word}")
            )
        if found["n"]:
            variance = max(0.0, found["square_s2"] - found["mean_s"] ** 2)
            return Spread(found["mean_s"], variance**0.5, found["n"])
    return None


async def _accepted(target: Target, number: int) -> dict[str, str]:
    """Return the settings to ask for at start: all that this server, or what is in front, takes.

    Where it takes nothing but the name, the check works as behind a pooler.
    """
    name = dict(target.settings)
    wanted = name | {
        "default_transaction_read_only": "on",
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "lock_timeout": "1000",
        "idle_in_transaction_session_timeout": "10000",
        "jit": "off",
    }
    newer = {"client_connection_check_interval": "1000", "idle_session_timeout": "60000"}
    for settings in (wanted | newer, wanted) if number >= 140_000 else (wanted,):
        with contextlib.suppress(*NOT_TAKEN):
            tried = await connect(replace(target, settings=settings), timeout_s=CONNECT_TIMEOUT_S)
            tried.terminate()
            return settings
    return name
