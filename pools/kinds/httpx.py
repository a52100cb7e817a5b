"""httpx.AsyncClient's connection pool: its parameters and its decisions.

Source: httpcore/_async/connection_pool.py (AsyncConnectionPool.handle_async_request,
_assign_requests_to_connections, PoolByteStream.aclose), connection.py and http11.py,
httpcore 1.0.9 under httpx 0.28.1.
"""

import math
import random
from bisect import insort
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import ClassVar

from pools.kinds.base import connections, seconds
from pools.kinds.http import CONNECT_ROUND_TRIPS, HttpLogic, HttpPool
from pools.kinds.httpx_queue import Queue
from pools.protocol import PoolLogic, Request, Slot, Stage, World
from pools.trace import Cause, Outcome

_DEFAULT = "httpx's default"
_NUMBER = attrgetter("number")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpxPool(HttpPool):
    """Parameters of `httpx.Limits`, and `Timeout.pool` and `Timeout.connect`."""

    name: ClassVar[str] = "httpx"
    title: ClassVar[str] = "httpx connection pool"
    versions: ClassVar[str] = "httpx 0.28 on httpcore 1.0"
    watches_idle: ClassVar[bool] = False

    max_connections: int = connections(
        100,
        "Most connections, idle ones included.",
        source=_DEFAULT,
        special={0: "no limit (None)"},
        query="pool_connections",
    )
    max_keepalive_connections: int = connections(
        20,
        "Connections, busy ones included, above which one that falls idle is closed.",
        source=_DEFAULT,
    )
    keepalive_expiry: float = seconds(
        5.0,
        "How long an idle connection may be used again; it is closed when the pool is next used.",
        source=_DEFAULT,
        high=3600.0,
        step=0.5,
    )
    pool_timeout: float = seconds(
        5.0,
        "Timeout.pool: waiting for a connection. It starts again whenever a connection to the"
        " same host comes free and another request gets it.",
        source=_DEFAULT,
        special={0.0: "none"},
    )
    connect_timeout: float = seconds(
        5.0,
        "Timeout.connect: connecting, without the wait before it.",
        source=_DEFAULT,
        special={0.0: "none"},
    )

    @property
    def capacity(self) -> int | None:
        """max_connections; None if there is no limit."""
        return self.max_connections or None

    @property
    def wait_s_max(self) -> float | None:
        """pool_timeout, or None for ever."""
        return self.pool_timeout or None

    def logic(self, world: World, rng: random.Random) -> PoolLogic:
        """Make the decisions of one such pool."""
        return HttpxLogic(self, world)


class State(Enum):
    """httpcore's HTTPConnectionState; NEW is also a connection still being opened."""

    NEW = "new"
    ACTIVE = "active"
    IDLE = "idle"
    CLOSED = "closed"


class Connection(Slot):
    """One connection of the pool. `number` is its place in the pool's list."""

    __slots__ = ("expires_s", "host", "hung_up", "number", "state")

    def __init__(self, number: int, host: int) -> None:
        """Start as a connection that is yet to be opened."""
        super().__init__()
        self.number = number
        self.host = host
        self.state = State.NEW
        self.expires_s = math.inf
        self.hung_up = False


