"""A local HTTP server for the aiohttp kind: real aiohttp in a process of its own.

`HttpServer` is the owner's side. The process listens on 127.0.0.1 on a free port, answers
only under a random path, does nothing but sleep, and ends when the owner's pipe closes.
"""

import asyncio
import json
import os
import secrets
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from pools.live.clock import precise_loop

HOLD_S_MAX = 5.0
START_S = 15.0
KEEPALIVE_S = 3600.0
LOG_BYTES_MAX = 4 * 1024 * 1024
ROOT = Path(__file__).parents[2]
Life = tuple[int, float, float | None]


class HttpServer:
    """The owner's side of the local HTTP server."""

    host = "127.0.0.1"

    def __init__(self, process: Process, port: int, path: str) -> None:
        """Take a process that said where it listens."""
        self.process = process
        self.port = port
        self.url = f"http://{self.host}:{port}/{path}"

    @classmethod
    async def start(cls) -> Self:
        """Start the process and wait until it listens. Raises TimeoutError or OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-s",
            "-m",
            "pools.live.http_server",
            stdin=PIPE,
            stdout=PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
            limit=LOG_BYTES_MAX,
        )
        try:
            said = await asyncio.wait_for(_read(process), START_S)
        except BaseException:
            process.kill()
            raise
        return cls(process, said["port"], said["path"])

    async def connections(self) -> Sequence[Life]:
        """Return port of the client, opened and closed time of each connection seen so far."""
        if self.process.stdin is None:
            return ()
        self.process.stdin.write(b"connections\n")
        lives = (await asyncio.wait_for(_read(self.process), START_S))["connections"]
        return [tuple(life) for life in lives]

    async def close(self) -> None:
        """End the process."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def _read(process: Process) -> dict[str, Any]:
    line = await process.stdout.readline() if process.stdout else b""
    if not line:
        raise OSError("the HTTP server process ended before it listened")
    said: dict[str, Any] = json.loads(line)
    return said


class _Witness(web.Server):
    """aiohttp's server, which also keeps when each connection came and went."""

    def __init__(self, path: str) -> None:
        super().__init__(_handler(path), keepalive_timeout=KEEPALIVE_S, access_log=None)
        self.lives: list[list[Any]] = []
        self._life_of: dict[int, list[Any]] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        life = [transport.get_extra_info("peername")[1], asyncio.get_running_loop().time(), None]
        self.lives.append(life)
        self._life_of[id(handler)] = life

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        life = self._life_of.pop(id(handler), None)
        if life:
            life[2] = asyncio.get_running_loop().time()


def _handler(path: str) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path != f"/{path}" or request.transport is None:
            return web.Response(status=404)
        await asyncio.sleep(min(float(request.query.get("hold_s", "0")), HOLD_S_MAX))
        return web.Response(text=str(request.transport.get_extra_info("peername")[1]))

    return answer


async def _serve() -> None:
    path = secrets.token_urlsafe(12)
    witness = _Witness(path)
    runner = web.ServerRunner(witness)
    await runner.setup()
    site = web.TCPSite(runner, HttpServer.host, 0, backlog=512)
    await site.start()
    port = runner.addresses[0][1]
    _say({"port": port, "path": path})
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    threading.Thread(target=_listen, args=(loop, asked), daemon=True).start()
    while await asked.wait():
        asked.clear()
        _say({"connections": witness.lives})


def _listen(loop: asyncio.AbstractEventLoop, asked: asyncio.Event) -> None:
    """Pass each line of the owner on; end the process when the owner is gone."""
    while sys.stdin.readline():
        loop.call_soon_threadsafe(asked.set)
    os._exit(0)


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=precise_loop) as runner:
        runner.run(_serve())
