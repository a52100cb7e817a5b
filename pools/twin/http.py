"""An HTTP/1.1 server in memory, as far as clients' connection pools go.

It keeps connections alive until they have been silent for too long, answers any request after
the time that its path names (`/compute_s/work_s`), on cores that computing requests share and
beside them, closes the connection after an answer if asked to (`/compute_s/work_s/close`), and
lets an operator drop connections. A request is complete with its headers: nobody sends a body.
"""

import asyncio
import math
from typing import Any

from pools.twin.network import Network, Transport, Wire
from pools.twin.timers import Timers
from sim.capacity import Capacity
from sim.script import GRAIN_S, Costs, Use
from sim.stations import Cores

PORT = 80
_END = b"\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LAST_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def address_of(pool: int, host: int) -> str:
    """Return the address of a host; each pool has its own, so that a key tells the pool."""
    return f"10.{pool}.0.{host + 1}"


def pool_of(address: str) -> int:
    """Return the pool that an address belongs to."""
    return int(address.split(".")[1])


def url_of(pool: int, use: Use) -> str:
    """Return what to ask for, so that the server takes as long as the script says."""
    work_s = (use.work_s or 0.0) + use.hold_s
    last = "/close" if use.closes else ""
    return f"http://{address_of(pool, use.host)}:{PORT}/{use.compute_s!r}/{work_s!r}{last}"


class HttpServer:
    """All hosts: who is connected, and the cores they share."""

    def __init__(self, network: Network, costs: Costs) -> None:
        """Serve with these costs. The limit of connections is a database's, and not applied."""
        self.loop = network.loop
        self.latency_s = costs.latency_s
        self.cores = Cores(Timers(self.loop), Capacity(costs.cores), Handler.computed, GRAIN_S)
        self.live: list[Handler] = []
        self.keep_alive_s = costs.keep_alive_s
        self._costs = costs
        self._opened = 0

    def accept(self, wire: Wire) -> "Handler":
        """Serve a new connection, which its client may use one latency later."""
        wire.opened_s = self.loop.time() + self.latency_s
        handler = Handler(self)
        self.live.append(handler)
        return handler

    def next_open_s(self) -> float:
        """Return what the next connection costs to open."""
        jitter = self._costs.connect_jitter_s
        self._opened += 1
        return self._costs.connect_s + jitter[(self._opened - 1) % len(jitter)]

    def kill(self, which: int) -> None:
        """Drop the `which`-th oldest live connection, modulo how many there are."""
        if self.live:
            self.live[which % len(self.live)].leave()


class Handler(asyncio.Protocol):
    """The server's end of one connection."""

    transport: Transport

    def __init__(self, server: HttpServer) -> None:
        """Wait for the first request."""
        self._server = server
        self._received = b""
        self._work: tuple[float, bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._client_left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, Transport)  # noqa: S101  narrows the type
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Start on a request when its headers are complete."""
        self._received += data
        head, end, self._received = self._received.partition(_END)
        if not end:
            self._received = head
            return
        _, compute, work, *last = head.split(b" ", 2)[1].split(b"/")
        self._stop_timer()
        self._work = float(work), bool(last)
        if float(compute):
            self._server.cores.enter(self, float(compute), self._server.loop.time())
        else:
            self.computed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, once nothing is running any more."""
        self._client_left = True
        if self._work is None:
            self._stop_timer()
            self._forget()

    def computed(self) -> None:
        """Go on beside the cores."""
        if self._work is not None:
            self._timer = self._server.loop.call_later(self._work[0], self._worked)

    def leave(self) -> None:
        """Hang up, whatever is running."""
        if self._work is not None and self._timer is None:
            self._server.cores.drop(self, self._server.loop.time())
        self._work = None
        self._stop_timer()
        self._forget()
        self.transport.close()

    def _worked(self) -> None:
        is_last = self._work is not None and self._work[1]
        self._work = self._timer = None
        if self._client_left:
            self._forget()
            return
        self.transport.write(_LAST_ANSWER if is_last else _ANSWER)
        if is_last:
            self.leave()
        elif self._server.keep_alive_s < math.inf:
            self._timer = self._server.loop.call_later(self._server.keep_alive_s, self.leave)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _forget(self) -> None:
        live: list[Any] = self._server.live
        if self in live:
            live.remove(self)
