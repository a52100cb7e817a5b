"""aiohttp's TCPConnector: its parameters and its decisions.

Source: aiohttp/connector.py (BaseConnector.connect, _wait_for_available_connection, _get,
_release_waiter, _release, _cleanup), aiohttp/helpers.py (ceil_timeout, weakref_handle) and
aiohttp/client.py (ClientSession._request), aiohttp 3.14.5 and 3.10.10.
"""

import math
import random
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from pools.kinds.base import connections, seconds
from pools.kinds.http import CONNECT_ROUND_TRIPS, HttpLogic, HttpPool
from pools.protocol import ENDED, HOLDING, OPENING, QUEUED, WOKEN, PoolLogic, Request, Slot, World
from pools.setting import setting
from pools.trace import Cause, Outcome

CEIL_THRESHOLD_S = 5.0
_DEFAULT = "aiohttp's default"


@dataclass(frozen=True, slots=True, kw_only=True)
class AiohttpConnector(HttpPool):
    """Parameters of `aiohttp.TCPConnector`, and `ClientTimeout.connect`."""

    name: ClassVar[str] = "aiohttp"
    title: ClassVar[str] = "aiohttp connector"
    versions: ClassVar[str] = "aiohttp 3.10 to 3.14"

    limit: int = connections(
        100,
        "Most connections in use; idle ones do not count.",
        source=_DEFAULT,
        special={0: "no limit"},
    )
    limit_per_host: int = connections(
        0,
        "Most connections in use to one host (one host, port and TLS setting).",
        source=_DEFAULT,
        special={0: "no limit"},
    )
    keepalive_timeout: float = seconds(
        15.0,
        "How long an idle connection may be used again.",
        source=_DEFAULT,
        high=3600.0,
        step=0.5,
        special={0.0: "never used again"},
    )
    force_close: bool = setting(False, "Close each connection after its response.", source=_DEFAULT)
    connect_timeout: float = seconds(
        0.0,
        "ClientTimeout.connect: waiting for a free place and connecting together; above 5 s"
        " it is rounded up to a whole second.",
        source="aiohttp's default (none; only total=300 s bounds it)",
        special={0.0: "none"},
    )
    version: str = setting(
        "3.11",
        "aiohttp 3.11 and later, 3.10.11, or 3.10 before it. Up to 3.10.11 the connection used"
        " last is used first; before 3.10.11 nobody overtakes a woken waiter.",
        source="aiohttp/connector.py of each",
        choices=("3.11", "3.10.11", "3.10"),
    )

    @property
    def capacity(self) -> int | None:
        """limit; None if there is none."""
        return self.limit or None

    @property
    def wait_s_max(self) -> float | None:
        """connect_timeout, or None for ever."""
        return self.connect_timeout or None

    def logic(self, world: World, rng: random.Random) -> PoolLogic:
        """Make the decisions of one such connector."""
        return ConnectorLogic(self, world, rng)


class Place(Slot):
    """One connection in use or idle. `idle_since_s` counts while it is idle."""

    __slots__ = ("host", "idle_since_s")

    def __init__(self, host: int) -> None:
        """Start as a placeholder for a connection to that host."""
        super().__init__()
        self.host = host
        self.idle_since_s = 0.0


