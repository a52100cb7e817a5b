"""asyncpg.Pool: its parameters and its decisions.

Source: asyncpg/pool.py (Pool, PoolConnectionHolder), asyncpg 0.32.0 and 0.31.0.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from pools.kinds.asyncpg_creation import Creation
from pools.kinds.asyncpg_floor import Floor
from pools.kinds.asyncpg_holders import NEVER, Holder, Holders, holder_of
from pools.kinds.base import (
    CANCEL_ROUND_TRIPS,
    CLOSE_ROUND_TRIPS,
    POSTGRES_CONNECT_ROUND_TRIPS,
    Pool,
    connections,
    seconds,
)
from pools.kinds.waiters import Waiters
from pools.protocol import (
    HOLDING,
    OPENING,
    QUEUED,
    RETURNING,
    WOKEN,
    PoolLogic,
    Request,
    Slot,
    Step,
    World,
)
from pools.setting import Mistake, setting
from pools.trace import Cause, Outcome

RESET_ROUND_TRIPS = 1
_DEFAULT = "asyncpg's default"
_WAITING = (QUEUED, WOKEN, OPENING)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncpgPool(Pool):
    """Parameters of `asyncpg.create_pool`, and the timeout given to each `acquire`."""

    name: ClassVar[str] = "asyncpg"
    title: ClassVar[str] = "asyncpg pool"
    versions: ClassVar[str] = "asyncpg 0.30 to 0.32"

    max_size: int = connections(10, "Most connections of the pool.", source=_DEFAULT, low=1)
    min_size: int = connections(
        10,
        "Floor that the pool restores in the background; before 0.32 what create_pool opens.",
        source=_DEFAULT,
    )
    init_size: int = connections(
        -1,
        "Connections opened by create_pool itself (from 0.32).",
        source=_DEFAULT,
        low=-1,
        special={-1: "as min_size"},
    )
    acquire_timeout: float = seconds(
        0.0,
        "The timeout given to acquire(): queue and connect together. It also bounds the reset"
        " on release.",
        source="asyncpg has no default: overload then hangs",
        special={0.0: "none, waits for ever"},
    )
    max_queries: int = setting(
        50_000,
        "Queries after which a connection is replaced; the reset on release counts as one.",
        source=_DEFAULT,
        unit="queries",
        low=1,
        high=1_000_000_000,
        step=1,
    )
    max_inactive_connection_lifetime: float = seconds(
        300.0,
        "Idle time after which a connection above min_size is closed; before 0.32 any one.",
        source=_DEFAULT,
        high=86_400.0,
        step=1.0,
        special={0.0: "never"},
    )
    version: str = setting(
        "0.32",
        "0.32; or 0.31 and before: no floor, no init_size, and acquire takes the holder that came"
        " free last, connected or not.",
        source="asyncpg/pool.py of each",
        choices=("0.32", "0.31"),
    )

    @property
    def capacity(self) -> int | None:
        """max_size."""
        return self.max_size

    @property
    def wait_s_max(self) -> float | None:
        """acquire_timeout, or None for ever."""
        return self.acquire_timeout or None

    @property
    def has_floor(self) -> bool:
        """Whether this version restores min_size in the background."""
        return self.version != "0.31"

    @property
    def hold_round_trips(self) -> int:
        """The reset on release."""
        return RESET_ROUND_TRIPS

    @property
    def connections_at_start(self) -> int:
        """What create_pool opens before it returns."""
        return self.min_size if self.init_size == -1 else self.init_size

    def rules(self) -> Iterator[Mistake]:
        """Keep the floor and the start within max_size, and the start above the floor."""
        for name in ("min_size", "init_size"):
            value = getattr(self, name)
            if value > self.max_size:
                yield Mistake(name, f"must be at most max_size ({self.max_size})", str(value))
        if self.init_size != -1 and not self.has_floor:
            yield Mistake("init_size", "must be -1 before asyncpg 0.32", str(self.init_size))
        elif -1 < self.init_size < self.min_size:
            rule = f"must be at least min_size ({self.min_size})"
            yield Mistake("init_size", rule, str(self.init_size))

    def logic(self, world: World, rng: random.Random) -> PoolLogic:
        """Make the decisions of one such pool."""
        return AsyncpgLogic(self, world)


class AsyncpgLogic:
    """The decisions of one asyncpg.Pool."""

    def __init__(self, pool: AsyncpgPool, world: World) -> None:
        """Make all holders, free and empty; the last of the queue is taken first."""
        self._pool = pool
        self._world = world
        self._waiters = Waiters(world)
        idle_s = pool.max_inactive_connection_lifetime
        self._holders = Holders(pool.max_size, idle_s, world)
        self._free = self._holders.free
        self._timeout_s = pool.acquire_timeout or NEVER
        self._prefers_live = pool.has_floor
        self._floor = Floor(pool.min_size if pool.has_floor else 0, self._holders, world)
        self._creation = Creation(self._holders, world, tidies=pool.has_floor)

    def start(self, now: float, warm: int) -> None:
        """Open what create_pool opens, or `warm` if that is more."""
        count = min(self._pool.max_size, max(warm, self._pool.connections_at_start))
        for holder in self._free[self._pool.max_size - count :]:
            if self._world.adopt(holder):
                self._holders.count(holder, now)
        self._restore_floor(now)

    def create(self, now: float) -> None:
        """Open one connection alone; then the others that create_pool opens, all at once."""
        self._creation.begin(self._pool.connections_at_start)

    def acquire(self, request: Request, now: float) -> None:
        """Take a free holder, a connected one first, or queue."""
        timeout_s = request.timeout_s or self._timeout_s
        request.expires_s = now + timeout_s
        if self._free:
            self._take(request)
        else:
            self._waiters.join(request)
        if timeout_s < NEVER and request.stage in _WAITING:
            self._world.alarm(request, request.expires_s)

    def woken(self, request: Request, now: float) -> None:
        """Take a holder, or queue at the tail if a newcomer took it first."""
        if request.stage is not WOKEN:
            if self._free:
                self._waiters.wake()
        elif self._free:
            self._take(request)
        else:
            self._waiters.join(request)

    def expired(self, request: Request, now: float) -> None:
        """Fail a request that still waits or connects when its timeout is over."""
        if now >= request.expires_s:
            self._abandon(request, Outcome.ACQUIRE_TIMEOUT, now)

    def give_up(self, request: Request, now: float) -> None:
        """Forget a cancelled request; a release goes on behind its caller's back."""
        if request.slot is not None and request.stage is RETURNING:
            request.slot.request = None
            self._waiters.finish(request)
        else:
            self._abandon(request, Outcome.CANCELLED, now)

    def opened(self, slot: Slot, now: float) -> None:
        """Grant a connection to who opened it, or keep it if it restores the floor."""
        holder = holder_of(slot)
        if self._creation.has_failed:
            self._creation.opened_in_vain(holder, now)
            return
        self._holders.count(holder, now)
        if holder.request is not None:
            self._grant(holder.request, holder)
        elif self._creation.left:
            self._creation.go_on()
            self._restore_floor(now)
        else:
            self._put(holder)
            self._floor.opened()

    def open_failed(self, slot: Slot, now: float) -> None:
        """Free the empty holder, wake the next waiter, and tell the requester."""
        if self._creation.left:
            self._creation.fail()
            return
        holder = holder_of(slot)
        request = holder.detach()
        self._put(holder)
        if request is not None:
            self._restore_floor(now)
            self._waiters.reject(request, Outcome.CONNECT_REFUSED)
        else:
            self._floor.failed(now)

    def exchanged(self, slot: Slot, step: Step, ok: bool, now: float) -> None:
        """Free the holder after reset or close, then let release() return or raise."""
        holder = holder_of(slot)
        if step is Step.RESET and ok:
            request, holder.request = holder.request, None
            self._put(holder, by=request)
            self._holders.arm_idle_timer(holder, now)
            if request is not None:
                self._waiters.finish(request)
        elif step is Step.CANCEL and ok:
            holder.cancelled(now)
            self._give_back(holder, now)
        elif self._creation.has_failed:
            self._world.close(holder, Cause.NOT_POOLED)
        else:
            raises = step is Step.RESET or (not ok and now >= holder.until_s)
            self._drop(holder, Cause.MAX_QUERIES if step is Step.CLOSE else Cause.DEAD)
            request = holder.detach()
            self._put(holder, by=request)
            self._restore_floor(now)
            if request is not None:
                (self._waiters.fail if raises else self._waiters.finish)(request)

    def release(self, request: Request, now: float) -> None:
        """Reset the connection, or close it if it has served max_queries."""
        if request.slot is None:
            self._waiters.finish(request)
        else:
            self._give_back(self._returned(request, now), now)

    def broke(self, request: Request, now: float) -> None:
        """Let release() return at once: the holder was freed when its connection was lost."""
        self._waiters.finish(request)

    def interrupted(self, request: Request, now: float) -> None:
        """Wait until the query is cancelled on the server, then release."""
        holder = self._returned(request, now)
        closes = holder.queries >= self._pool.max_queries
        if closes:
            self._holders.discount(holder)
        left_s = holder.cancel(now, counts=self._pool.has_floor or not closes)
        self._world.exchange(holder, Step.CANCEL, CANCEL_ROUND_TRIPS, left_s)

    def lost(self, slot: Slot, now: float) -> None:
        """Empty the holder at once; a borrower finds that its connection is gone."""
        holder = holder_of(slot)
        request = holder.detach()
        self._drop(holder, Cause.DEAD)
        if request is not None:
            request.slot = None
            self._put(holder, by=request)
        self._restore_floor(now)

    def timer(self, token: object, now: float) -> None:
        """Close a holder idle for too long above the floor, or go on with the repair."""
        if token is self._floor:
            self._floor.repair()
            return
        holder = holder_of(token)
        if self._holders.is_idle_for_too_long(holder, now) and self._floor.is_exceeded:
            self._drop(holder, Cause.IDLE)

    def _take(self, request: Request) -> None:
        holder = self._free.pop()
        if holder.link < 0 and self._prefers_live:
            holder = self._holders.rather_live(holder)
        holder.is_free = False
        holder.request = request
        request.slot = holder
        if holder.link >= 0:
            self._grant(request, holder)
        else:
            request.stage = OPENING
            self._world.open(holder, POSTGRES_CONNECT_ROUND_TRIPS)

    def _grant(self, request: Request, holder: Holder) -> None:
        holder.idle_until_s = NEVER
        request.stage = HOLDING
        self._world.grant(request, holder)

    def _abandon(self, request: Request, outcome: Outcome, now: float) -> None:
        if request.stage is OPENING:
            holder = holder_of(request.slot)
            holder.detach()
            self._world.close(holder, Cause.ABORTED)
            self._put(holder)
            self._restore_floor(now)
        if request.stage in _WAITING:
            self._waiters.reject(request, outcome)

    def _returned(self, request: Request, now: float) -> Holder:
        request.stage = RETURNING
        holder = holder_of(request.slot)
        holder.queries += request.queries
        holder.until_s = now + (request.timeout_s or self._timeout_s)
        return holder

    def _give_back(self, holder: Holder, now: float) -> None:
        if holder.queries >= self._pool.max_queries:
            self._holders.discount(holder)
            self._world.exchange(holder, Step.CLOSE, CLOSE_ROUND_TRIPS, holder.left_s(now))
        else:
            holder.queries += 1
            self._world.exchange(holder, Step.RESET, RESET_ROUND_TRIPS, holder.left_s(now))

    def _drop(self, holder: Holder, cause: Cause) -> None:
        self._holders.discount(holder)
        self._world.close(holder, cause)

    def _put(self, holder: Holder, by: Request | None = None) -> None:
        holder.is_free = True
        self._free.append(holder)
        if by is not None:
            self._world.available(by)
        if self._waiters:
            self._waiters.wake()

    def _restore_floor(self, now: float) -> None:
        if not self._creation.left:
            self._floor.restore(now)
