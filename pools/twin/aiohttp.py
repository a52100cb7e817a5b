"""aiohttp's client on the virtual network.

Drives aiohttp 3.14.5 (and 3.10 to 3.13) through `ClientSession` and `TCPConnector`.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import aiohttp
import aiohttp.connector

from pools.kinds import AiohttpConnector
from pools.trace import Outcome
from pools.twin.http import pool_of, url_of
from pools.twin.http_adapter import ASKING, HttpAdapter
from pools.twin.network import Network
from pools.twin.notes import Note
from sim.script import Script, Use


class AiohttpAdapter(HttpAdapter):
    """A `ClientSession` with its own `TCPConnector`, once for each pool of the fleet."""

    clocks: ClassVar[tuple[str, ...]] = ("aiohttp.connector:monotonic",)
    libraries: ClassVar[tuple[str, ...]] = ("aiohttp",)

    def __init__(self, loop: asyncio.AbstractEventLoop, network: Network, script: Script) -> None:
        """Put the hosts on the network."""
        super().__init__(loop, network, script)
        assert isinstance(script.pool, AiohttpConnector)  # noqa: S101  narrows the type
        self.settings = script.pool
        self.sessions: list[aiohttp.ClientSession] = []

    @classmethod
    def version(cls) -> str:
        """Return which of the versions that the kind offers is installed."""
        installed = tuple(int(part) for part in aiohttp.__version__.split(".")[:3])
        if installed < (3, 10, 11):
            return "3.10"
        return "3.10.11" if installed < (3, 11) else "3.11"

    async def open(self) -> None:
        """Make the sessions."""
        self.sessions = [
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(**self._connector_settings()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_timeout(self.settings.wait_s_max),
            )
            for _ in range(self.script.pools)
        ]

    @contextmanager
    def chance(self) -> Iterator[None]:
        """Let the library draw from the script's seed, each pool its own."""
        connector: Any = aiohttp.connector
        saved, connector.random = connector.random, _Chance(self.script.seed)
        try:
            yield
        finally:
            connector.random = saved

    async def use(self, pool: int, use: Use, note: Note) -> None:
        """Send a request and read the response."""
        ASKING.set(note)
        method = "GET" if use.idempotent else "POST"
        timeout = self.sessions[pool].timeout if use.timeout_s is None else _timeout(use.timeout_s)
        request = self.sessions[pool].request(method, url_of(pool, use), timeout=timeout)
        async with request as response:
            await response.read()
            note.released()

    def close(self) -> None:
        """Close what is left."""
        for session in self.sessions:
            if session.connector is not None:
                session.connector._close()  # noqa: SLF001  at once: `close` would have to be awaited
            session.detach()

    def outcome_of(self, error: Exception, note: Note) -> Outcome:
        """Sort aiohttp's exceptions."""
        if isinstance(error, aiohttp.ServerTimeoutError):
            return Outcome.ACQUIRE_TIMEOUT
        if isinstance(error, aiohttp.ClientConnectorError):
            return Outcome.CONNECT_REFUSED
        if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
            return Outcome.CONNECTION_LOST
        return Outcome.OTHER_ERROR

    def _connector_settings(self) -> dict[str, Any]:
        made = self.settings
        limits: dict[str, Any] = {"limit": made.limit, "limit_per_host": made.limit_per_host}
        if made.force_close:
            return {**limits, "force_close": True}
        return {**limits, "keepalive_timeout": made.keepalive_timeout}


class _Chance:
    """Stands where aiohttp's connector says `random`."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[int, random.Random] = {}

    def shuffle(self, keys: list[Any]) -> None:
        """Shuffle hosts, with the stream of their pool."""
        pool = pool_of(keys[0].host)
        stream = self._streams.setdefault(pool, random.Random(self._seed))  # noqa: S311
        stream.shuffle(keys)


def _timeout(connect_s: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=None, sock_read=None)
