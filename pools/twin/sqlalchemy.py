"""SQLAlchemy's engine over asyncpg on the virtual network.

Drives SQLAlchemy 2.1.9 through `create_async_engine`, `connect`, `execute`, `commit`, `close`.
"""

import asyncio
from typing import Any, ClassVar

import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from pools.kinds import SqlalchemyQueue
from pools.trace import Outcome
from pools.twin.adapter import Adapter
from pools.twin.asyncpg import connect_arguments, listen
from pools.twin.network import Network
from pools.twin.notes import Note
from pools.twin.postgres import PostgresServer
from sim.script import Script, Use

WORK = sqlalchemy.text("SELECT work(:compute_s, :work_s)")


class SqlalchemyAdapter(Adapter):
    """`create_async_engine` with its default pool class, once for each pool of the fleet."""

    clocks: ClassVar[tuple[str, ...]] = (
        "asyncpg.connection:time",
        "sqlalchemy.pool.base:time",
        "sqlalchemy.dialects.postgresql.asyncpg:time",
    )
    libraries: ClassVar[tuple[str, ...]] = ("sqlalchemy", "asyncpg")
    loggers: ClassVar[tuple[str, ...]] = (
        "sqlalchemy.pool.impl.AsyncAdaptedQueuePool",
        "sqlalchemy.pool.impl.NullPool",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, network: Network, script: Script) -> None:
        """Put the server on the network."""
        super().__init__(loop, network, script)
        self.server = PostgresServer(network, script.costs)
        self.engines: list[AsyncEngine] = []
        listen(network, self.server, script.pools)

    async def open(self) -> None:
        """Make the engines; they connect lazily."""
        self.engines = [
            create_async_engine(
                "postgresql+asyncpg://",
                connect_args=connect_arguments(number),
                **self.pool_arguments(),
            )
            for number in range(self.script.pools)
        ]

    def pool_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments that decide about the pool."""
        pool = self.script.pool
        assert isinstance(pool, SqlalchemyQueue)  # noqa: S101  narrows the type
        return {
            "pool_size": pool.pool_size,
            "max_overflow": pool.max_overflow,
            "pool_timeout": pool.pool_timeout,
            "pool_recycle": pool.pool_recycle,
            "pool_pre_ping": pool.pool_pre_ping,
            "pool_use_lifo": pool.pool_use_lifo,
        }

    async def use(self, pool: int, use: Use, note: Note) -> None:
        """Connect, execute, hold, commit, close."""
        engine = self.engines[pool]
        if not use.explicit:
            async with engine.connect() as connection:
                await self._hold(connection, use, note)
            return
        connection = await engine.connect()
        try:
            await self._hold(connection, use, note)
        finally:
            await connection.close()

    async def _hold(self, connection: AsyncConnection, use: Use, note: Note) -> None:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        note.granted(self.server.wire_of(driver.get_server_pid()))
        del driver
        if use.work_s is not None:
            await connection.execute(WORK, {"compute_s": use.compute_s, "work_s": use.work_s})
        await self.pause(use.hold_s)
        if use.work_s is not None and use.commits:
            await connection.commit()
        note.released()

    def kill(self, which: int) -> None:
        """Let the server drop a connection."""
        self.server.kill(which)

    def close(self) -> None:
        """Let the server drop all connections."""
        while self.server.live:
            self.server.kill(0)

    def outcome_of(self, error: Exception, note: Note) -> Outcome:
        """Tell the pool's timeout from other failures."""
        if isinstance(error, sqlalchemy.exc.TimeoutError):
            return Outcome.ACQUIRE_TIMEOUT
        return super().outcome_of(error, note)


class SqlalchemyNullAdapter(SqlalchemyAdapter):
    """`create_async_engine(poolclass=NullPool)`."""

    def pool_arguments(self) -> dict[str, Any]:
        """Return the pool class alone."""
        return {"poolclass": NullPool}
