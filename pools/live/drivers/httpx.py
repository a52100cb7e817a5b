"""httpx's AsyncClient and its httpcore pool on a real HTTP server (`pools.live.http_server`).

The grant is httpcore's own: its trace says when a request begins to be sent on a connection,
and when one is connected. Everything that httpx would take from the environment is off.
"""

import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from pools.live.drivers.http import TOTAL_TIMEOUT_S, AiohttpDriver
from pools.trace import Outcome

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NO_COOKIES = DefaultCookiePolicy(allowed_domains=())
CREATE, CREATED = "connection.connect_tcp.started", "connection.connect_tcp.complete"
GRANTED = "http11.send_request_headers.started"


class HttpxDriver(AiohttpDriver):
    """One AsyncClient; every request is a GET to one host."""

    client: httpx.AsyncClient

    async def connect(self) -> None:
        """Make the client; it connects lazily."""
        self.client = client_of(self.arguments, NO_TLS, httpx.Timeout(TOTAL_TIMEOUT_S))

    async def close(self) -> None:
        """Close the client and its sockets."""
        await self.client.aclose()

    def outcome_of(self, error: BaseException) -> Outcome:
        """Sort an exception of httpx into the outcomes of a Trace."""
        return outcome_of(error)

    async def _get(self, hold_s: float, row: int | None) -> int:
        """Return the client's port as the server saw it."""
        answer = await self.client.get(
            self.server.url,
            params={"hold_s": f"{hold_s:.6f}"},
            extensions={"trace": self._tracer(row)} if row is not None else None,
        )
        answer.raise_for_status()
        return int(answer.text)

    def _tracer(self, row: int) -> Any:  # noqa: ANN401  a coroutine function, as httpcore wants it
        async def note(event: str, _: object) -> None:
            now_s = self.loop.time()
            if event == CREATE:
                self.creation_s[row] = [now_s, now_s]
            elif event == CREATED:
                self.creation_s[row][1] = now_s
            elif event == GRANTED:
                self.record.granted(row, None, now_s)

        return note


def client_of(
    arguments: dict[str, Any], context: ssl.SSLContext, timeout: httpx.Timeout
) -> httpx.AsyncClient:
    """Return a client with the pool's parameters, and nothing from outside.

    No environment (proxies, .netrc), no cookie, no redirect, no decompression asked for.
    """
    limits = httpx.Limits(
        max_connections=arguments["max_connections"] or None,
        max_keepalive_connections=arguments["max_keepalive_connections"],
        keepalive_expiry=arguments["keepalive_expiry"],
    )
    timeout = httpx.Timeout(
        connect=arguments["connect_timeout"] or None,
        pool=arguments["pool_timeout"] or None,
        read=timeout.read,
        write=timeout.write,
    )
    return httpx.AsyncClient(
        limits=limits,
        timeout=timeout,
        verify=context,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(policy=NO_COOKIES),
        headers={"Accept-Encoding": "identity"},
    )


def outcome_of(error: BaseException) -> Outcome:
    """Sort an exception of httpx into the outcomes of a Trace."""
    if isinstance(error, httpx.PoolTimeout | httpx.ConnectTimeout):
        return Outcome.ACQUIRE_TIMEOUT
    if isinstance(error, httpx.ConnectError):
        return Outcome.CONNECT_REFUSED
    if isinstance(error, httpx.TransportError | TimeoutError):
        return Outcome.CONNECTION_LOST
    return Outcome.OTHER_ERROR
