"""httpx's AsyncClient on an HTTP endpoint that a person names.

The endpoint decides how long each answer takes. Connections are seen from this side: httpcore's
network backend says when one is made, its streams when they are closed.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx
from httpcore._backends.anyio import AnyIOBackend, AnyIOStream

from pools.live.client import tls_context
from pools.live.drivers.httpx import GRANTED, NO_TLS, client_of, outcome_of
from pools.live.drivers.own_http import (
    BODY_BYTES_MOST,
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    ROW,
    TOTAL_TIMEOUT_S,
    OwnHttpDriver,
    Redirects,
    TooLong,
)
from pools.live.problems import during
from pools.trace import Cause, Outcome


class OwnHttpxDriver(OwnHttpDriver):
    """One AsyncClient; every request asks for the same resource."""

    client: httpx.AsyncClient

    async def connect(self) -> None:
        """Make the client; it connects lazily."""
        arguments = dict(self.arguments)
        connect_s = arguments["connect_timeout"] or CONNECT_TIMEOUT_S
        arguments["connect_timeout"] = min(connect_s, CONNECT_TIMEOUT_S)
        context = tls_context(self.target.tls) or NO_TLS
        self.client = client_of(arguments, context, httpx.Timeout(READ_TIMEOUT_S))
        # httpcore offers the network backend as a parameter; httpx does not hand it on.
        transport: Any = self.client._transport  # noqa: SLF001
        transport._pool._network_backend = _Backend(self)  # noqa: SLF001

    async def close(self) -> None:
        """Close the client and its sockets."""
        await self.client.aclose()

    def outcome_of(self, error: BaseException) -> Outcome:
        """Sort an exception of httpx into the outcomes of a Trace."""
        return outcome_of(error)

    async def get(self) -> tuple[int, int]:
        """Return status and length of one answer. Raises what httpx raises, and TooLong."""
        request = self.client.build_request(
            self.target.method,
            str(self.url.origin()),
            extensions={
                "target": self.target.resource.reveal().encode(),
                "trace": self._trace,
            },
        )
        with during("read"):
            async with asyncio.timeout(TOTAL_TIMEOUT_S):
                return await self._read(await self.client.send(request, stream=True))

    async def _read(self, answer: httpx.Response) -> tuple[int, int]:
        try:
            row, stream = ROW.get(), answer.extensions["network_stream"]
            if row is not None and isinstance(stream, _Stream):
                self.record.trace.connection[row] = stream.link
            if answer.is_redirect:
                raise Redirects
            answer.raise_for_status()
            size = 0
            async for piece in answer.aiter_raw():
                size += len(piece)
                if size > BODY_BYTES_MOST:
                    raise TooLong
            return answer.status_code, size
        finally:
            await answer.aclose()

    async def _trace(self, event: str, _: object) -> None:
        row = ROW.get()
        if event == GRANTED and row is not None:
            self.record.granted(row, None, self.loop.time())


class _Backend(AnyIOBackend):
    """httpcore's own backend, which also says when it makes connections."""

    def __init__(self, driver: OwnHttpxDriver) -> None:
        self.driver = driver

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as httpcore declares it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        driver, record = self.driver, self.driver.record
        link = record.opening(driver.loop.time())
        try:
            made: Any = await super().connect_tcp(
                host, port, timeout, local_address, socket_options
            )
        except BaseException as error:
            record.closed(link, Cause.OPEN_FAILED, driver.loop.time())
            driver.restraint.not_connected(error)
            raise
        stream = _Stream(made, driver, link)
        if driver.target.tls.mode == "disable":
            stream.is_open()
        return stream


class _Stream(AnyIOStream):
    """httpcore's own stream, which also says when it is open (after TLS) and when it closes."""

    def __init__(self, made: AnyIOStream, driver: OwnHttpxDriver, link: int) -> None:
        super().__init__(made._stream)  # noqa: SLF001  the stream that it wraps
        self.driver = driver
        self.link = link

    def is_open(self) -> None:
        self.driver.restraint.connected()
        self.driver.record.opened(self.link, self.link, self.driver.loop.time())

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  as httpcore declares it
    ) -> httpcore.AsyncNetworkStream:
        try:
            made: Any = await super().start_tls(ssl_context, server_hostname, timeout)
        except BaseException as error:
            self.driver.record.closed(self.link, Cause.OPEN_FAILED, self.driver.loop.time())
            self.driver.restraint.not_connected(error)
            raise
        stream = _Stream(made, self.driver, self.link)
        stream.is_open()
        return stream

    async def aclose(self) -> None:
        self.driver.record.closed(self.link, Cause.IDLE, self.driver.loop.time())
        await super().aclose()
