"""SQLAlchemy's AsyncAdaptedQueuePool and NullPool, and asyncpg's pool, on a real PostgreSQL.

One request is what the libraries' documentation shows: SQLAlchemy `async with
engine.connect()`, a statement, `commit()`; asyncpg `acquire()`, a statement, `release()`.
"""

import asyncio
import errno
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar

import asyncpg
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from pools.live.client import Connection, Target, connect
from pools.live.record import Record
from pools.live.restraint import NoSlot, Restraint
from pools.trace import Cause, Outcome

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 0.3
ROW = "poolwise_row"
ASKING: ContextVar[int | None] = ContextVar("poolwise_asking", default=None)
MEASURED = frozenset({Outcome.ACQUIRE_TIMEOUT, Outcome.QUEUE_FULL})
NO_SLOT = (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError)
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
)


@dataclass(frozen=True, slots=True)
class Work:
    """The statement by which a request holds its connection, and its argument for a hold."""

    sql: str
    argument: Callable[[float], object]


SLEEP = Work("SELECT pg_sleep($1)", lambda hold_s: hold_s)


class PostgresDriver:
    """What the PostgreSQL drivers share: opening connections and writing down their lives."""

    replaced: ClassVar[Cause] = Cause.OVERFLOW

    def __init__(self, target: Target, arguments: Mapping[str, Any], work: Work = SLEEP) -> None:
        """Take the pool's parameters under the library's names, and what requests do."""
        self.target = target
        self.work = work
        self.arguments = dict(arguments)
        self.record = Record.of(())
        self.loop = asyncio.get_running_loop()
        self.restraint = Restraint()
        self.lives: set[Connection] = set()
        self.is_shut = False

    async def open_connection(self, *_: object, **__: object) -> Connection:
        """Open one connection for the pool and note when it opens and closes."""
        if self.is_shut:
            raise NoSlot("the check is closing its connections")
        await self.restraint.settled()
        link = self.record.opening(self.loop.time())
        try:
            self.restraint.connecting()
            made = await self._connect()
        except BaseException:
            self.record.closed(link, Cause.OPEN_FAILED, self.loop.time())
            raise
        self.record.opened(link, made.get_server_pid(), self.loop.time())
        self.lives.add(made)
        made.add_termination_listener(lambda _: self._closed(link, made))
        return made

    async def _connect(self) -> Connection:
        try:
            made = await connect(self.target, timeout_s=CONNECT_TIMEOUT_S)
        except BaseException as error:
            self.restraint.not_connected(error)
            raise
        self.restraint.connected()
        return made

    def _closed(self, link: int, connection: Connection) -> None:
        self.lives.discard(connection)
        self.restraint.closed()
        self.record.closed(link, self.cause_of(link), self.loop.time())

    def cause_of(self, link: int) -> Cause:
        """Say why the pool closed a connection; what cannot be seen is inferred."""
        return self.replaced

    async def warm_up(self, warm: int) -> None:
        """Have the pool open `warm` connections by holding that many at once."""
        gate = asyncio.Barrier(warm)
        await asyncio.gather(*(self._hold_at(gate) for _ in range(warm)))

    async def request(self, row: int, hold_s: float) -> None:
        """Serve one scheduled request and write down how it went."""
        failed = False
        try:
            await self.use(row, hold_s)
        except Exception as error:  # noqa: BLE001  every failure of a library is an outcome
            outcome = self.outcome_of(error)
            if outcome is Outcome.ACQUIRE_TIMEOUT and self.record.was_granted(row):
                outcome = Outcome.CONNECTION_LOST  # it was the statement that took too long
            self.record.failed(row, outcome, error, self.loop.time())
            if outcome is Outcome.CONNECTION_LOST:
                self.restraint.lost()
            failed = outcome not in MEASURED and not isinstance(error, NoSlot)
        self.restraint.answered(failed=failed)

    def outcome_of(self, error: BaseException) -> Outcome:
        """Sort an exception of the library into the outcomes of a Trace."""
        return outcome_of(error)

    async def finish(self) -> None:
        """Add nothing: the client saw everything."""

    async def close(self) -> None:
        """Close the pool: politely for a moment, then by force.

        None is opened from now on: asyncpg would replace what is cut, to keep its min_size.
        A library that ignores being cancelled is not waited for.
        """
        self.is_shut = True
        closing = asyncio.ensure_future(self.close_pool())
        done, _ = await asyncio.wait({closing}, timeout=CLOSE_TIMEOUT_S)
        for connection in list(self.lives):
            connection.terminate()
        if done:
            closing.exception()
        closing.cancel()

    @abstractmethod
    async def open(self, record: Record, warm: int) -> None:
        """Make the pool."""

    @abstractmethod
    async def close_pool(self) -> None:
        """Close the pool as its library does."""

    @abstractmethod
    async def use(self, row: int, hold_s: float) -> None:
        """Borrow, hold, return."""

    @abstractmethod
    async def _hold_at(self, gate: asyncio.Barrier) -> None:
        """Borrow, meet the others, return."""


