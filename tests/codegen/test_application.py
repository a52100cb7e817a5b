"""The generated FastAPI application, served by uvicorn in a process of its own."""

import asyncio
import contextlib
import re
import signal
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from pools.codegen import generate
from pools.kinds import KINDS
from sim.query import parse
from tests.codegen.conftest import Database, Website
from tests.codegen.processes import rest, running, said
from tests.codegen.support import module_for

pytestmark = pytest.mark.server

FULL = {
    "sqlalchemy": "pool_size=2&max_overflow=0&pool_timeout=20",
    "asyncpg": "min_size=2&max_size=2&acquire_timeout=20",
    "psycopg": "min_size=2&max_size=2&timeout=20",
    "aiohttp": "limit=2",
    "httpx": "pool_connections=2",
}
POSTPONED = "from __future__ import annotations\n"
ROUTES = """
import json

from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from main import Connection, Http, Session, app


async def fetch(http, url):
    if hasattr(http, "aclose"):  # httpx
        return (await http.get(url)).text
    async with http.get(url) as response:
        return await response.text()


async def value(connection, statement):
    if hasattr(connection, "fetchval"):
        return await connection.fetchval(statement)
    [found] = await (await connection.execute(statement)).fetchone()  # psycopg
    return found


@app.get("/later")
async def work_later(request: Request, url: str):
    async def work():
        async with request.state.pool.acquire() as connection:
            await fetch(request.state.http, url)
            await connection.fetchval("SELECT 1")
        await fetch(request.state.http, url)

    request.state.work.start(work())
    return {}


@app.get("/hold")
async def hold(connection: Connection, session: Session, http: Http, url: str):
    await session.scalar(text("SELECT 1"))
    await fetch(http, url)
    return {}


@app.get("/all")
async def use_all(session: Session, connection: Connection, http: Http, url: str):
    by_session = await session.scalar(text("SELECT 20"))
    by_connection = await value(connection, "SELECT 22")
    return {"sum": by_session + by_connection, "text": await fetch(http, url)}


@app.get("/pid")
async def show_connection(connection: Connection):
    return {"pid": await value(connection, "SELECT pg_backend_pid()")}


@app.get("/stream")
async def stream(connection: Connection, http: Http, url: str):
    answer = await show_connection(connection)

    async def body():
        await fetch(http, url)
        yield json.dumps(answer)

    return StreamingResponse(body(), media_type="application/json")
"""


@contextlib.asynccontextmanager
async def serving(folder: Path, query: str, *, first: str = "") -> AsyncIterator[Process]:
    """Serve the application of a scenario on a free port; stop it if the test has not."""
    (folder / "main.py").write_text(generate(parse(query), "fastapi").text, encoding="ascii")
    (folder / "routes.py").write_text(first + ROUTES, encoding="ascii")
    async with running(folder, "-m", "uvicorn", "routes:app", "--port=0") as process:
        yield process


async def address(process: Process) -> str:
    """Return the address that the server says it listens on, once it does."""
    log = await said(process, "Uvicorn running on")
    [url] = re.findall(r"http://127.0.0.1:\d+", log)
    return str(url)


@pytest.mark.parametrize("kind", KINDS)
async def test_application_answers_with_all_three_pools_and_shuts_down_cleanly(
    database: Database, website: Website, tmp_path: Path, kind: str
) -> None:
    async with serving(tmp_path, f"kind={kind}") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as client:
            answer = await answer_of(client, f"{url}/all", website.url)
        assert answer == {"sum": 42, "text": "answer"}
        process.send_signal(signal.SIGTERM)
        log = await rest(process)
        assert "Application shutdown complete" in log
        assert "Traceback" not in log
        assert await process.wait() in (0, -signal.SIGTERM)
    assert await database.comes_to(0)


@pytest.mark.usefixtures("database")
async def test_request_in_flight_is_answered_before_shutdown(
    website: Website, tmp_path: Path
) -> None:
    website.gate.clear()
    async with serving(tmp_path, "kind=sqlalchemy") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as client:
            asked = asyncio.create_task(answer_of(client, f"{url}/all", website.url))
            assert await website.comes_to(1)
            process.send_signal(signal.SIGTERM)
            assert "Waiting for" in await said(process, "Waiting for")
            website.gate.set()
            assert (await asked)["sum"] == 42
        assert "Application shutdown complete" in await said(process, "shutdown complete")


