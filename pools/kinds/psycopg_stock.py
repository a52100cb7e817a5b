"""The connections of psycopg's pool: who opens, keeps, resets, replaces and closes them.

Source: psycopg_pool/pool_async.py (_add_connection, _return_connection, _add_to_pool,
_shrink_pool), base.py (_set_connection_expiry_date), psycopg_pool 3.3.3.
"""

import random
from abc import abstractmethod
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from pools.kinds.base import POSTGRES_CONNECT_ROUND_TRIPS
from pools.kinds.psycopg_work import Attempt, Place, Workers, place_of
from pools.protocol import Request, Slot, Stage, Step, World
from pools.trace import Cause

if TYPE_CHECKING:
    from pools.kinds.psycopg import PsycopgPool

RESET_ROUND_TRIPS = 1
LIFETIME_JITTER = 0.05


class Stock:
    """Connections, and the queue of requests that they are handed to.

    `_count` are the connections that exist, are lent or are being opened; `_least_idle` the
    fewest that lay idle since the pool last looked whether to shrink. `_waiting` keeps those
    that have left, as the library does, until a connection passes them.
    """

    def __init__(self, pool: "PsycopgPool", world: World, rng: random.Random) -> None:
        """Start with no connection."""
        self._pool = pool
        self._most = pool.max_size or pool.min_size
        self._world = world
        self._rng = rng
        self._idle: deque[Place] = deque()
        self._waiting: deque[Request] = deque()
        self._workers = Workers(pool.num_workers)
        self._count = self._least_idle = pool.min_size
        self._is_growing = False

    @abstractmethod
    def _give(self, place: Place, request: Request, now: float) -> None:
        """Let a request have a connection."""

    def start(self, now: float, warm: int) -> None:
        """Put min_size connections into the pool, or `warm` if that is more."""
        self._count = max(self._pool.min_size, min(self._most, warm))
        for _ in range(self._count):
            place = Place()
            if self._world.adopt(place):
                self._set_expiry(place, now)
                self._idle.append(place)
            else:
                self._workers.run(self._add, now)
        self._workers.run(self._schedule_shrink, now)

    def create(self, now: float) -> None:
        """Open min_size connections in the background; requests may come at once."""
        for _ in range(self._pool.min_size):
            self._workers.run(self._add, now)
        self._workers.run(self._schedule_shrink, now)
        self._world.ready(True)

    def opened(self, slot: Slot, now: float) -> None:
        """Hand the new connection out; go on growing while somebody waits."""
        place = place_of(slot)
        self._set_expiry(place, now)
        self._hand_out(place, now)
        if place.growing:
            self._is_growing = False
            if self._count < self._pool.min_size or (self._waiting and self._count < self._most):
                self._grow(now)
        self._workers.rest(now)

    def open_failed(self, slot: Slot, now: float) -> None:
        """Try again later, unless it has been tried for too long; nobody is told."""
        place = place_of(slot)
        attempt = place.attempt or Attempt(self._pool.reconnect_timeout, self._rng)
        if attempt.is_over(place.started_s):
            self._count -= 1
            self._is_growing = self._is_growing and not place.growing
        else:
            again = partial(self._add, attempt=attempt, growing=place.growing)
            at_s = now + attempt.pause_s(place.started_s)
            self._world.timer(partial(self._workers.run, again), at_s)
        self._workers.rest(now)

    def lost(self, slot: Slot, now: float) -> None:
        """Notice nothing: psycopg finds out when the connection is used next."""

    def timer(self, token: object, now: float) -> None:
        """Do what was planned for now."""
        assert callable(token)  # noqa: S101  narrows the type; worlds hand tokens back
        token(now)

    def exchanged(self, slot: Slot, step: Step, ok: bool, now: float) -> None:
        """Go on with what the conversation was for."""
        place = place_of(slot)
        place.broken = place.broken or not ok
        if place.then is not None:
            place.then(place, ok, now)

    def _put(self, place: Place, now: float) -> None:
        if self._pool.reset:
            self._workers.run(partial(self._reset, place), now)
        else:
            self._take_back(place, now)

    def _reset(self, place: Place, now: float) -> None:
        place.then = self._was_reset
        if place.broken:
            self._was_reset(place, False, now)
        else:
            self._world.exchange(place, Step.RESET, RESET_ROUND_TRIPS)

    def _was_reset(self, place: Place, ok: bool, now: float) -> None:
        self._take_back(place, now)
        self._workers.rest(now)

    def _take_back(self, place: Place, now: float) -> None:
        if place.broken or place.expires_s <= now:
            self._world.close(place, Cause.DEAD if place.broken else Cause.RECYCLE)
            self._workers.run(self._add, now)
        else:
            self._hand_out(place, now)

    def _hand_out(self, place: Place, now: float) -> None:
        while self._waiting:
            request = self._waiting.popleft()
            if request.stage is Stage.QUEUED:
                self._give(place, request, now)
                return
        self._idle.append(place)

    def _add(self, now: float, attempt: Attempt | None = None, growing: bool = False) -> None:
        place = Place()
        place.attempt, place.growing, place.started_s = attempt, growing, now
        self._world.open(place, POSTGRES_CONNECT_ROUND_TRIPS)

    def _schedule_shrink(self, now: float) -> None:
        self._world.timer(partial(self._workers.run, self._shrink), now + self._pool.max_idle)
        self._workers.rest(now)

    def _shrink(self, now: float) -> None:
        least, self._least_idle = self._least_idle, len(self._idle)
        if self._count > self._pool.min_size and least > 0 and self._idle:
            self._world.close(self._idle.popleft(), Cause.IDLE)
            self._count -= 1
            self._least_idle -= 1
        self._schedule_shrink(now)

    def _set_expiry(self, place: Place, now: float) -> None:
        spread = 1.0 + LIFETIME_JITTER * self._rng.random() - LIFETIME_JITTER
        place.expires_s = now + self._pool.max_lifetime * spread

    def _grow(self, now: float) -> None:
        """Open one more; only one at a time is opened for growth."""
        self._is_growing = True
        self._count += 1
        self._workers.run(partial(self._add, growing=True), now)
