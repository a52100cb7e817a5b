"""psycopg_pool's AsyncConnectionPool on a real PostgreSQL.

One request is what the library's documentation shows: `async with pool.connection()`, a
statement, `commit()`. The pool opens connections in the background, so their failures reach a
check here (`PostgresDriver.open_connection`) and requests only as timeouts.
"""

import asyncio
from typing import Any, Self

import psycopg
import psycopg_pool
from psycopg_pool import AsyncConnectionPool

from pools.live.asking import STATEMENT_TIMEOUT_MS
from pools.live.client_psycopg import GuardedConnection, connect_psycopg
from pools.live.drivers import postgres
from pools.live.drivers.postgres import CONNECT_TIMEOUT_S, PostgresDriver
from pools.live.record import Record
from pools.trace import Cause, Outcome

LOCAL = f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}"
ROUND_TRIP = "SELECT 1"


class PsycopgDriver(PostgresDriver):
    """`AsyncConnectionPool`, every argument explicit."""

    pool: AsyncConnectionPool[GuardedConnection]
    replaced = Cause.IDLE

    async def open(self, record: Record, warm: int) -> None:
        """Make the pool and wait until min_size connections are there."""
        self.record = record
        self.statement = self.work.sql.replace("$1", "%s")
        arguments = dict(self.arguments)
        is_checked, is_reset = arguments.pop("check"), arguments.pop("reset")
        self.pool = AsyncConnectionPool(
            connection_class=self._connections(),
            open=False,
            max_size=arguments.pop("max_size") or None,
            check=AsyncConnectionPool.check_connection if is_checked else None,
            reset=_reset if is_reset else None,
            **arguments,
        )
        await self.pool.open(wait=True, timeout=CONNECT_TIMEOUT_S)
        if warm:
            await self.warm_up(warm)

    def cause_of(self, link: int) -> Cause:
        """Tell a connection that was old from an idle one by its age."""
        age_s = self.record.at(self.loop.time()) - self.record.trace.opening_s[link]
        most_s = self.arguments["max_lifetime"]
        return Cause.RECYCLE if age_s > 0.95 * most_s else Cause.IDLE

    def outcome_of(self, error: BaseException) -> Outcome:
        """Sort an exception of psycopg into the outcomes of a Trace."""
        match error:
            case psycopg_pool.PoolTimeout():
                return Outcome.ACQUIRE_TIMEOUT
            case psycopg_pool.TooManyRequests():
                return Outcome.QUEUE_FULL
            case psycopg.errors.QueryCanceled():
                return Outcome.OTHER_ERROR
            case psycopg.OperationalError() | psycopg.InterfaceError():
                return Outcome.CONNECTION_LOST
            case _:
                return postgres.outcome_of(error)

    async def use(self, row: int, hold_s: float) -> None:
        """Borrow, execute, commit, return."""
        connection = None
        try:
            async with self.pool.connection() as connection:
                self.record.granted(row, connection.get_server_pid(), self.loop.time())
                async with asyncio.timeout(self.target.command_timeout_s):
                    await self.hold(connection, hold_s)
                    await connection.commit()
                self.record.released(row, self.loop.time())
            self.record.returned(row, self.loop.time())
        finally:
            if connection is not None:
                connection.ended()

    async def hold(self, connection: GuardedConnection, hold_s: float) -> None:
        """Keep the connection busy at the server."""
        await connection.execute(self.statement, (self.work.argument(hold_s),))

    async def close_pool(self) -> None:
        """Close the pool."""
        await self.pool.close()

    async def prepare(self, connection: GuardedConnection) -> None:
        """Do nothing to a connection before the pool has it."""

    async def _hold_at(self, gate: asyncio.Barrier) -> None:
        async with self.pool.connection():
            await gate.wait()

    async def _connect(self) -> Any:  # noqa: ANN401  what opens is what closes
        try:
            made = await connect_psycopg(self.target, timeout_s=CONNECT_TIMEOUT_S)
            await self.prepare(made)
        except BaseException as error:
            self.restraint.not_connected(error)
            raise
        self.restraint.connected()
        return made

    def _connections(self) -> type[GuardedConnection]:
        """Return the class that the pool is to connect with: it asks this driver."""
        driver = self

        class Ours(GuardedConnection):
            @classmethod
            async def connect(cls, *_: object, **__: object) -> Self:
                made: Any = await driver.open_connection()
                return made  # type: ignore[no-any-return]

        return Ours


class PooledPsycopgDriver(PsycopgDriver):
    """The same behind a pooler in transaction mode: nothing of a session lasts."""

    async def prepare(self, connection: GuardedConnection) -> None:
        """Have each transaction begin as BEGIN READ ONLY, which asks the server nothing now."""
        await connection.set_read_only(True)

    async def hold(self, connection: GuardedConnection, hold_s: float) -> None:
        """Set the timeout for this transaction alone, then sleep."""
        await connection.execute(LOCAL)
        await super().hold(connection, hold_s)


async def _reset(connection: GuardedConnection) -> None:
    """Ask for nothing, which takes as long as a reset."""
    await connection.set_autocommit(True)
    await connection.execute(ROUND_TRIP)
    await connection.set_autocommit(False)