@pytest.mark.usefixtures("database")
async def test_no_request_in_flight_is_lost_under_load(website: Website, tmp_path: Path) -> None:
    website.gate.clear()
    answered = Counter[str]()

    async def ask(client: aiohttp.ClientSession, url: str) -> None:
        try:
            await answer_of(client, f"{url}/all", website.url)
        except aiohttp.ClientConnectorError:
            answered["refused"] += 1
        else:
            answered["answered"] += 1

    query = "kind=sqlalchemy&pool_size=5&max_overflow=5&pool_timeout=20"
    async with serving(tmp_path, query) as process:
        url = await address(process)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client,
            asyncio.TaskGroup() as asking,
        ):
            for _ in range(20):
                asking.create_task(ask(client, url))
            # As many as have both kinds of connection at once.
            assert await website.comes_to(10)
            process.send_signal(signal.SIGTERM)
            assert "Waiting for" in await said(process, "Waiting for")
            for _ in range(5):
                asking.create_task(ask(client, url))
            website.gate.set()
        assert "Application shutdown complete" in await said(process, "shutdown complete")
    assert answered == {"answered": 20, "refused": 5}
    assert website.requests_by_connection.total() == 20


async def test_work_that_outlives_its_request_is_finished_before_pools_close(
    database: Database, website: Website, tmp_path: Path
) -> None:
    website.gate.clear()
    async with serving(tmp_path, "kind=asyncpg&min_size=1&acquire_timeout=20") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as client:
            assert await answer_of(client, f"{url}/later", website.url) == {}
            assert await website.comes_to(1)
            process.send_signal(signal.SIGTERM)
            await said(process, "Waiting for application shutdown")
            website.gate.set()
        log = await rest(process)
        assert "Application shutdown complete" in log
        assert "Traceback" not in log
    assert website.requests_by_connection.total() == 2
    assert await database.comes_to(0)


@pytest.mark.parametrize("kind", FULL)
async def test_probes_tell_a_live_process_from_one_whose_pool_is_full(
    database: Database, website: Website, tmp_path: Path, kind: str
) -> None:
    website.gate.clear()
    async with serving(tmp_path, f"kind={kind}&{FULL[kind]}") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as tasks:
            assert await status_of(client, f"{url}/ready") == 204
            for _ in range(2):
                tasks.create_task(answer_of(client, f"{url}/hold", website.url))
            assert await website.comes_to(2)
            assert await status_of(client, f"{url}/live") == 204
            # Others' servers being busy is no reason to send requests elsewhere.
            wanted = 204 if KINDS[kind].serves == "http" else 503
            assert await status_of(client, f"{url}/ready") == wanted
            website.gate.set()
        async with aiohttp.ClientSession() as client:
            assert await status_of(client, f"{url}/ready") == 204
    assert await database.comes_to(0)


async def test_unreachable_database_is_not_ready_but_live(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@127.0.0.1:1/name")
    async with serving(tmp_path, "kind=sqlalchemy") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as client:
            assert await status_of(client, f"{url}/live") == 204
            assert await status_of(client, f"{url}/ready") == 503


async def status_of(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url) as response:
        return response.status


async def answer_of(client: aiohttp.ClientSession, url: str, website: str) -> dict[str, object]:
    async with client.get(url, params={"url": website}) as response:
        answer: dict[str, object] = await response.json()
        return answer


@pytest.mark.usefixtures("database")
async def test_request_gives_its_connection_back_before_its_response_is_read(
    website: Website, tmp_path: Path
) -> None:
    website.gate.clear()
    query = "kind=asyncpg&min_size=1&max_size=1&acquire_timeout=20"
    async with serving(tmp_path, query, first=POSTPONED) as process:
        url = await address(process)
        async with aiohttp.ClientSession() as client:
            streamed = asyncio.create_task(answer_of(client, f"{url}/stream", website.url))
            assert await website.comes_to(1)
            again = [await answer_of(client, f"{url}/pid", website.url) for _ in range(3)]
            website.gate.set()
            assert [await streamed] * 3 == again


async def test_pools_are_opened_in_order_and_closed_in_reverse() -> None:
    seen = []

    def recorder(name: str) -> Callable[[], contextlib.AbstractAsyncContextManager[str]]:
        @contextlib.asynccontextmanager
        async def opened() -> AsyncIterator[str]:
            seen.append(f"open {name}")
            yield name
            seen.append(f"close {name}")

        return opened

    made = module_for(parse(""), "fastapi")
    for name in ("open_sessions", "open_pool", "open_http"):
        setattr(made, name, recorder(name.removeprefix("open_")))
    async with made.lifespan(made.app) as shared:
        assert shared.pop("work")
        assert shared == {"sessions": "sessions", "pool": "pool", "http": "http"}
    opened = ["open sessions", "open pool", "open http"]
    assert seen == [*opened, "close http", "close pool", "close sessions"]


async def test_application_without_a_database_url_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    async with serving(tmp_path, "") as process:
        log = await rest(process)
        assert "RuntimeError: DATABASE_URL is not set" in log
        assert await process.wait() != 0