class ConnectorLogic(HttpLogic):
    """The decisions of one TCPConnector. Hosts are small numbers."""

    def __init__(self, pool: AiohttpConnector, world: World, rng: random.Random) -> None:
        """Start with no connection. `rng` shuffles the hosts at each wake-up."""
        super().__init__(world)
        self._rng = rng
        self._limit = pool.limit
        self._host_limit = pool.limit_per_host
        self._keepalive_s = pool.keepalive_timeout
        self._force_close = pool.force_close
        self._wait_s = pool.wait_s_max
        self._never_overtakes = pool.version == "3.10"
        self._last_first = pool.version != "3.11"
        self._idle: dict[int, deque[Place]] = {}
        # Hosts in the order in which they began to have waiters: what is shuffled counts.
        self._waiters: dict[int, OrderedDict[int, Request]] = {}
        self._in_use = 0
        self._in_use_of: Counter[int] = Counter()
        self._cleanup_set = False
        self._ends: dict[int, Outcome] = {}

    def start(self, now: float, warm: int) -> None:
        """Put `warm` idle connections to the first host into the connector."""
        most = min(warm, self._limit or warm, self._host_limit or warm)
        for _ in range(0 if self._force_close else most):
            place = Place(0)
            if self._world.adopt(place):
                self._rest(place, now)

    def acquire(self, request: Request, now: float) -> None:
        """Use an idle connection whatever the limit; else open one if there is room; else queue.

        Before 3.10.11: queue if there is no room, or behind who waits or has just been woken.
        """
        place = None if self._never_overtakes else self._take_idle(request.host, now)
        if place is not None:
            self._grant(request, place)
            return
        self._arm_timeout(request, now)
        is_behind = self._never_overtakes and request.host in self._waiters
        if is_behind or self._room(request.host) <= 0:
            self._queue(request, at_front=False)
        else:
            self._take(request, now)

    def woken(self, request: Request, now: float) -> None:
        """Try again; a waiter that was robbed goes back to the front of its queue.

        One that ended in the meantime loses the wake-up: aiohttp wakes nobody else.
        """
        self._forget_queue(request.host)
        if request.stage is not WOKEN:
            self._reject(request, self._ends.pop(request.row))
        elif not self._never_overtakes and self._room(request.host) <= 0:
            self._queue(request, at_front=True)
        else:
            self._take(request, now)

    def expired(self, request: Request, now: float) -> None:
        """Fail a request that still waits or connects when its timeout is over."""
        if now >= request.expires_s:
            self._cancel(request, Outcome.ACQUIRE_TIMEOUT, now)

    def give_up(self, request: Request, now: float) -> None:
        """Forget a cancelled request."""
        self._cancel(request, Outcome.CANCELLED, now)

    def opened(self, slot: Slot, now: float) -> None:
        """Hand the new connection to who opened it."""
        request = slot.request
        if request is not None and request.stage is OPENING:
            self._grant(request, _place(slot))

    def open_failed(self, slot: Slot, now: float) -> None:
        """Free the place and tell the requester."""
        place = _place(slot)
        request, place.request = place.request, None
        self._leave(place)
        if request is not None:
            request.slot = None
            if request.stage is OPENING:
                self._reject(request, Outcome.CONNECT_REFUSED)

    def release(self, request: Request, now: float) -> None:
        """Free the place, wake a waiter, and only then put the connection aside as idle."""
        place = self._hand_back(request)
        if place.link >= 0:
            if self._force_close or request.closes:
                self._close(place, Cause.NOT_POOLED)
            else:
                self._rest(place, now)
        self._finish(request)

    def broke(self, request: Request, now: float) -> None:
        """Free the place; send an idempotent request again, once, without a word."""
        self._hand_back(request)
        if request.idempotent:
            request.idempotent = False
            self.acquire(request, now)
        else:
            self._finish(request)

    def interrupted(self, request: Request, now: float) -> None:
        """Close the connection, in the caller's own next turn."""
        self._world.timer(partial(self._end, request, None), now)

    def lost(self, slot: Slot, now: float) -> None:
        """Note that the connection is dead; if idle, it is skipped when its turn comes."""
        self._close(_place(slot), Cause.DEAD)

    def timer(self, token: object, now: float) -> None:
        """Do what the token says: clean up, or end a cancelled request."""
        if callable(token):
            token(now)

    def _cleanup(self, now: float) -> None:
        """Close connections idle for longer than keepalive_timeout; look again later."""
        self._cleanup_set = False
        deadline_s = now - self._keepalive_s
        for idle in self._idle.values():
            while idle and (idle[0].link < 0 or idle[0].idle_since_s < deadline_s):
                self._close(idle.popleft(), Cause.IDLE)
        if any(self._idle.values()):
            self._set_cleanup(now)

    def _room(self, host: int) -> int:
        total = self._limit - self._in_use if self._limit else 1
        if total > 0 and self._host_limit:
            return min(total, self._host_limit - self._in_use_of[host])
        return total

    def _take(self, request: Request, now: float) -> None:
        place = self._take_idle(request.host, now)
        if place is None:
            self._open(request)
        else:
            self._grant(request, place)

    def _take_idle(self, host: int, now: float) -> Place | None:
        idle = self._idle.get(host)
        while idle:
            place = idle.pop() if self._last_first else idle.popleft()
            if place.link < 0:
                continue
            if now - place.idle_since_s <= self._keepalive_s:
                self._in_use += 1
                self._in_use_of[host] += 1
                return place
            self._close(place, Cause.IDLE)
        return None

    def _leave(self, place: Place) -> None:
        self._in_use -= 1
        self._in_use_of[place.host] -= 1
        if self._waiters:
            self._wake_one()

    def _open(self, request: Request) -> None:
        place = Place(request.host)
        place.request = request
        request.slot = place
        request.stage = OPENING
        self._in_use += 1
        self._in_use_of[request.host] += 1
        self._world.open(place, CONNECT_ROUND_TRIPS)

    def _grant(self, request: Request, place: Place) -> None:
        place.request = request
        request.slot = place
        request.stage = HOLDING
        self._world.grant(request, place)

    def _queue(self, request: Request, at_front: bool) -> None:
        request.stage = QUEUED
        waiters = self._waiters.setdefault(request.host, OrderedDict())
        waiters[request.row] = request
        if at_front:
            waiters.move_to_end(request.row, last=False)

    def _forget_queue(self, host: int) -> None:
        if host in self._waiters and not self._waiters[host]:
            del self._waiters[host]

    def _arm_timeout(self, request: Request, now: float) -> None:
        timeout_s = self._wait_s if request.timeout_s is None else request.timeout_s
        if timeout_s is None:
            return
        at_s = now + timeout_s
        request.expires_s = math.ceil(at_s) if timeout_s > CEIL_THRESHOLD_S else at_s
        self._world.alarm(request, request.expires_s)

    def _wake_one(self) -> None:
        """Wake the first waiter of a host chosen at random among those with room."""
        hosts = list(self._waiters)
        if len(hosts) > 1:
            self._rng.shuffle(hosts)
        for host in hosts:
            if self._room(host) < 1:
                continue
            waiters = self._waiters[host]
            while waiters:
                _, request = waiters.popitem(last=False)
                if request.stage is QUEUED:
                    request.stage = WOKEN
                    self._world.wake(request)
                    return

    def _cancel(self, request: Request, outcome: Outcome, now: float) -> None:
        """Let the request end in its own next turn: several timeouts may be due at once."""
        if request.stage is WOKEN:
            self._ends[request.row] = outcome
        else:
            self._world.timer(partial(self._end, request, outcome), now)
        request.stage = ENDED

    def _end(self, request: Request, outcome: Outcome | None, now: float) -> None:
        if request.slot is not None:
            self._close(self._hand_back(request), Cause.ABORTED)
        elif request.host in self._waiters:
            self._waiters[request.host].pop(request.row, None)
            self._forget_queue(request.host)
        if outcome is None:
            self._finish(request)
        else:
            self._reject(request, outcome)

    def _hand_back(self, request: Request) -> Place:
        place = _place(request.slot)
        request.slot = place.request = None
        self._leave(place)
        return place

    def _rest(self, place: Place, now: float) -> None:
        place.idle_since_s = now
        self._idle.setdefault(place.host, deque()).append(place)
        self._set_cleanup(now)

    def _close(self, place: Place, cause: Cause) -> None:
        if place.link >= 0:
            self._world.close(place, cause)

    def _set_cleanup(self, now: float) -> None:
        if self._cleanup_set or not self._keepalive_s:
            return
        self._cleanup_set = True
        rounded = math.ceil if self._keepalive_s >= CEIL_THRESHOLD_S else float
        at_s = rounded(now + self._keepalive_s)
        self._world.timer(self._cleanup, max(at_s, math.nextafter(now, math.inf)))


def _place(slot: Slot | None) -> Place:
    assert isinstance(slot, Place)  # noqa: S101  narrows the type; worlds hand slots back
    return slot
