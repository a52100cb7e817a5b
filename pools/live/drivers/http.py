"""aiohttp's ClientSession and TCPConnector on a real HTTP server (`pools.live.http_server`).

The grant is aiohttp's own: the trace signal that a connection is reused or was created. The
server names the connection in each answer by the client's port, and keeps the times at which
it saw connections come and go; both processes read the same monotonic clock.
"""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp

from pools.live.http_server import HttpServer
from pools.live.record import Record
from pools.trace import Cause, Outcome

TOTAL_TIMEOUT_S = 60.0
WARM_HOLD_S = 0.05


class AiohttpDriver:
    """One ClientSession over one TCPConnector; every request is a GET to one host."""

    session: aiohttp.ClientSession

    def __init__(self, server: HttpServer, arguments: Mapping[str, Any]) -> None:
        """Take the connector's parameters under the library's names."""
        self.server = server
        self.arguments = dict(arguments)
        self.record = Record.of(())
        self.loop = asyncio.get_running_loop()
        self.creation_s: dict[int, list[float]] = {}
        self.port_of: dict[int, int] = {}
        self.since_s = 0.0

    async def open(self, record: Record, warm: int) -> None:
        """Make the client, and have it open connections by as many requests."""
        self.record = record
        self.since_s = self.loop.time()
        await self.connect()
        if warm:
            await asyncio.gather(*(self._get(WARM_HOLD_S, None) for _ in range(warm)))

    async def connect(self) -> None:
        """Make the connector and the session; they connect lazily."""
        arguments = dict(self.arguments)
        connect_s = arguments.pop("connect_timeout") or None
        if arguments["force_close"]:
            del arguments["keepalive_timeout"]
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(**arguments),
            timeout=aiohttp.ClientTimeout(total=TOTAL_TIMEOUT_S, connect=connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            trace_configs=[self._tracing()],
        )

    async def request(self, row: int, hold_s: float) -> None:
        """GET an answer that takes `hold_s`, read it, and write down how it went."""
        try:
            self.port_of[row] = await self._get(hold_s, row)
            now_s = self.loop.time()
            self.record.released(row, now_s)
            self.record.returned(row, now_s)
        except Exception as error:  # noqa: BLE001  every failure of a library is an outcome
            self.record.failed(row, self.outcome_of(error), error, self.loop.time())

    async def close(self) -> None:
        """Close the session and its sockets."""
        await self.session.close()

    def outcome_of(self, error: BaseException) -> Outcome:
        """Sort an exception of the library into the outcomes of a Trace."""
        return outcome_of(error)

    async def finish(self) -> None:
        """Add the connections as the server saw them."""
        creation_of = {
            port: self.creation_s[row]
            for row, port in self.port_of.items()
            if row in self.creation_s
        }
        record = self.record
        lives = [life for life in await self.server.connections() if life[1] >= self.since_s]
        for port, opened_s, closed_s in lives:
            began_s, ended_s = creation_of.get(port, (opened_s, opened_s))
            link = record.opening(began_s)
            record.opened(link, port, ended_s)
            if closed_s is not None:
                pooled = not self.arguments.get("force_close")
                record.closed(link, Cause.IDLE if pooled else Cause.NOT_POOLED, closed_s)
        for row, port in self.port_of.items():
            record.trace.connection[row] = record.row_of.get(port, -1)

    async def _get(self, hold_s: float, row: int | None) -> int:
        """Return the client's port as the server saw it."""
        url = self.server.url
        async with self.session.get(
            url, params={"hold_s": f"{hold_s:.6f}"}, trace_request_ctx=row, allow_redirects=False
        ) as answer:
            answer.raise_for_status()
            return int((await answer.content.read(64)).decode())

    def _tracing(self) -> aiohttp.TraceConfig:
        config = aiohttp.TraceConfig()
        config.on_connection_create_start.append(self._on_create)
        config.on_connection_create_end.append(self._on_created)
        config.on_connection_reuseconn.append(self._on_granted)
        return config

    async def _on_create(self, _: object, context: SimpleNamespace, __: object) -> None:
        if context.trace_request_ctx is not None:
            self.creation_s[context.trace_request_ctx] = [self.loop.time(), self.loop.time()]

    async def _on_created(self, session: object, context: SimpleNamespace, what: object) -> None:
        if context.trace_request_ctx is not None:
            self.creation_s[context.trace_request_ctx][1] = self.loop.time()
        await self._on_granted(session, context, what)

    async def _on_granted(self, _: object, context: SimpleNamespace, __: object) -> None:
        if context.trace_request_ctx is not None:
            self.record.granted(context.trace_request_ctx, None, self.loop.time())


def outcome_of(error: BaseException) -> Outcome:
    """Sort an exception of aiohttp into the outcomes of a Trace."""
    if isinstance(error, TimeoutError):
        return Outcome.ACQUIRE_TIMEOUT
    if isinstance(error, aiohttp.ClientConnectorError):
        return Outcome.CONNECT_REFUSED
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        return Outcome.CONNECTION_LOST
    return Outcome.OTHER_ERROR
