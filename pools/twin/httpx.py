"""httpx's client on the virtual network.

Drives httpx 0.28.1 and httpcore 1.0.9 through `AsyncClient` and httpcore's network backend.
"""

import asyncio
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, ClassVar

import httpcore
import httpx
from httpcore._backends.anyio import AnyIOBackend, AnyIOStream

from pools.kinds.httpx import HttpxPool
from pools.trace import Outcome
from pools.twin.http import url_of
from pools.twin.http_adapter import ASKING, HttpAdapter
from pools.twin.network import Network
from pools.twin.notes import Note
from sim.script import Script, Use

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class HttpxAdapter(HttpAdapter):
    """An `AsyncClient` with its own transport, once for each pool of the fleet."""

    clocks: ClassVar[tuple[str, ...]] = ("httpcore._async.http11:time",)
    libraries: ClassVar[tuple[str, ...]] = ("httpx", "httpcore", "anyio", "h11")

    def __init__(self, loop: asyncio.AbstractEventLoop, network: Network, script: Script) -> None:
        """Put the hosts on the network."""
        super().__init__(loop, network, script)
        assert isinstance(script.pool, HttpxPool)  # noqa: S101  narrows the type
        self.settings = script.pool
        self.clients: list[httpx.AsyncClient] = []

    @contextmanager
    def chance(self) -> Iterator[None]:
        """Say at once if sniffio is missing.

        httpcore looks for it at each step, which would take a third of the time.
        """
        if find_spec("sniffio") is not None:
            yield
            return
        sys.modules["sniffio"] = None  # type: ignore[assignment]  # "not to be found"
        try:
            yield
        finally:
            del sys.modules["sniffio"]

    async def open(self) -> None:
        """Make the clients."""
        self.clients = [self._client() for _ in range(self.script.pools)]

    async def use(self, pool: int, use: Use, note: Note) -> None:
        """Send a request and read the response."""
        ASKING.set(note)
        timeout = self._timeout(use.timeout_s)
        await self.clients[pool].get(url_of(pool, use), timeout=timeout)
        note.released()

    def close(self) -> None:
        """Leave what is left to the end of the loop."""

    def outcome_of(self, error: Exception, note: Note) -> Outcome:
        """Sort httpx's exceptions."""
        if isinstance(error, httpx.PoolTimeout | httpx.ConnectTimeout):
            return Outcome.ACQUIRE_TIMEOUT
        if isinstance(error, httpx.ConnectError):
            return Outcome.CONNECT_REFUSED
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
            return Outcome.CONNECTION_LOST
        return Outcome.OTHER_ERROR

    def _client(self) -> httpx.AsyncClient:
        made = self.settings
        limits = httpx.Limits(
            max_connections=made.max_connections or None,
            max_keepalive_connections=made.max_keepalive_connections,
            keepalive_expiry=made.keepalive_expiry,
        )
        transport = httpx.AsyncHTTPTransport(verify=_NO_TLS, trust_env=False, limits=limits)
        # httpcore offers the network backend as a parameter; httpx does not hand it on.
        transport._pool._network_backend = _Backend()  # noqa: SLF001
        return httpx.AsyncClient(transport=transport, trust_env=False, timeout=self._timeout(None))

    def _timeout(self, pool_s: float | None) -> httpx.Timeout:
        made = self.settings
        wait_s = made.wait_s_max if pool_s is None else pool_s
        connect_s = made.connect_timeout or None
        return httpx.Timeout(None, pool=wait_s, connect=connect_s)


class _Backend(AnyIOBackend):
    """httpcore's own backend; only what it asks a socket is asked of the transport."""

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:  # noqa: ANN401
        """Connect through the loop, as anyio does."""
        stream = await super().connect_tcp(*args, **options)
        assert isinstance(stream, AnyIOStream)  # noqa: S101  what AnyIOBackend makes
        return _Stream(stream._stream)  # noqa: SLF001


class _Stream(AnyIOStream):
    """A stream whose end is a transport in memory."""

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  httpcore's signature
        """Say whether something waits to be read; there is no socket and no TLS."""
        if info == "is_readable":
            transport: Any = self._stream._transport  # type: ignore[attr-defined]  # noqa: SLF001
            return transport.is_readable()
        return None
