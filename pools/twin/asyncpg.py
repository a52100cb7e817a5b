"""asyncpg's own pool on the virtual network.

Drives asyncpg 0.30 to 0.32 through `create_pool`, `acquire` and `release`.
"""

import asyncio
import contextlib
import inspect
from typing import Any, ClassVar

import asyncpg

from pools.kinds import AsyncpgPool
from pools.trace import Outcome
from pools.twin.adapter import Adapter
from pools.twin.network import Network
from pools.twin.notes import Note
from pools.twin.postgres import HOST, PASSWORD, PORT, USER, PostgresServer
from sim.script import Script, Use

HAS_FLOOR = tuple(int(part) for part in asyncpg.__version__.split(".")[:2]) >= (0, 32)
# Before 0.32 the pool itself looks at the clock, too.
KNOWN = inspect.signature(asyncpg.connect).parameters
CLOCKS = ("asyncpg.connection:time", *(() if HAS_FLOOR else ("asyncpg.pool:time",)))


class AsyncpgAdapter(Adapter):
    """`asyncpg.create_pool`, once for each pool of the fleet."""

    clocks: ClassVar[tuple[str, ...]] = CLOCKS
    libraries: ClassVar[tuple[str, ...]] = ("asyncpg",)
    loggers: ClassVar[tuple[str, ...]] = ("asyncpg.pool",)

    def __init__(self, loop: asyncio.AbstractEventLoop, network: Network, script: Script) -> None:
        """Put the server on the network."""
        super().__init__(loop, network, script)
        assert isinstance(script.pool, AsyncpgPool)  # noqa: S101  narrows the type
        self.settings = script.pool
        self.server = PostgresServer(network, script.costs)
        self.pools: list[Any] = []
        listen(network, self.server, script.pools)

    @classmethod
    def version(cls) -> str:
        """Return which of the versions that the kind offers is installed."""
        return "0.32" if HAS_FLOOR else "0.31"

    async def open(self) -> None:
        """Make the pools, all at once; create_pool opens init_size (or min_size) connections."""
        pool = self.settings
        start = {"init_size": pool.connections_at_start} if self.version() == "0.32" else {}
        self.pools = [
            asyncpg.create_pool(
                **connect_arguments(number),
                min_size=pool.min_size,
                max_size=pool.max_size,
                **start,
                max_queries=pool.max_queries,
                max_inactive_connection_lifetime=pool.max_inactive_connection_lifetime,
            )
            for number in range(self.script.pools)
        ]
        await asyncio.gather(*self.pools)

    async def use(self, pool: int, use: Use, note: Note) -> None:
        """Acquire, query, hold, release."""
        timeout = self.settings.wait_s_max if use.timeout_s is None else use.timeout_s
        acquiring = self.pools[pool].acquire(timeout=timeout)
        if not use.explicit:
            async with acquiring as connection:
                await self._hold(connection, use, note)
            return
        connection = await acquiring
        try:
            await self._hold(connection, use, note)
        finally:
            await self.pools[pool].release(connection)

    async def _hold(self, connection: Any, use: Use, note: Note) -> None:  # noqa: ANN401  no types
        note.granted(self.server.wire_of(connection.get_server_pid()))
        if use.work_s is not None:
            await connection.execute(f"SELECT work({use.compute_s!r}, {use.work_s!r})")
        await self.pause(use.hold_s)
        note.released()

    def kill(self, which: int) -> None:
        """Let the server drop a connection."""
        self.server.kill(which)

    def close(self) -> None:
        """Terminate the pools, and let the server drop what is left."""
        for pool in self.pools:
            with contextlib.suppress(asyncpg.InterfaceError):
                pool.terminate()
        while self.server.live:
            self.server.kill(0)

    def outcome_of(self, error: Exception, note: Note) -> Outcome:
        """Tell the acquire timeout from other failures."""
        if note.wire is None and type(error) is TimeoutError:
            return Outcome.ACQUIRE_TIMEOUT
        return super().outcome_of(error, note)


def listen(network: Network, server: PostgresServer, pools: int) -> None:
    """Put the server on the network. Each pool has a port of its own, to tell them apart."""
    network.is_for_requests = is_for_requests
    for number in range(pools):
        network.listen(HOST, PORT + number, server.accept)


def connect_arguments(pool: int) -> dict[str, Any]:
    """Return arguments for asyncpg.connect that leave nothing to the environment."""
    return {
        "host": HOST,
        "port": PORT + pool,
        "user": USER,
        "password": PASSWORD,
        "database": USER,
        "ssl": "prefer",
        "direct_tls": False,
        "target_session_attrs": "any",
    } | ({"service": ""} if "service" in KNOWN else {})


def is_for_requests() -> bool:
    """Whether the running task connects for requests, and not to send a CancelRequest."""
    task = asyncio.current_task()
    coroutine = None if task is None else task.get_coro()
    return getattr(coroutine, "__name__", "") != "_cancel"
