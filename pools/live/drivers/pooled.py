"""The same pools behind a pooler in transaction mode (PgBouncer): nothing of a session lasts.

Each request is one read-only transaction under SET LOCAL. There are no prepared statements
that outlive it, and asyncpg's reset, which could meet another client's session, is replaced
by a plain round trip.
"""

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from pools.live.asking import STATEMENT_TIMEOUT_MS
from pools.live.client import Connection
from pools.live.drivers.postgres import AsyncpgDriver, SqlalchemyDriver, SqlalchemyNullDriver

LOCAL = f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}"


class PooledSqlalchemyDriver(SqlalchemyDriver):
    """`create_async_engine` with unnamed statements and read-only transactions."""

    def creation(self) -> dict[str, Any]:
        """Return how connections are made: SQLAlchemy keeps no statement either."""

        def creator() -> Any:  # noqa: ANN401  what SQLAlchemy's dialect makes
            return self.engine.dialect.dbapi.connect(  # type: ignore[union-attr]
                async_creator_fn=self.open_connection,
                prepared_statement_cache_size=0,
                prepared_statement_name_func=str,
            )

        return {"creator": creator, "execution_options": {"postgresql_readonly": True}}

    async def hold(self, connection: AsyncConnection, hold_s: float) -> None:
        """Set the timeout for this transaction alone, then sleep."""
        await connection.exec_driver_sql(LOCAL)
        await super().hold(connection, hold_s)


class PooledSqlalchemyNullDriver(PooledSqlalchemyDriver, SqlalchemyNullDriver):
    """The same without a pool of its own."""


class PooledAsyncpgDriver(AsyncpgDriver):
    """`asyncpg.create_pool` with one simple query for each request."""

    async def hold(self, connection: Connection, hold_s: float) -> None:
        """Sleep in a read-only transaction: one round trip, as without a pooler."""
        sleep = f"SELECT pg_sleep({hold_s:.6f})"
        await connection.execute(f"BEGIN READ ONLY; {LOCAL}; {sleep}; COMMIT")

    async def reset(self, connection: Connection) -> None:
        """Ask for nothing, which takes as long as asyncpg's own reset."""
        await asyncio.wait_for(connection.execute("SELECT 1"), self.target.command_timeout_s)
