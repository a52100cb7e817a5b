"""The generated aiohttp.web application and plain service, each run as a process."""

import asyncio
import contextlib
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from pools.codegen import generate
from pools.kinds import KINDS
from sim.query import parse
from tests.codegen.conftest import POLL_S, POLLS, Database, Website
from tests.codegen.processes import rest, running, said
from tests.codegen.support import modules_with

pytestmark = pytest.mark.server

WEB = [kind for kind in KINDS if modules_with(kind, "create_app")]
SERVICES = [kind for kind in KINDS if modules_with(kind, "work_on")]
FULL = {
    "sqlalchemy": "pool_size=1&max_overflow=0&pool_timeout=20",
    "asyncpg": "min_size=1&max_size=1&acquire_timeout=20",
    "psycopg": "min_size=1&max_size=1&timeout=20",
}
HOLD = {
    "sqlalchemy": """
    async with request.app[SESSIONS]() as session:
        await session.execute(text("SELECT 1"))
        await fetch(request)
""",
    "asyncpg": """
    async with acquire(request.app[POOL]) as connection:
        await connection.execute("SELECT 1")
        await fetch(request)
""",
    "psycopg": """
    async with acquire(request.app[POOL]) as connection:
        await connection.execute("SELECT 1")
        await fetch(request)
""",
    "httpx": """
    await request.app[HTTP].get(request.query["url"])
""",
    "aiohttp": """
    async with request.app[HTTP].get(request.query["url"]) as response:
        await response.read()
""",
}
FETCH = """
async def fetch(request):
    async with aiohttp.ClientSession() as client:
        async with client.get(request.query["url"]) as response:
            await response.read()


async def hold(request):
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_app(folder: Path, kind: str, query: str = "") -> None:
    """Write the application with one route more, where the code says to add routes."""
    text = generate(parse(f"kind={kind}&{query}"), "web").text
    here = "def create_app()"
    before, _, after = text.partition(here)
    route = f"{FETCH}{HOLD.get(kind, HOLD['sqlalchemy'])}    return web.Response(text='held')\n\n"
    after = after.replace(
        "    return app\n", '    app.router.add_get("/hold", hold)\n    return app\n'
    )
    written = f"{before}import aiohttp\n{route}\n{here}{after}"
    (folder / "app.py").write_text(written, encoding="ascii")


async def status_of(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url) as response:
        return response.status


@pytest.mark.parametrize("kind", WEB)
async def test_web_application_ends_requests_in_flight_before_it_stops(
    database: Database, website: Website, tmp_path: Path, kind: str
) -> None:
    website.gate.clear()
    write_app(tmp_path, kind)
    port = free_port()
    async with running(tmp_path, "app.py", PORT=str(port)) as process:
        assert "Running on" in await said(process, "Running on")
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            assert await status_of(client, "/live") == 204
            assert await status_of(client, "/ready") == 204
            asked = [
                asyncio.create_task(status_of(client, f"/hold?url={website.url}")) for _ in range(4)
            ]
            assert await website.comes_to(4)
            process.send_signal(signal.SIGTERM)
            await let_go(port)
            website.gate.set()
            assert await asyncio.gather(*asked) == [200] * 4
        assert "Traceback" not in await rest(process)
        assert await process.wait() == 0
    assert await database.comes_to(0)


async def let_go(port: int) -> None:
    """Wait until nobody listens on a port.

    Asked by binding, since asyncio leaves the socket of a connection open that comes just as its
    server closes (python/cpython#109564), and Python says so as the process ends.
    """
    for _ in range(POLLS):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return
        await asyncio.sleep(POLL_S)
    pytest.fail("the server still takes connections")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", FULL)
async def test_web_application_with_a_full_pool_is_live_but_not_ready(
    website: Website, tmp_path: Path, kind: str
) -> None:
    website.gate.clear()
    write_app(tmp_path, kind, FULL[kind])
    port = free_port()
    async with running(tmp_path, "app.py", PORT=str(port)) as process:
        await said(process, "Running on")
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            holder = asyncio.create_task(status_of(client, f"/hold?url={website.url}"))
            assert await website.comes_to(1)
            assert await status_of(client, "/live") == 204
            assert await status_of(client, "/ready") == 503
            website.gate.set()
            assert await holder == 200
            assert await status_of(client, "/ready") == 204


@pytest.mark.parametrize("kind", SERVICES)
async def test_service_does_its_jobs_and_ends_with_them(
    database: Database, website: Website, tmp_path: Path, kind: str
) -> None:
    code = generate(parse(f"kind={kind}"), "service").text
    (tmp_path / "service.py").write_text(code, encoding="ascii")
    jobs = [website.url] * 20 if KINDS[kind].serves == "http" else [f"job {n}" for n in range(20)]
    async with running(tmp_path, "service.py") as process:
        assert process.stdin is not None
        process.stdin.write("".join(f"{job}\n" for job in jobs).encode())
        process.stdin.close()
        log = await rest(process)
        assert await process.wait() == 0
    assert "Traceback" not in log
    assert log.count("INFO:__main__:") == 20
    assert await database.comes_to(0)


@pytest.mark.parametrize("kind", SERVICES)
async def test_service_that_is_stopped_ends_the_jobs_it_has_taken(
    database: Database, website: Website, tmp_path: Path, kind: str
) -> None:
    website.gate.clear()
    code = generate(parse(f"kind={kind}"), "service").text
    wait = f"    async with aiohttp.ClientSession() as c, c.get({website.url!r}):\n        pass\n"
    here = 'Put yours in its place."""\n'
    first, _, last = code.partition(here)
    code = f"{first}{here}{wait}{last}".replace(
        "import asyncio\n", "import asyncio\nimport aiohttp\n", 1
    )
    (tmp_path / "service.py").write_text(code, encoding="ascii")
    job = website.url if KINDS[kind].serves == "http" else "job"
    async with running(tmp_path, "service.py") as process:
        assert process.stdin is not None
        process.stdin.write(f"{job}\n{job}\n".encode())
        await process.stdin.drain()
        assert await website.comes_to(2)
        process.send_signal(signal.SIGTERM)
        website.gate.set()
        log = await rest(process)
        assert await process.wait() == 0
    assert log.count("INFO:__main__:") == 2
    assert "Traceback" not in log
    assert await database.comes_to(0)


@pytest.mark.usefixtures("database")
async def test_job_that_fails_is_logged_and_the_next_is_done(tmp_path: Path) -> None:
    code = generate(parse("kind=asyncpg"), "service").text
    code = code.replace('"SELECT $1::text"', '"SELECT (1 / ($1::text)::int)::text"')
    (tmp_path / "service.py").write_text(code, encoding="ascii")
    async with running(tmp_path, "service.py") as process:
        assert process.stdin is not None
        process.stdin.write(b"0\n1\n")
        process.stdin.close()
        log = await rest(process)
        assert await process.wait() == 0
    assert log.count("a job failed") == 1
    assert "division by zero" in log
    assert "INFO:__main__:1" in log
