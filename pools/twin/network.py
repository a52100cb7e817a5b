"""A network in memory: connections between real client code and the twin's servers.

    client protocol <-> Transport --bytes, FIN, RST after latency_s--> Transport <-> server protocol

Both ends are asyncio transports and protocols, so a server is written like any asyncio
protocol. Nothing is lost or reordered; every message takes `latency_s` one way and a
handshake takes two of them. Each connect is a `Wire`, in order of starting, which notes when
it began and ended as its client saw it.
"""

import asyncio
import errno
import math
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

Accept = Callable[["Wire"], asyncio.Protocol]
Fate = float | None


@dataclass(slots=True, eq=False)
class Wire:
    """One connect and what became of it; times are loop times, nan means never.

    `opened_s` is for the server to set: when its client may use the connection.
    `carries_requests` is False for connections that only carry a message, such as a
    CancelRequest of PostgreSQL.
    """

    host: str
    port: int
    opening_s: float
    opened_s: float = math.nan
    closed_s: float = math.nan
    carries_requests: bool = True
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Host:
    accept: Accept
    open_s: Callable[[], float]


class Network:
    """Hosts that listen, and what it takes to reach them.

    `fate` is asked when a connect reaches the server: None lets it in, a number of seconds
    lets it fail that long after it was started (at least one round trip).
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        latency_s: float,
        fate: Callable[[Wire], Fate] = lambda _: None,
    ) -> None:
        """Start with no host."""
        self.loop = loop
        self.latency_s = latency_s
        self.wires: list[Wire] = []
        self._fate = fate
        self._hosts: dict[tuple[str, int], _Host] = {}
        self._opened: dict[socket.socket, Transport] = {}
        self.is_for_requests: Callable[[], bool] = lambda: True
        self.sent: Callable[[Wire], None] = lambda _: None

    def listen(
        self, host: str, port: int, accept: Accept, open_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        """Let `accept` make the server's protocol for each connection to that address.

        The handshake is answered `open_s()` later than it reaches the server.
        """
        self._hosts[host, port] = _Host(accept, open_s)

    async def open(self, host: str, port: int) -> "Transport":
        """Do the handshake and return the client's end, without a protocol yet.

        Raises ConnectionRefusedError, or OSError from a host that does not answer. (Not
        TimeoutError: that is what the libraries raise when their own timeouts are over.)
        """
        wire = Wire(str(host), int(port), self.loop.time())
        wire.carries_requests = self.is_for_requests()
        self.wires.append(wire)
        try:
            await self._sleep_until(wire.opening_s + self.latency_s)
            known = self._hosts.get((wire.host, wire.port))
            if known is None:
                return await self._fail(wire, 0.0)
            fails_after_s = self._fate(wire)
            if fails_after_s is not None:
                return await self._fail(wire, fails_after_s)
            return await self._join(wire, known)
        except BaseException:
            wire.closed_s = self.loop.time()
            raise

    async def create_connection(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        host: str | None,
        port: int | None,
        opened: "Transport | None" = None,
    ) -> "tuple[Transport, asyncio.BaseProtocol]":
        """Connect a client's protocol, as asyncio's loop does."""
        transport = await self.open(host or "", port or 0) if opened is None else opened
        protocol = factory()
        transport.begin(protocol)
        return transport, protocol

    async def connect(self, sock: socket.socket, host: str, port: int) -> None:
        """Open a connection in the name of a socket, for `take` to find."""
        self._opened[sock] = await self.open(host, port)

    def take(self, sock: socket.socket | None) -> "Transport | None":
        """Return the connection opened in the name of a socket, and close the socket."""
        if sock is None:
            return None
        sock.close()
        return self._opened.pop(sock)

    async def _join(self, wire: Wire, known: "_Host") -> "Transport":
        client, server = Transport(self, wire), Transport(self, None)
        client.peer, server.peer = server, client
        client.address, server.address = (wire.host, wire.port), ("client", len(self.wires))
        accepted_s = self.loop.time() + known.open_s()
        if accepted_s > self.loop.time():
            self.loop.call_at(accepted_s, _accept, server, known, wire)
        else:
            _accept(server, known, wire)
        try:
            await self._sleep_until(accepted_s + self.latency_s)
        except BaseException:
            client.abort()
            raise
        return client

    async def _fail(self, wire: Wire, after_s: float) -> NoReturn:
        refused = after_s <= 2.0 * self.latency_s
        await self._sleep_until(wire.opening_s + max(after_s, 2.0 * self.latency_s))
        where = f"{wire.host}:{wire.port}"
        if refused:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused", where)
        raise OSError(errno.EHOSTUNREACH, "no route to host", where)

    async def _sleep_until(self, at_s: float) -> None:
        done = self.loop.create_future()
        timer = self.loop.call_at(at_s, _set, done)
        try:
            await done
        finally:
            timer.cancel()


class Transport(asyncio.Transport):
    """One end of a connection. What is sent arrives at the other end `latency_s` later."""

    peer: "Transport"

    def __init__(self, network: Network, wire: Wire | None) -> None:
        """Make an end; `begin` gives it a protocol. The client's end knows its wire."""
        super().__init__()
        self._network = network
        self._loop = network.loop
        self._wire = wire
        self._protocol: asyncio.BaseProtocol | None = None
        self._closing = False
        self._paused = False
        self._waiting: deque[Callable[[], None]] = deque()
        self.address: tuple[str, int] = ("", 0)

    def begin(self, protocol: asyncio.BaseProtocol) -> None:
        """Connect a protocol; what arrived before it is delivered now."""
        self._protocol = protocol
        protocol.connection_made(self)
        self._drain()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol have what arrives from now on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol. Raises RuntimeError if there is none yet."""
        if self._protocol is None:
            raise RuntimeError("this end has no protocol yet")
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  asyncio's
        """Return the addresses; there is no socket."""
        return {"peername": self.peer.address, "sockname": self.address}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes."""
        if self._wire is not None:
            self._network.sent(self._wire)
        if not self._closing:
            self._send(self.peer._receive, bytes(data))  # noqa: SLF001  the other end

    def can_write_eof(self) -> bool:
        """Half-closing is not offered."""
        return False

    def write_eof(self) -> None:
        """Do nothing: half-closing is not offered, and who asks for it closes next."""

    def get_write_buffer_size(self) -> int:
        """Nothing is ever buffered."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: nothing is ever buffered."""

    def is_closing(self) -> bool:
        """Return whether this end is closed or about to be."""
        return self._closing

    def is_readable(self) -> bool:
        """Return whether something has arrived that was not handed on."""
        return bool(self._waiting)

    def is_reading(self) -> bool:
        """Return whether what arrives is handed on."""
        return not (self._closing or self._paused)

    def pause_reading(self) -> None:
        """Keep back what arrives."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand on what was kept back."""
        self._paused = False
        self._loop.call_soon(self._drain)

    def close(self) -> None:
        """Close this end; the other learns of it as an end of file."""
        if not self._closing:
            self._send(self.peer._receive_eof)  # noqa: SLF001  the other end
            self._lose(None)

    def abort(self) -> None:
        """Reset the connection."""
        if not self._closing:
            self._send(self.peer._receive_reset)  # noqa: SLF001  the other end
            self._lose(None)

    def _send(self, arrive: Callable[..., None], *what: bytes) -> None:
        self._loop.call_at(self._loop.time() + self._network.latency_s, arrive, *what)

    def _receive(self, data: bytes) -> None:
        self._accept(lambda: self.get_protocol().data_received(data))  # type: ignore[attr-defined]

    def _receive_eof(self) -> None:
        self._accept(self._eof)

    def _receive_reset(self) -> None:
        if not self._closing:
            self._lose(ConnectionResetError("reset by peer"))

    def _accept(self, deliver: Callable[[], None]) -> None:
        if self._closing:
            return
        self._waiting.append(deliver)
        self._drain()

    def _drain(self) -> None:
        while self._waiting and not (self._paused or self._closing or self._protocol is None):
            self._waiting.popleft()()

    def _eof(self) -> None:
        if not self.get_protocol().eof_received():  # type: ignore[attr-defined]
            self.close()

    def _lose(self, error: Exception | None) -> None:
        self._closing = True
        if self._wire is not None:
            self._wire.closed_s = self._loop.time()
        if self._protocol is not None:
            self._loop.call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        self.get_protocol().connection_lost(error)


def _accept(server: Transport, known: _Host, wire: Wire) -> None:
    """Let the host answer a handshake, unless its client has gone."""
    if not server.is_closing():
        server.begin(known.accept(wire))


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
