"""psycopg's pool on the virtual network.

Drives psycopg_pool 3.3.3 through `AsyncConnectionPool`, `connection`, `open` and `close`. The
pool is the library's own; the connections it opens are `Connection`s of
`pools.twin.psycopg_connection`, because libpq's sockets are C code that no event loop sees.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar
from unittest.mock import patch

import psycopg
import psycopg_pool

from pools.kinds.psycopg import PsycopgPool
from pools.trace import Outcome
from pools.twin.adapter import Adapter
from pools.twin.asyncpg import listen
from pools.twin.network import Network
from pools.twin.notes import Note
from pools.twin.postgres import PostgresServer
from pools.twin.psycopg_connection import Connection
from sim.script import Script, Use

# Whose chance the running task draws from: tasks inherit it from who started them.
CHANCE: ContextVar[random.Random] = ContextVar("CHANCE")
OPEN_S = 3600.0


class PsycopgAdapter(Adapter):
    """An `AsyncConnectionPool` for each pool of the fleet, opened without waiting."""

    clocks: ClassVar[tuple[str, ...]] = (
        "psycopg_pool.pool_async:monotonic",
        "psycopg_pool.sched_async:monotonic",
        "psycopg_pool.base:monotonic",
        "asyncpg.connection:time",
    )
    libraries: ClassVar[tuple[str, ...]] = ("psycopg-pool", "psycopg")
    loggers: ClassVar[tuple[str, ...]] = ("psycopg", "psycopg.pool")
    limits: ClassVar[tuple[str, ...]] = (
        "The pool is psycopg's own; its connections are stand-ins, since libpq's are C code.",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, network: Network, script: Script) -> None:
        """Put the server on the network."""
        super().__init__(loop, network, script)
        assert isinstance(script.pool, PsycopgPool)  # noqa: S101  narrows the type
        self.settings = script.pool
        self.server = PostgresServer(network, script.costs)
        self.pools: list[psycopg_pool.AsyncConnectionPool[Any]] = []
        self.chances: list[random.Random] = []
        listen(network, self.server, script.pools)

    @contextmanager
    def chance(self) -> Iterator[None]:
        """Draw the library's jitter from the stream of the pool it is for."""
        with patch("psycopg_pool.base.random", lambda: CHANCE.get().random()):
            yield

    async def open(self) -> None:
        """Make and open the pools; they connect in the background."""
        for number in range(self.script.pools):
            chance = random.Random(self.script.seed)  # noqa: S311  no secret
            CHANCE.set(chance)
            pool = self._pool(number)
            self.chances.append(chance)
            self.pools.append(pool)
            await pool.open()

    async def use(self, pool: int, use: Use, note: Note) -> None:
        """Borrow, execute, hold, commit, return."""
        CHANCE.set(self.chances[pool])
        async with self.pools[pool].connection(timeout=use.timeout_s) as connection:
            note.granted(self.server.wire_of(connection.backend))
            if use.work_s is not None:
                await connection.execute(f"SELECT work({use.compute_s!r}, {use.work_s!r})")
            await self.pause(use.hold_s)
            if use.work_s is not None:
                await connection.commit()
            note.released()

    def kill(self, which: int) -> None:
        """Let the server drop a connection."""
        self.server.kill(which)

    def close(self) -> None:
        """Close the pools, and let the server drop what is left."""
        for pool in self.pools:
            self.loop.create_task(pool.close(timeout=0.0))
        while self.server.live:
            self.server.kill(0)

    def outcome_of(self, error: Exception, note: Note) -> Outcome:
        """Tell the pool's own errors from a lost connection."""
        if isinstance(error, psycopg_pool.PoolTimeout):
            return Outcome.ACQUIRE_TIMEOUT
        if isinstance(error, psycopg_pool.TooManyRequests):
            return Outcome.QUEUE_FULL
        if isinstance(error, psycopg.OperationalError):
            return super().outcome_of(error, note)
        return Outcome.OTHER_ERROR

    def _pool(self, number: int) -> "psycopg_pool.AsyncConnectionPool[Any]":
        made = self.settings
        return psycopg_pool.AsyncConnectionPool(
            connection_class=Connection,
            kwargs={"pool": number},
            open=False,
            min_size=made.min_size,
            max_size=made.max_size or None,
            timeout=made.timeout,
            max_waiting=made.max_waiting,
            max_lifetime=made.max_lifetime,
            max_idle=made.max_idle,
            reconnect_timeout=made.reconnect_timeout,
            num_workers=made.num_workers,
            check=psycopg_pool.AsyncConnectionPool.check_connection if made.check else None,
            reset=_reset if made.reset else None,
        )


async def _reset(connection: Connection) -> None:
    await connection.set_autocommit(True)
    try:
        await connection.execute("DISCARD ALL")
    finally:
        await connection.set_autocommit(False)