class HttpxLogic(HttpLogic):
    """The decisions of one AsyncConnectionPool.

    `_assign` points queued requests at connections. Each then takes its turn, and may find that
    another request has taken the connection meanwhile.
    """

    def __init__(self, pool: HttpxPool, world: World) -> None:
        """Start with no connection."""
        super().__init__(world)
        self._most = pool.max_connections or math.inf
        self._keep = min(self._most, pool.max_keepalive_connections)
        self._expiry_s = pool.keepalive_expiry
        self._connect_s = pool.connect_timeout or math.inf
        self._queue = Queue(pool.wait_s_max or math.inf)
        self._count = 0
        self._made = 0
        # Idle connections, and closed ones until the next sweep, in the order of making.
        self._resting: list[Connection] = []

    def start(self, now: float, warm: int) -> None:
        """Put `warm` idle connections to the first host into the pool, as many as it keeps."""
        for _ in range(int(min(warm, self._keep))):
            connection = self._make(0)
            if self._world.adopt(connection):
                self._rest(connection, now)
            else:
                self._count -= 1

    def acquire(self, request: Request, now: float) -> None:
        """Use an idle connection; else open one, closing another host's idle one for it."""
        self._queue.enter(request)
        self._assign(now)
        connection, _ = self._choose(request.host)
        if connection is None:
            self._queue.push(request)
            self._wait(request, now)
        else:
            request.slot = connection
            self._arrive(request, now)

    def woken(self, request: Request, now: float) -> None:
        """Go to the connection this request was pointed at, or end if it was given up.

        A connection still to be opened is then forgotten with its place taken, for good:
        httpcore neither opens nor removes it.
        """
        if request.stage is Stage.WOKEN:
            self._arrive(request, now)
        else:
            self._end(request, Outcome.CANCELLED, now)

    def expired(self, request: Request, now: float) -> None:
        """Fail a request that has waited or connected for too long."""
        if request.stage is Stage.OPENING and now >= request.expires_s:
            self._abandon(request, Outcome.ACQUIRE_TIMEOUT, now)
        if request.stage is not Stage.QUEUED:
            return
        at_s = self._queue.deadline_s(request)
        if now < at_s:
            self._world.alarm(request, at_s)
            return
        for one in self._queue.due(request):
            if one.stage is Stage.QUEUED:
                self._abandon(one, Outcome.ACQUIRE_TIMEOUT, now)

    def give_up(self, request: Request, now: float) -> None:
        """Forget a cancelled request; the connection it opened or held is closed."""
        if request.stage is Stage.WOKEN:
            request.stage = Stage.ENDED
        else:
            self._abandon(request, Outcome.CANCELLED, now)

    def opened(self, slot: Slot, now: float) -> None:
        """Hand the new connection to who opened it."""
        if slot.request is not None:
            self._grant(slot.request, _connection(slot))

    def open_failed(self, slot: Slot, now: float) -> None:
        """Tell the requester; its place goes to the first in the queue."""
        connection = _connection(slot)
        request = connection.request
        self._drop(connection, Cause.OPEN_FAILED)
        if request is not None:
            self._end(request, Outcome.CONNECT_REFUSED, now)

    def release(self, request: Request, now: float) -> None:
        """Take the connection back and point waiting requests at it."""
        self._hand_back(request, Cause.NOT_POOLED if request.closes else None, now)

    def broke(self, request: Request, now: float) -> None:
        """Forget the connection; httpx repeats nothing of its own accord."""
        self._hand_back(request, Cause.DEAD, now)

    def interrupted(self, request: Request, now: float) -> None:
        """Close the connection."""
        self._hand_back(request, Cause.ABORTED, now)

    def lost(self, slot: Slot, now: float) -> None:
        """Close a connection in use; an idle one only when the pool is used next."""
        connection = _connection(slot)
        connection.hung_up = True
        if connection.state is State.ACTIVE:
            self._world.close(connection, Cause.DEAD)

    def _assign(self, now: float, mine: Request | None = None) -> None:
        """Close what is expired or too many, then point queued requests at connections.

        Wakes them, except `mine`, whose turn it is already.
        """
        self._sweep(now)
        pointed: dict[int, float] = {}
        while self._resting or self._count < self._most:
            ticket, request = self._queue.first(but=pointed)
            if request is None:
                break
            connection, displaced = self._choose(request.host)
            if connection is None:
                break
            if connection.state is State.IDLE:
                pointed[request.host] = math.inf
            if displaced in pointed:
                pointed[displaced] = ticket
            self._queue.pop(request.host)
            request.slot = connection
            request.stage = Stage.WOKEN
            if request is not mine:
                self._world.wake(request)
        for host, before in pointed.items():
            self._queue.restart(host, now, before)

    def _sweep(self, now: float) -> None:
        kept = []
        for connection in self._resting:
            if connection.state is State.CLOSED:
                cause = Cause.STILL_OPEN
            elif connection.hung_up:
                cause = Cause.DEAD
            elif now > connection.expires_s:
                cause = Cause.IDLE
            elif self._count > self._keep:
                cause = Cause.OVERFLOW
            else:
                kept.append(connection)
                continue
            self._count -= 1
            self._close(connection, cause)
        self._resting = kept

    def _choose(self, host: int) -> tuple[Connection | None, int | None]:
        """Return the connection for a request, and whose host's idle one was closed for it."""
        for connection in self._resting:
            if connection.host == host:
                return connection, None
        if self._count < self._most:
            return self._make(host), None
        if not self._resting:
            return None, None
        displaced = self._resting.pop(0)
        self._close(displaced, Cause.OVERFLOW)
        self._count -= 1
        return self._make(host), displaced.host

    def _arrive(self, request: Request, now: float) -> None:
        connection = _connection(request.slot)
        if connection.state is State.IDLE:
            self._resting.remove(connection)
            self._grant(request, connection)
        elif connection.state is State.NEW:
            request.stage = Stage.OPENING
            connection.request = request
            request.expires_s = now + self._connect_s
            if request.expires_s < math.inf:
                self._world.alarm(request, request.expires_s)
            self._world.open(connection, CONNECT_ROUND_TRIPS)
        else:
            request.slot = None
            self._queue.push(request)
            self._assign(now, mine=request)
            if request.stage is Stage.WOKEN:
                self._arrive(request, now)
            else:
                self._wait(request, now)

    def _grant(self, request: Request, connection: Connection) -> None:
        connection.state = State.ACTIVE
        connection.request = request
        request.stage = Stage.HOLDING
        self._world.grant(request, connection)

    def _wait(self, request: Request, now: float) -> None:
        request.expires_s = now + self._queue.wait_s(request)
        if request.expires_s < math.inf:
            self._world.alarm(request, request.expires_s)

    def _hand_back(self, request: Request, cause: Cause | None, now: float) -> None:
        connection = _connection(request.slot)
        request.slot = None
        self._queue.leave(request)
        if cause is None and not connection.hung_up:
            self._rest(connection, now)
        else:
            self._drop(connection, cause or Cause.DEAD)
        self._assign(now)
        self._finish(request)

    def _abandon(self, request: Request, outcome: Outcome, now: float) -> None:
        if request.slot is not None:
            self._drop(_connection(request.slot), Cause.ABORTED)
        self._end(request, outcome, now)

    def _end(self, request: Request, outcome: Outcome, now: float) -> None:
        request.stage = Stage.ENDED
        self._queue.leave(request)
        self._assign(now)
        self._reject(request, outcome)

    def _make(self, host: int) -> Connection:
        self._count += 1
        self._made += 1
        return Connection(self._made, host)

    def _rest(self, connection: Connection, now: float) -> None:
        connection.request = None
        connection.state = State.IDLE
        connection.expires_s = now + self._expiry_s
        insort(self._resting, connection, key=_NUMBER)

    def _drop(self, connection: Connection, cause: Cause) -> None:
        """Close a connection; the pool forgets it at its next sweep."""
        connection.request = None
        self._close(connection, cause)
        insort(self._resting, connection, key=_NUMBER)

    def _close(self, connection: Connection, cause: Cause) -> None:
        connection.state = State.CLOSED
        if connection.link >= 0:
            self._world.close(connection, cause)


def _connection(slot: Slot | None) -> Connection:
    assert isinstance(slot, Connection)  # noqa: S101  narrows the type; worlds hand slots back
    return slot
