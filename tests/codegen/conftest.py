"""The servers that generated code is run against: a real PostgreSQL, a real HTTP server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pools.live import postgres
from pools.live.client import connect

PATIENCE_S = 10.0
POLL_S = 0.02
POLLS = round(PATIENCE_S / POLL_S)
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE usename = $1"
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"


@dataclass(slots=True)
class Database:
    """A throw-away server, and what its owner sees of it."""

    server: postgres.EmbeddedPostgres

    @property
    def url(self) -> str:
        """The role's own URL, over the socket."""
        target = self.server.target
        place = urlencode({"host": target.host, "port": target.port})
        return f"postgresql://{target.user}:{quote(target.password.reveal())}@/{target.database}?{place}"

    async def comes_to(self, wanted: int) -> bool:
        """Wait until the role has so many connections; False if that does not happen.

        A backend leaves pg_stat_activity a moment after its client has closed.
        """
        connection = await connect(self.server.control, timeout_s=PATIENCE_S)
        try:
            for _ in range(POLLS):
                if await connection.fetchval(COUNT, self.server.target.user) == wanted:
                    return True
                await asyncio.sleep(POLL_S)
            return False
        finally:
            await connection.close()

    async def end(self, backend: int) -> None:
        """Terminate one connection from the server's side, and wait until it is gone."""
        connection = await connect(self.server.control, timeout_s=PATIENCE_S)
        try:
            assert await connection.fetchval("SELECT pg_terminate_backend($1, 10000)", backend)
        finally:
            await connection.close()

    async def end_all(self) -> None:
        """Terminate every connection of the role."""
        connection = await connect(self.server.control, timeout_s=PATIENCE_S)
        try:
            found = await connection.fetch(BACKENDS, self.server.target.user)
        finally:
            await connection.close()
        for backend in found:
            await self.end(backend["pid"])


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.EmbeddedPostgres]:
    with postgres.start(40) as running:
        yield running


@pytest.fixture
def database(
    server: postgres.EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """Point DATABASE_URL at the server, and find it as empty as it was."""
    made = Database(server)
    monkeypatch.setenv("DATABASE_URL", made.url)
    monkeypatch.setenv("PGAPPNAME", "generated code")
    yield made
    assert asyncio.run(made.comes_to(0))


@dataclass(slots=True)
class Website:
    """A local HTTP server that counts requests at work and connections open."""

    url: str = ""
    at_work: int = 0
    most_at_work: int = 0
    requests_by_connection: Counter[tuple[str, int]] = field(default_factory=Counter)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    large: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        """Answer once the gate is open."""
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        assert request.transport is not None
        self.requests_by_connection[request.transport.get_extra_info("peername")] += 1
        try:
            await self.gate.wait()
        finally:
            self.at_work -= 1
        # More than a client reads ahead, so the connection stays in use until it is read.
        return web.Response(text="answer" * (2_000_000 if self.large else 1))

    async def comes_to(self, at_work: int) -> bool:
        """Wait until so many requests are at work; False if that does not happen."""
        for _ in range(POLLS):
            if self.at_work == at_work:
                return True
            await asyncio.sleep(POLL_S)
        return False


@pytest.fixture
async def website() -> AsyncIterator[Website]:
    made = Website()
    made.gate.set()
    application = web.Application()
    application.router.add_get("/", made.answer)
    async with TestServer(application) as running:
        made.url = str(running.make_url("/"))
        yield made
