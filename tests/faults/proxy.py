"""A TCP proxy that breaks what passes through it, on command.

It stands between a check and a server, as the network does. Every way to break is one method
or one field; `heal` takes all of them back and closes what the network had swallowed. Random
bytes and delays come from the `rng` that is handed in.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

HOST = "127.0.0.1"
PIECE = 65_536
BACKLOG_FILL = 4
Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Upstream: TypeAlias = Callable[[], Awaitable[Streams]]


@dataclass(slots=True)
class Weather:
    """How each direction is at present. Seconds, bytes a second, shares, bytes."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0
    corrupt_share: float = 0.0
    slice_bytes: int = 0
    limit_bytes: int = 0
    swallows: bool = False


@dataclass(slots=True)
class FaultProxy:
    """Listens on a port of this machine and passes on to `upstream`, or to an `impostor`."""

    upstream: Upstream
    rng: random.Random
    impostor: Handler | None = None
    up: Weather = field(default_factory=Weather)
    down: Weather = field(default_factory=Weather)
    port: int = 0
    first: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _clients: set[asyncio.StreamWriter] = field(default_factory=set)
    _servers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _healed: asyncio.Event = field(default_factory=asyncio.Event)
    _stuffed: list[socket.socket] = field(default_factory=list)

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut everything."""
        self.refuse()
        self.heal()
        await asyncio.sleep(0.01)  # connections just accepted become tasks
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close their sockets in the loop's next turn

    @property
    def own_ports(self) -> set[int]:
        """Ports of the proxy's own sockets that stuff its queue."""
        return {stuffed.getsockname()[1] for stuffed in self._stuffed}

    # ---- what can be done to it -----------------------------------------------------------

    def reset(self) -> None:
        """Send RST to both sides of every connection."""
        for writer in (*self._clients, *self._servers):
            _reset(writer)

    def fin(self) -> None:
        """Close every connection politely on both sides."""
        for writer in (*self._clients, *self._servers):
            writer.close()

    def half_open(self) -> None:
        """Close towards the server alone: the client goes on believing."""
        self.down.swallows = self.up.swallows = True
        for writer in self._servers:
            writer.close()

    def refuse(self) -> None:
        """Reset every connection and listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def ignore(self) -> None:
        """Let no further handshake through: the queue of pending connections is full."""
        self.refuse()
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deaf.bind((HOST, self.port))
        deaf.listen(0)
        self._stuffed.append(deaf)
        for _ in range(BACKLOG_FILL):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((HOST, self.port))
            self._stuffed.append(filler)

    def heal(self) -> None:
        """Be a good network again; what was swallowed is closed on both sides."""
        self.up, self.down, self.impostor = Weather(), Weather(), None
        self._healed.set()
        self._healed = asyncio.Event()
        for stuffed in self._stuffed:
            stuffed.close()
        self._stuffed.clear()

    # ---- what it does ---------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.first.set()
        self._clients.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await (self.impostor or self._pass_on)(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # the proxy closes; asyncio would log a cancellation
        finally:
            self._tasks.discard(task)
            self._clients.discard(writer)
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind = await self.upstream()
        self._servers.add(behind)
        pumps = [
            asyncio.create_task(self._pump(reader, behind, "up")),
            asyncio.create_task(self._pump(behind_reader, writer, "down")),
        ]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            self._servers.discard(behind)
            behind.close()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str
    ) -> None:
        """Pass bytes on until this side ends; then end the other, unless that is swallowed."""
        passed = 0
        try:
            while data := await reader.read(PIECE):
                weather: Weather = getattr(self, direction)
                if weather.swallows:
                    continue
                passed += len(data)
                for piece in _pieces(data, weather):
                    await self._delay(weather, len(piece))
                    writer.write(self._corrupted(piece, weather))
                    await writer.drain()
                if 0 < weather.limit_bytes < passed:
                    break
        finally:
            if getattr(self, direction).swallows:
                await self._healed.wait()
            writer.close()

    async def _delay(self, weather: Weather, size: int) -> None:
        pause_s = weather.latency_s + weather.jitter_s * self.rng.random()
        if weather.bytes_per_s:
            pause_s += size / weather.bytes_per_s
        if pause_s:
            await asyncio.sleep(pause_s)

    def _corrupted(self, piece: bytes, weather: Weather) -> bytes:
        if not weather.corrupt_share:
            return piece
        return bytes(
            self.rng.randrange(256) if self.rng.random() < weather.corrupt_share else byte
            for byte in piece
        )


def _pieces(data: bytes, weather: Weather) -> list[bytes]:
    """Cut data as the weather wants it."""
    size = weather.slice_bytes or (int(weather.bytes_per_s / 10) if weather.bytes_per_s else 0)
    if not size:
        return [data]
    return [data[at : at + size] for at in range(0, len(data), size)]


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: linger on, for no time."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_INET:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
