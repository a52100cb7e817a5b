"""SQLAlchemy's AsyncAdaptedQueuePool over asyncpg: its parameters and its decisions.

Source: sqlalchemy/pool/impl.py (QueuePool._do_get, _do_return_conn), pool/base.py
(see sqlalchemy_record), util/queue.py (AsyncAdaptedQueue), SQLAlchemy 2.1.9.
"""

import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pools.kinds.base import Pool, connections, seconds
from pools.kinds.sqlalchemy_record import PING_ROUND_TRIPS, Record, RecordLogic
from pools.protocol import ENDED, NEW, QUEUED, RETURNING, WOKEN, PoolLogic, Request, World
from pools.setting import Mistake, setting
from pools.trace import Cause, Outcome

_DEFAULT = "SQLAlchemy's default"
# A waiter whose time is over fails even if it was woken in this instant; `woken` passes it on.
_IN_QUEUE = (QUEUED, WOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlalchemyQueue(Pool):
    """Parameters of `create_async_engine` that concern its pool; library's names."""

    name: ClassVar[str] = "sqlalchemy"
    title: ClassVar[str] = "SQLAlchemy engine"
    versions: ClassVar[str] = "SQLAlchemy 2.0 and 2.1, asyncpg driver"
    use_round_trips: ClassVar[int] = 2

    pool_size: int = connections(
        5, "Connections kept when idle.", source=_DEFAULT, special={0: "no limit at all"}
    )
    max_overflow: int = connections(
        10,
        "Connections beyond pool_size while all are in use; closed on return if pool_size"
        " are already idle.",
        source=_DEFAULT,
        low=-1,
        special={-1: "no limit"},
    )
    pool_timeout: float = seconds(
        30.0,
        "Longest wait in the queue. Connecting and pre-ping are not counted.",
        source=_DEFAULT,
        low=0.05,
    )
    pool_recycle: int = setting(
        -1,
        "Age at which a connection is replaced, at its next checkout.",
        source=_DEFAULT,
        unit="s",
        low=-1,
        high=86_400,
        step=1,
        special={-1: "never"},
    )
    pool_pre_ping: bool = setting(
        False,
        "Test an idle connection at each checkout: three round trips inside a transaction,"
        " four the first time.",
        source=_DEFAULT,
    )
    pool_use_lifo: bool = setting(
        False,
        "Lend the connection returned last instead of the one idle longest.",
        source=_DEFAULT,
    )

    @property
    def capacity(self) -> int | None:
        """pool_size + max_overflow; None if either means no limit."""
        if self.pool_size == 0 or self.max_overflow == -1:
            return None
        return self.pool_size + self.max_overflow

    @property
    def wait_s_max(self) -> float | None:
        """pool_timeout."""
        return None if self.capacity is None else self.pool_timeout

    @property
    def hold_round_trips(self) -> int:
        """BEGIN and COMMIT, and the pre-ping where it is on."""
        return self.use_round_trips + PING_ROUND_TRIPS * self.pool_pre_ping

    def rules(self) -> Iterator[Mistake]:
        """Keep recycle useful: 0 would open every connection twice."""
        if self.pool_recycle == 0:
            yield Mistake("pool_recycle", "must be -1 (never) or at least 1 s", "0")

    def release_hops(self, explicit: bool) -> int:
        """0 after an explicit close(): it returns in the same turn; 1 after `async with`."""
        return 0 if explicit else 1

    def logic(self, world: World, rng: random.Random) -> PoolLogic:
        """Make the decisions of one such pool."""
        return QueuePoolLogic(self, world)


class QueuePoolLogic(RecordLogic):
    """The decisions of one AsyncAdaptedQueuePool."""

    def __init__(self, pool: SqlalchemyQueue, world: World) -> None:
        """Start with no record."""
        super().__init__(world, Cause.OVERFLOW, pool.pool_recycle, pool.pool_pre_ping)
        self._size = pool.pool_size
        self._overflow_max = -1 if pool.pool_size == 0 else pool.max_overflow
        self._timeout_s = pool.pool_timeout
        self._idle: deque[Record] = deque()
        self._take_idle = self._idle.pop if pool.pool_use_lifo else self._idle.popleft
        self._overflow = -pool.pool_size

    def start(self, now: float, warm: int) -> None:
        """Put `warm` used connections into the pool; SQLAlchemy itself opens none."""
        self._initialised = warm > 0
        for _ in range(min(warm, self._size or warm)):
            record = Record()
            record.started_s = now
            record.is_new = record.fresh = False
            if self._world.adopt(record):
                self._overflow += 1
                self._idle.append(record)

    def acquire(self, request: Request, now: float) -> None:
        """Take an idle record whoever waits, or connect, or queue."""
        if self._idle:
            self._checkout(request, self._take_idle(), now)
        elif self._has_room():
            self._create(request, now)
        else:
            self._waiters.join(request)
            request.expires_s = now + self._timeout_s
            self._world.alarm(request, request.expires_s)

    def woken(self, request: Request, now: float) -> None:
        """Take the record put back, or queue at the tail if a newcomer took it first."""
        if request.stage is not WOKEN:
            if self._idle:
                self._waiters.wake()
        elif self._idle:
            self._checkout(request, self._take_idle(), now)
        else:
            self._waiters.join(request)

    def expired(self, request: Request, now: float) -> None:
        """Fail the waiter, unless room came free unnoticed: then it connects after all."""
        if request.stage not in _IN_QUEUE or now < request.expires_s:
            return
        request.stage = NEW
        if self._has_room():
            self._create(request, now)
        else:
            self._waiters.reject(request, Outcome.ACQUIRE_TIMEOUT)

    def _has_room(self) -> bool:
        return self._overflow_max == -1 or self._overflow < self._overflow_max

    def _create(self, request: Request, now: float) -> None:
        self._overflow += 1
        super()._create(request, now)

    def _forget(self, record: Record) -> None:
        self._overflow -= 1

    def release(self, request: Request, now: float) -> None:
        """Take a record back and keep it if there is a place for it, also one of overflow."""
        record: Any = request.slot
        if 0 < self._size <= len(self._idle):
            request.stage = RETURNING
            self._close(record, request)
            return
        record.request = None
        self._idle.append(record)
        if self._waiters:
            self._waiters.wake()
        self._world.available(request)
        request.stage, request.slot = ENDED, None  # Waiters.finish would cost a call
        self._world.finished(request)

    def _put(self, record: Record, by: Request | None) -> None:
        if by is not None:
            self.release(by, math.nan)  # which looks at no clock
        elif 0 < self._size <= len(self._idle):
            self._close(record, None)
        else:
            record.request = None
            self._idle.append(record)
            if self._waiters:
                self._waiters.wake()
