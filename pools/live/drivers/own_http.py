"""aiohttp's ClientSession and TCPConnector on an HTTP endpoint that a person names.

The endpoint decides how long each answer takes; a request reads it up to a bound. What the
built-in server would tell about connections is seen from this side: when the connector makes
one, lends it, and when it is gone.
"""

import asyncio
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace as Tracing
from yarl import URL

from pools.live import own_problems
from pools.live.client import tls_context
from pools.live.drivers.http import AiohttpDriver
from pools.live.problems import LiveCheckFailed
from pools.live.record import Record
from pools.live.restraint import Restraint
from pools.live.target import OwnHttp, bracketed
from pools.trace import Cause, Outcome

TOTAL_TIMEOUT_S, CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 3.0, 5.0
BODY_BYTES_MOST = 64 * 1024
HEADER_BYTES_MOST = 8190
REDIRECTS = range(300, 400)
ROW: ContextVar[int | None] = ContextVar("poolwise_http_row", default=None)


class TooLong(LiveCheckFailed):
    """An answer is longer than a check reads."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(own_problems.too_large(BODY_BYTES_MOST))


class Redirects(LiveCheckFailed):
    """The endpoint sends its clients elsewhere, where a check does not go."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(own_problems.redirects())


class OwnHttpDriver(AiohttpDriver):
    """One ClientSession over one TCPConnector; every request asks for the same resource."""

    def __init__(self, target: OwnHttp, arguments: dict[str, Any], restraint: Restraint) -> None:
        """Take the endpoint and the connector's parameters under the library's names."""
        self.target = target
        self.arguments = arguments
        self.restraint = restraint
        self.record = Record.of(())
        self.loop = asyncio.get_running_loop()
        place = f"{target.scheme}://{bracketed(target.host)}:{target.port}"
        self.url = URL(place + target.resource.reveal(), encoded=True)

    async def open(self, record: Record, warm: int) -> None:
        """Make the client, and have it open connections by as many requests."""
        self.record = record
        await self.connect()
        if warm:
            await asyncio.gather(*(self.get() for _ in range(warm)))

    async def connect(self) -> None:
        """Make the connector and the session; they connect lazily."""
        arguments = dict(self.arguments)
        connect_s = arguments.pop("connect_timeout", 0.0) or None
        if arguments.get("force_close"):
            del arguments["keepalive_timeout"]
        self.session = aiohttp.ClientSession(
            connector=_Watched(self, arguments),
            timeout=aiohttp.ClientTimeout(
                total=TOTAL_TIMEOUT_S,
                connect=connect_s,
                sock_connect=CONNECT_TIMEOUT_S,
                sock_read=READ_TIMEOUT_S,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADER_BYTES_MOST,
            max_field_size=HEADER_BYTES_MOST,
            read_bufsize=BODY_BYTES_MOST,
        )

    async def request(self, row: int, hold_s: float) -> None:
        """Ask once, read the answer, and write down how it went."""
        ROW.set(row)
        failed = False
        try:
            await self.get()
            now_s = self.loop.time()
            self.record.released(row, now_s)
            self.record.returned(row, now_s)
        except Exception as error:  # noqa: BLE001  every failure of a library is an outcome
            outcome = self.outcome_of(error)
            if outcome is Outcome.ACQUIRE_TIMEOUT and self.record.was_granted(row):
                outcome = Outcome.CONNECTION_LOST  # it was the answer that took too long
            self.record.failed(row, outcome, error, self.loop.time())
            failed = outcome is not Outcome.ACQUIRE_TIMEOUT
        self.restraint.answered(failed=failed)

    async def get(self) -> tuple[int, int]:
        """Return status and length of one answer.

        Raises what aiohttp raises, TooLong and Redirects.
        """
        context = tls_context(self.target.tls)
        async with self.session.request(
            self.target.method, self.url, allow_redirects=False, ssl=context or True
        ) as answer:
            if answer.status in REDIRECTS:
                raise Redirects
            answer.raise_for_status()
            size = 0
            async for piece in answer.content.iter_chunked(BODY_BYTES_MOST):
                size += len(piece)
                if size > BODY_BYTES_MOST:
                    raise TooLong
            return answer.status, size

    async def finish(self) -> None:
        """Add nothing: this side saw everything."""

    def lent(self, protocol: ResponseHandler) -> None:
        """Note that the connector lends a connection to the request under way."""
        row = ROW.get()
        if row is not None:
            self.record.granted(row, id(protocol), self.loop.time())


class _Watched(aiohttp.TCPConnector):
    """aiohttp's connector, which also says when it makes, lends and loses connections."""

    def __init__(self, driver: OwnHttpDriver, arguments: dict[str, Any]) -> None:
        super().__init__(**arguments, resolver=aiohttp.ThreadedResolver())
        self._driver = driver

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Tracing],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  as aiohttp declares it
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if connection.protocol is not None:
            self._driver.lent(connection.protocol)
        return connection

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Tracing],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  as aiohttp declares it
    ) -> ResponseHandler:
        driver, record = self._driver, self._driver.record
        link = record.opening(driver.loop.time())
        try:
            protocol = await super()._create_connection(req, traces, timeout)
        except BaseException as error:
            record.closed(link, Cause.OPEN_FAILED, driver.loop.time())
            driver.restraint.not_connected(error)
            raise
        driver.restraint.connected()
        record.opened(link, id(protocol), driver.loop.time())
        cause = Cause.NOT_POOLED if driver.arguments.get("force_close") else Cause.IDLE
        gone = protocol.closed
        if gone is not None:
            gone.add_done_callback(lambda _: record.closed(link, cause, driver.loop.time()))
        return protocol
