"""What psycopg's pool is given for connections: psycopg's behaviour over asyncpg's protocol.

psycopg sends through libpq, whose sockets are out of an event loop's sight. So the statements
that a psycopg connection sends (BEGIN before the first, COMMIT or ROLLBACK, the empty one of a
check) travel through asyncpg here, one round trip each; and a lost connection is noticed when it
is used next, as libpq does. What a pool sees of a connection is: `connect`, `close`, `closed`,
`execute`, `commit`, `rollback`, `set_autocommit`, `pgconn.transaction_status`.

Source: psycopg/connection_async.py, psycopg/_connection_base.py, psycopg 3.3.9.
"""

import asyncio
from typing import Any

import asyncpg
import psycopg
from psycopg.pq import TransactionStatus

from pools.twin.asyncpg import connect_arguments

NEVER_S = 1e6


class Connection:
    """A connection that a psycopg pool can keep. `backend` is its process number there."""

    __aenter__ = psycopg.AsyncConnection.__aenter__
    __aexit__ = psycopg.AsyncConnection.__aexit__

    def __init__(self, real: Any) -> None:  # noqa: ANN401  asyncpg has no types
        """Take an open connection."""
        self._real = real
        self.backend: int = real.get_server_pid()
        self.autocommit = False
        self.transaction_status = TransactionStatus.IDLE

    @classmethod
    async def connect(cls, _conninfo: str = "", *, pool: int = 0) -> "Connection":
        """Connect as often as psycopg would: once. Raises psycopg.OperationalError."""
        try:
            return cls(await asyncpg.connect(**connect_arguments(pool), timeout=NEVER_S))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise psycopg.OperationalError(str(error)) from error

    @property
    def pgconn(self) -> "Connection":
        """Stand where libpq's connection would: it knows the transaction's status."""
        return self

    @property
    def closed(self) -> bool:
        """Whether it was closed, or found to be lost."""
        return self.transaction_status is TransactionStatus.UNKNOWN

    async def close(self) -> None:
        """Say goodbye without waiting for an answer."""
        self.transaction_status = TransactionStatus.UNKNOWN
        self._real.terminate()

    async def set_autocommit(self, value: bool) -> None:
        """Begin transactions no longer, or again; the server is not told."""
        self.autocommit = value

    async def execute(self, query: str) -> None:
        """Execute a statement, in a transaction unless told otherwise."""
        idle, within = TransactionStatus.IDLE, TransactionStatus.INTRANS
        if not self.autocommit and self.transaction_status is idle:
            await self._talk("BEGIN", within)
        await self._talk(query, idle if self.autocommit else within)

    async def commit(self) -> None:
        """Commit, if there is something to commit."""
        if self.transaction_status is not TransactionStatus.IDLE:
            await self._talk("COMMIT", TransactionStatus.IDLE)

    async def rollback(self) -> None:
        """Roll back, if there is something to roll back."""
        if self.transaction_status is not TransactionStatus.IDLE:
            await self._talk("ROLLBACK", TransactionStatus.IDLE)

    async def _talk(self, query: str, after: TransactionStatus) -> None:
        """Send a statement; if cancelled, cancel it on the server first, as psycopg does."""
        if self.closed:
            raise psycopg.OperationalError("the connection is closed")
        self.transaction_status = TransactionStatus.ACTIVE
        try:
            # asyncpg has no answer for an empty statement; one that is not takes as long.
            await self._real.execute(query or "SELECT 1")
        except asyncio.CancelledError:
            self.transaction_status = await self._cancelled(after)
            raise
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            await self.close()
            raise psycopg.OperationalError(str(error)) from error
        self.transaction_status = after

    async def _cancelled(self, after: TransactionStatus) -> TransactionStatus:
        await self._real._protocol._wait_for_cancellation()  # noqa: SLF001  as its own pool does
        if self._real.is_closed():
            await self.close()
            return TransactionStatus.UNKNOWN
        return after
