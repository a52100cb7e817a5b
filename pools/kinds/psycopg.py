"""psycopg's AsyncConnectionPool: its parameters and its decisions.

Source: psycopg_pool/pool_async.py (getconn, _getconn_with_check_loop, WaitingClient, putconn),
psycopg_pool 3.3.3.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from pools.kinds.base import (
    CANCEL_ROUND_TRIPS,
    Pool,
    connections,
    seconds,
)
from pools.kinds.psycopg_stock import RESET_ROUND_TRIPS, Stock
from pools.kinds.psycopg_work import Attempt, Place, place_of
from pools.protocol import PoolLogic, Request, Stage, Step, World
from pools.setting import Mistake, setting
from pools.trace import Outcome

CHECK_ROUND_TRIPS = 1
_DEFAULT = "psycopg_pool's default"


@dataclass(frozen=True, slots=True, kw_only=True)
class PsycopgPool(Pool):
    """Parameters of `psycopg_pool.AsyncConnectionPool`."""

    name: ClassVar[str] = "psycopg"
    title: ClassVar[str] = "psycopg pool"
    versions: ClassVar[str] = "psycopg_pool 3.3"
    use_round_trips: ClassVar[int] = 2
    prepares: ClassVar[bool] = False

    min_size: int = connections(
        4, "Connections opened at start, and the floor that the pool keeps.", source=_DEFAULT
    )
    max_size: int = connections(
        0,
        "Most connections; the pool grows by one at a time.",
        source=_DEFAULT,
        special={0: "as min_size (None)"},
    )
    timeout: float = seconds(
        30.0,
        "Longest wait for a connection. A check under way is not cut.",
        source=_DEFAULT,
        low=0.05,
    )
    max_waiting: int = setting(
        0,
        "Requests in the queue above which another fails at once (TooManyRequests). Those that"
        " timed out count until a connection passes them.",
        source=_DEFAULT,
        unit="requests",
        low=0,
        high=10_000,
        step=1,
        special={0: "no limit"},
    )
    max_lifetime: float = seconds(
        3600.0,
        "Age at which a connection is replaced when it is returned; up to 5 % less at random.",
        source=_DEFAULT,
        low=0.1,
        high=86_400.0,
        step=60.0,
    )
    max_idle: float = seconds(
        600.0,
        "How often the pool closes one connection above min_size if some were never used.",
        source=_DEFAULT,
        low=1.0,
        high=86_400.0,
        step=10.0,
    )
    reconnect_timeout: float = seconds(
        300.0,
        "How long a failed connect is tried again, after 1 s, 2 s, 4 s and so on.",
        source=_DEFAULT,
        high=86_400.0,
        step=10.0,
    )
    num_workers: int = setting(
        3,
        "Tasks that open connections in the background: so many connect at once.",
        source=_DEFAULT,
        unit="workers",
        low=1,
        high=100,
        step=1,
    )
    check: bool = setting(
        False,
        "check=AsyncConnectionPool.check_connection: test a connection at each checkout, one"
        " round trip.",
        source=_DEFAULT,
    )
    reset: bool = setting(
        False,
        "A reset callback of one round trip; a background worker runs it after each return.",
        source=_DEFAULT,
    )

    @property
    def capacity(self) -> int | None:
        """max_size, or min_size if that is not given."""
        return self.max_size or self.min_size

    @property
    def wait_s_max(self) -> float | None:
        """timeout."""
        return self.timeout

    @property
    def hold_round_trips(self) -> int:
        """BEGIN and COMMIT, and the check and the reset where they are on."""
        return (
            self.use_round_trips + CHECK_ROUND_TRIPS * self.check + RESET_ROUND_TRIPS * self.reset
        )

    def release_hops(self, explicit: bool) -> int:
        """None: a return only notifies the waiter, and its caller goes on first."""
        return 0

    def rules(self) -> Iterator[Mistake]:
        """Keep the floor below the ceiling, and the ceiling above nothing."""
        if self.max_size and self.min_size > self.max_size:
            rule = f"must be at most max_size ({self.max_size})"
            yield Mistake("min_size", rule, str(self.min_size))
        if not self.capacity:
            yield Mistake("min_size", "must be at least 1 if max_size is not given", "0")

    def logic(self, world: World, rng: random.Random) -> PoolLogic:
        """Make the decisions of one such pool."""
        return PsycopgLogic(self, world, rng)


class PsycopgLogic(Stock):
    """The decisions of one AsyncConnectionPool: who asks, is checked for, uses and returns."""

    def __init__(self, pool: PsycopgPool, world: World, rng: random.Random) -> None:
        """Start with no connection."""
        super().__init__(pool, world, rng)
        self._checks: dict[int, Attempt] = {}

    def acquire(self, request: Request, now: float) -> None:
        """Take the connection idle longest, or queue and let the pool grow."""
        request.expires_s = now + (
            self._pool.timeout if request.timeout_s is None else request.timeout_s
        )
        self._ask(request, now)

    def woken(self, request: Request, now: float) -> None:
        """Do nothing: a connection is handed over, not looked for."""

    def expired(self, request: Request, now: float) -> None:
        """Fail a request that still waits when its timeout is over."""
        if request.stage is Stage.QUEUED and now >= request.expires_s:
            self._reject(request, Outcome.ACQUIRE_TIMEOUT)

    def give_up(self, request: Request, now: float) -> None:
        """Forget a cancelled request; a check under way is cancelled on the server first."""
        if isinstance(request.slot, Place) and request.stage is Stage.OPENING:
            self._world.interrupt(request.slot)
            request.slot.then = self._check_cancelled
            self._world.exchange(request.slot, Step.CANCEL, CANCEL_ROUND_TRIPS)
        elif request.stage in (Stage.NEW, Stage.QUEUED):
            self._reject(request, Outcome.CANCELLED)

    def release(self, request: Request, now: float) -> None:
        """Hand the connection on, at once or after a reset in the background."""
        place = place_of(request.slot)
        place.request, request.stage = None, Stage.RETURNING
        self._world.available(request)
        self._put(place, now)
        request.stage = Stage.ENDED
        request.slot = None
        self._world.finished(request)

    def broke(self, request: Request, now: float) -> None:
        """Replace the connection."""
        place_of(request.slot).broken = True
        self.release(request, now)

    def interrupted(self, request: Request, now: float) -> None:
        """Cancel the query on the server, and roll back."""
        request.stage = Stage.RETURNING
        place = place_of(request.slot)
        place.then = self._query_cancelled
        self._world.exchange(place, Step.CANCEL, CANCEL_ROUND_TRIPS)

    def _ask(self, request: Request, now: float) -> None:
        if request.expires_s <= now:
            self._reject(request, Outcome.ACQUIRE_TIMEOUT)
        elif self._idle:
            place = self._idle.popleft()
            self._least_idle = min(self._least_idle, len(self._idle))
            self._give(place, request, now)
        elif 0 < self._pool.max_waiting <= len(self._waiting):
            self._reject(request, Outcome.QUEUE_FULL)
        else:
            request.stage = Stage.QUEUED
            self._waiting.append(request)
            self._world.alarm(request, request.expires_s)
            if self._count < self._most and not self._is_growing:
                self._grow(now)

    def _give(self, place: Place, request: Request, now: float) -> None:
        place.request, request.slot = request, place
        if self._pool.check:
            request.stage = Stage.OPENING
            place.then = self._checked
            self._world.exchange(place, Step.PING, CHECK_ROUND_TRIPS)
        else:
            self._grant(request, place)

    def _grant(self, request: Request, place: Place) -> None:
        request.stage = Stage.HOLDING
        self._world.grant(request, place)

    def _checked(self, place: Place, ok: bool, now: float) -> None:
        request = place.request
        assert request is not None  # noqa: S101  a check is always for somebody
        attempt = self._checks.get(request.row)
        if ok:
            self._checks.pop(request.row, None)
            self._grant(request, place)
            return
        request.slot, request.stage, place.request = None, Stage.NEW, None
        self._put(place, now)
        if attempt is None:
            self._checks[request.row] = Attempt(request.expires_s - now, self._rng)
            self._ask(request, now)
            return
        pause_s = attempt.pause_s(now)
        if attempt.is_over(now):
            self._reject(request, Outcome.ACQUIRE_TIMEOUT)
        else:
            self._world.timer(partial(self._ask_again, request), now + pause_s)

    def _ask_again(self, request: Request, now: float) -> None:
        if request.stage is Stage.NEW:
            self._ask(request, now)

    def _check_cancelled(self, place: Place, ok: bool, now: float) -> None:
        request, place.request = place.request, None
        self._put(place, now)
        if request is not None:
            self._reject(request, Outcome.CANCELLED)

    def _query_cancelled(self, place: Place, ok: bool, now: float) -> None:
        request = place.request
        assert request is not None  # noqa: S101  a query is always somebody's
        if ok and request.in_transaction:
            place.then = self._rolled_back
            self._world.exchange(place, Step.RESET, RESET_ROUND_TRIPS)
        else:
            self.release(request, now)

    def _rolled_back(self, place: Place, ok: bool, now: float) -> None:
        if place.request is not None:
            self.release(place.request, now)

    def _reject(self, request: Request, outcome: Outcome) -> None:
        self._checks.pop(request.row, None)
        request.stage = Stage.ENDED
        request.slot = None
        self._world.reject(request, outcome)