class SqlalchemyDriver(PostgresDriver):
    """`create_async_engine` with its default pool class."""

    engine: AsyncEngine

    async def open(self, record: Record, warm: int) -> None:
        """Make the engine; it connects lazily."""
        self.record = record
        self.engine = create_async_engine(
            "postgresql+asyncpg://", **self.creation(), **self.pool_arguments()
        )
        self.checked_out_s: dict[int, float] = {}
        self.checked_in_s: dict[int, float] = {}
        self.statement = sqlalchemy.text(self.work.sql.replace("$1", ":argument"))
        sqlalchemy.event.listen(self.engine.sync_engine, "checkout", self._checkout)
        sqlalchemy.event.listen(self.engine.sync_engine, "checkin", self._checkin)
        if warm:
            await self.warm_up(warm)

    def _checkout(self, _: object, record: ConnectionPoolEntry, __: object) -> None:
        """Note when the pool lent a connection, which its borrower learns a little later."""
        row = ASKING.get()
        if row is not None:
            record.info[ROW] = row
            self.checked_out_s[row] = self.loop.time()

    def _checkin(self, _: object, record: ConnectionPoolEntry) -> None:
        """Note when a connection went back, which its borrower learns a little later."""
        row = record.info.pop(ROW, None)
        if row is not None:
            self.checked_in_s[row] = self.loop.time()

    def creation(self) -> dict[str, Any]:
        """Return how connections are made."""
        return {"async_creator": self.open_connection}

    def pool_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments that decide about the pool."""
        return self.arguments

    def cause_of(self, link: int) -> Cause:
        """Tell a recycled connection from a surplus one by its age."""
        recycle_s = self.arguments.get("pool_recycle", -1)
        age_s = self.record.at(self.loop.time()) - self.record.trace.opening_s[link]
        return Cause.RECYCLE if -1 < recycle_s < age_s else self.replaced

    async def use(self, row: int, hold_s: float) -> None:
        """Connect, execute, commit, close."""
        ASKING.set(row)
        async with self.engine.connect() as connection:
            self.record.granted(row, _server_pid(connection), self.checked_out_s.pop(row))
            await self.hold(connection, hold_s)
            await connection.commit()
            self.record.released(row, self.loop.time())
        closed = self.record.is_closed(row)
        self.record.returned(row, self.loop.time() if closed else self.checked_in_s[row])

    async def hold(self, connection: AsyncConnection, hold_s: float) -> None:
        """Keep the connection busy at the server."""
        await connection.execute(self.statement, {"argument": self.work.argument(hold_s)})

    async def _hold_at(self, gate: asyncio.Barrier) -> None:
        async with self.engine.connect():
            await gate.wait()

    async def close_pool(self) -> None:
        """Dispose of the engine."""
        await self.engine.dispose()


class SqlalchemyNullDriver(SqlalchemyDriver):
    """`create_async_engine(poolclass=NullPool)`."""

    replaced = Cause.NOT_POOLED

    def pool_arguments(self) -> dict[str, Any]:
        """Return the pool class alone."""
        return {"poolclass": NullPool}


class AsyncpgDriver(PostgresDriver):
    """`asyncpg.create_pool`, and `acquire_timeout` as the timeout of each acquire."""

    pool: Any
    replaced = Cause.IDLE

    async def open(self, record: Record, warm: int) -> None:
        """Make the pool; create_pool opens init_size (or min_size) connections."""
        self.record = record
        arguments = dict(self.arguments)
        self.timeout_s = arguments.pop("acquire_timeout") or None
        if arguments["init_size"] == -1:
            del arguments["init_size"]
        self.row_with: dict[int, int] = {}
        self.reset_s: dict[int, float] = {}
        self.pool = await asyncpg.create_pool(
            connect=self.open_connection, reset=self._reset, **arguments
        )
        if warm:
            await self.warm_up(warm)

    async def _reset(self, connection: Any) -> None:  # noqa: ANN401  the library says no type
        """Reset as the pool does by itself, and note when it can lend the connection again.

        Its borrower learns that a few turns of the event loop later.
        """
        await self.reset(connection)
        row = self.row_with.pop(connection.get_server_pid(), None)
        if row is not None:
            self.reset_s[row] = self.loop.time()

    def cause_of(self, link: int) -> Cause:
        """Tell a used-up connection from an idle one: used up only if that can happen here."""
        return Cause.MAX_QUERIES if self.arguments["max_queries"] < 50_000 else Cause.IDLE

    async def use(self, row: int, hold_s: float) -> None:
        """Acquire, execute, release."""
        connection = await self.pool.acquire(timeout=self.timeout_s)
        try:
            pid = connection.get_server_pid()
            self.record.granted(row, pid, self.loop.time())
            await self.hold(connection, hold_s)
            self.record.released(row, self.loop.time())
            self.row_with[pid] = row
        finally:
            await self.pool.release(connection)
        self.record.returned(row, self.reset_s.pop(row, self.loop.time()))

    async def hold(self, connection: Connection, hold_s: float) -> None:
        """Keep the connection busy at the server."""
        await connection.fetchval(self.work.sql, self.work.argument(hold_s))

    async def reset(self, connection: Connection) -> None:
        """Reset a connection that comes back, as the pool does by itself."""
        await connection.reset()

    async def _hold_at(self, gate: asyncio.Barrier) -> None:
        async with self.pool.acquire():
            await gate.wait()

    async def close_pool(self) -> None:
        """Close the pool, which waits for what is still lent."""
        await self.pool.close()


def outcome_of(error: BaseException) -> Outcome:
    """Sort an exception of either library into the outcomes of a Trace."""
    cause = _root(error)
    if isinstance(cause, sqlalchemy.exc.TimeoutError | TimeoutError):
        return Outcome.ACQUIRE_TIMEOUT
    if isinstance(cause, OSError) and cause.errno == errno.EMFILE:
        return Outcome.OTHER_ERROR
    if isinstance(cause, (*NO_SLOT, OSError)):
        return Outcome.CONNECT_REFUSED
    if isinstance(cause, LOST):
        return Outcome.CONNECTION_LOST
    return Outcome.OTHER_ERROR


def _root(error: BaseException) -> BaseException:
    """Return the driver's own exception from inside SQLAlchemy's wrapping."""
    wrapped = getattr(error, "orig", None)
    return (wrapped.__cause__ or wrapped) if isinstance(wrapped, BaseException) else error


def _server_pid(connection: AsyncConnection) -> int:
    """Return the server process of what the pool lent (no round trip)."""
    borrowed = connection.sync_connection
    if borrowed is None:
        raise RuntimeError("an AsyncConnection that was not started")
    driver: Any = borrowed.connection.driver_connection
    return int(driver.get_server_pid())
