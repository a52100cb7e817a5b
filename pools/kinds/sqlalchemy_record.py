"""SQLAlchemy's connection record: connecting, initialising, testing and discarding.

    checkout: connect [initialise the dialect, once] -> too old? replace -> pre-ping? -> grant
    failure:  a new record's room comes free and nobody is woken; an old one goes back, empty

What queue and NullPool have in common, over asyncpg. Source: sqlalchemy/pool/base.py
(_ConnectionRecord, _ConnectionFairy._checkout), event/attr.py (_exec_w_sync_on_first_run),
dialects/postgresql/asyncpg.py (_async_ping, _terminate_graceful_close), SQLAlchemy 2.1.9.
"""

from abc import abstractmethod
from collections import deque
from enum import Enum
from typing import Any

from pools.kinds.base import CANCEL_ROUND_TRIPS, CLOSE_ROUND_TRIPS, POSTGRES_CONNECT_ROUND_TRIPS
from pools.kinds.waiters import Waiters
from pools.protocol import HOLDING, OPENING, RETURNING, Request, Slot, Step, World
from pools.trace import Cause, Outcome

INITIALISE_ROUND_TRIPS = 10
# Of those, some do not go through a Connection, which would condemn the pool if they failed:
# SHOW TRANSACTION ISOLATION LEVEL (prepare, execute) and the last ROLLBACK.
UNNOTICED_ROUND_TRIPS = (5, 6, 9)
PING_ROUND_TRIPS = 3
FIRST_PING_ROUND_TRIPS = 4
CLOSE_TIMEOUT_S = 2.0
# asyncpg forgets a prepared statement after this time, and then has to close the old one too.
STATEMENT_LIFETIME_S = 300.0
_NEVER = float("inf")


class Doing(Enum):
    """What a record is busy with, apart from lying idle or being held."""

    NOTHING = 0
    CONNECT = 1
    AWAIT_MUTEX = 2
    INITIALISE = 3
    REPLACE = 4
    PING = 5
    CLOSE = 6
    DISCARD = 7
    ROLL_BACK = 8


# As in pools.protocol: looking it up in the class takes time.
_NOTHING = Doing.NOTHING


class Record(Slot):
    """SQLAlchemy's connection record: outlives the connections it carries.

    `is_new` until its first connect is complete, `fresh` until first lent after a connect;
    `dead` if its connection is lost, which the pool finds out only by using it.
    """

    __slots__ = ("dead", "doing", "fresh", "is_new", "pinged_s", "started_s", "trips", "until_s")

    def __init__(self) -> None:
        """Start without a connection."""
        super().__init__()
        self.started_s = 0.0
        self.is_new = True
        self.fresh = True
        self.dead = False
        self.doing = Doing.NOTHING
        self.pinged_s = _NEVER
        self.trips = 0
        self.until_s = 0.0


class RecordLogic:
    """What becomes of records; where idle ones are kept is for the pool's class to say.

    `recycle_s` and `pre_ping` are the engine's settings, `surplus` why a pool closes what it
    does not keep.
    """

    def __init__(
        self, world: World, surplus: Cause, recycle_s: float = -1.0, pre_ping: bool = False
    ) -> None:
        """Start with no record."""
        self._world = world
        self._waiters = Waiters(world)
        self._surplus = surplus
        self._recycle_s = recycle_s
        self._recycles = recycle_s > -1.0
        self._pre_ping = pre_ping
        self._invalidated_s = -_NEVER
        self._initialised = False
        self._mutex: deque[Record] = deque()

    def create(self, now: float) -> None:
        """Be ready at once: the engine connects lazily."""
        self._world.ready(True)

    def give_up(self, request: Request, now: float) -> None:
        """Abort what is done for a cancelled request; what was promised to end, ends first."""
        record = request.slot
        if not isinstance(record, Record):
            self._waiters.reject(request, Outcome.CANCELLED)
            return
        match record.doing:
            case Doing.CONNECT | Doing.REPLACE:
                self._world.close(record, Cause.ABORTED)
                self._fail(record, Outcome.CANCELLED)
            case Doing.AWAIT_MUTEX:
                self._mutex.remove(record)
                self._discard(record, now)
            case Doing.INITIALISE:
                self._world.interrupt(record)
                self._mutex.popleft()
                self._discard(record, now, CANCEL_ROUND_TRIPS)
                self._pass_mutex(now)
            case Doing.PING:
                done = self._world.interrupt(record)
                rolls_back = 1 <= done < record.trips - 1
                self._discard(record, now, CANCEL_ROUND_TRIPS, rolls_back)
            case Doing.CLOSE if request.explicit:
                self._closed(record)
            case _:
                pass

    def opened(self, slot: Slot, now: float) -> None:
        """Initialise the dialect on the very first connection; others wait for that."""
        record = record_of(slot)
        if self._initialised:
            self._connected(record, now)
            return
        record.doing = Doing.AWAIT_MUTEX
        self._mutex.append(record)
        if len(self._mutex) == 1:
            self._initialise(record)

    def open_failed(self, slot: Slot, now: float) -> None:
        """Tell the requester only. A new record's room comes free and nobody is woken."""
        self._fail(record_of(slot), Outcome.CONNECT_REFUSED)

    def exchanged(self, slot: Slot, step: Step, ok: bool, now: float) -> None:
        """Go on with what the conversation was for."""
        record = record_of(slot)
        match record.doing:
            case Doing.PING if ok:
                if record.trips > PING_ROUND_TRIPS:
                    record.pinged_s += (now - record.pinged_s) / record.trips
                self._grant(record)
            case Doing.PING:
                self._invalidate(record, now)
                self._reconnect(record, Cause.DEAD, now)
            case Doing.REPLACE:
                expired = self._invalidated_s <= record.started_s
                self._reconnect(record, Cause.RECYCLE if expired else Cause.INVALIDATED, now)
            case Doing.CLOSE:
                self._closed(record)
            case Doing.INITIALISE:
                self._initialised = ok
                if not ok:
                    record.dead = True
                    if self._world.interrupt(record) not in UNNOTICED_ROUND_TRIPS:
                        self._invalidate(record, now)
                self._pass_mutex(now)
            case Doing.ROLL_BACK:
                self._rolled_back(record, step, ok, now)
            case _:
                self._discarded(record, step, ok, now)

    def release(self, request: Request, now: float) -> None:
        """Take a record back."""
        request.stage = RETURNING
        record: Any = request.slot  # record_of would cost a call
        self._put(record, request)

    def broke(self, request: Request, now: float) -> None:
        """Condemn the whole pool: whoever is next replaces its connection."""
        request.stage = RETURNING
        record = record_of(request.slot)
        self._invalidate(record, now)
        self._world.close(record, Cause.DEAD)
        self._put(record, request)

    def interrupted(self, request: Request, now: float) -> None:
        """Cancel the query on the server, then throw the connection away."""
        request.stage = RETURNING
        self._discard(record_of(request.slot), now, CANCEL_ROUND_TRIPS)

    def lost(self, slot: Slot, now: float) -> None:
        """Remember it for later: SQLAlchemy notices only when it uses the connection."""
        record_of(slot).dead = True

    def timer(self, token: object, now: float) -> None:
        """Do nothing: this pool sets no timers."""

    @abstractmethod
    def _put(self, record: Record, by: Request | None) -> None:
        """Take a record back, from who releases it or from a checkout that failed."""

    @abstractmethod
    def _forget(self, record: Record) -> None:
        """Let a record's room come free; nobody is woken."""

    def _create(self, request: Request, now: float) -> None:
        record = Record()
        record.request = request
        request.slot = record
        self._connect(record, now)

    def _close(self, record: Record, by: Request | None) -> None:
        record.request = by
        record.doing = Doing.CLOSE
        if record.link >= 0:
            self._world.exchange(record, Step.CLOSE, CLOSE_ROUND_TRIPS)
        else:
            self._closed(record)

    def _closed(self, record: Record) -> None:
        self._world.close(record, self._surplus)
        self._forget(record)
        by, record.request = record.request, None
        if by is not None:
            self._world.available(by)
            self._waiters.finish(by)

    def _connect(self, record: Record, now: float) -> None:
        if record.request is not None:
            record.request.stage = OPENING
        record.started_s = now
        record.fresh = True
        record.dead = False
        record.pinged_s = _NEVER
        record.doing = Doing.CONNECT
        self._world.open(record, POSTGRES_CONNECT_ROUND_TRIPS)

    def _reconnect(self, record: Record, why: Cause, now: float) -> None:
        self._world.close(record, why)
        self._connect(record, now)

    def _initialise(self, record: Record) -> None:
        record.doing = Doing.INITIALISE
        self._world.exchange(record, Step.INITIALISE, INITIALISE_ROUND_TRIPS)

    def _pass_mutex(self, now: float) -> None:
        """Let who has the mutex go on, then all who wait for it, or the next initialise."""
        while self._mutex:
            record = self._mutex[0]
            if not (self._initialised or record.dead):
                self._initialise(record)
                return
            self._mutex.popleft()
            if record.dead:
                self._world.close(record, Cause.DEAD)
                self._fail(record, Outcome.CONNECT_REFUSED)
            else:
                self._connected(record, now)

    def _connected(self, record: Record, now: float) -> None:
        """Test a new record like an old one; lend a reconnected one as it is."""
        was_new, record.is_new = record.is_new, False
        if was_new and record.request is not None:
            self._checkout(record.request, record, now)
        else:
            self._grant(record)

    def _checkout(self, request: Request, record: Record, now: float) -> None:
        request.slot = record
        record.request = request
        if record.link < 0:
            self._connect(record, now)
        elif record.started_s < self._invalidated_s or (
            self._recycles and now - record.started_s > self._recycle_s
        ):
            request.stage = OPENING
            record.doing = Doing.REPLACE
            self._world.exchange(record, Step.CLOSE, CLOSE_ROUND_TRIPS, CLOSE_TIMEOUT_S)
        elif self._pre_ping and not record.fresh:
            request.stage = OPENING
            self._ping(record, now)
        else:  # _grant would cost a call
            record.fresh = False
            record.doing = _NOTHING
            request.stage = HOLDING
            self._world.grant(request, record)

    def _ping(self, record: Record, now: float) -> None:
        record.doing = Doing.PING
        record.trips = PING_ROUND_TRIPS
        if record.pinged_s == _NEVER or now >= record.pinged_s + STATEMENT_LIFETIME_S:
            record.trips += 1 if record.pinged_s == _NEVER else 2
            record.pinged_s = now
        self._world.exchange(record, Step.PING, record.trips)

    def _invalidate(self, record: Record, now: float) -> None:
        if self._invalidated_s < record.started_s:
            self._invalidated_s = now

    def _grant(self, record: Record) -> None:
        record.fresh = False
        record.doing = _NOTHING
        request = record.request
        if request is not None:
            request.stage = HOLDING
            self._world.grant(request, record)

    def _fail(self, record: Record, outcome: Outcome) -> None:
        request, record.request = record.request, None
        if record.is_new:
            self._forget(record)
        else:
            self._put(record, None)
        if request is not None:
            self._waiters.reject(request, outcome)

    def _discard(
        self, record: Record, now: float, cancel_trips: int = 0, rolls_back: bool = False
    ) -> None:
        """Cancel the query under way, if any, and close: both within two seconds.

        A ping that is cancelled halfway sends a ROLLBACK of its own first.
        """
        record.doing = Doing.ROLL_BACK if rolls_back else Doing.DISCARD
        record.until_s = now + CLOSE_TIMEOUT_S
        if rolls_back:
            self._world.exchange(record, Step.CANCEL, cancel_trips)
        elif cancel_trips:
            self._world.exchange(record, Step.CANCEL, cancel_trips, CLOSE_TIMEOUT_S)
        else:
            self._world.exchange(record, Step.CLOSE, CLOSE_ROUND_TRIPS, CLOSE_TIMEOUT_S)

    def _rolled_back(self, record: Record, step: Step, ok: bool, now: float) -> None:
        if not ok:
            # The ROLLBACK finds the connection closed. Its error takes the place of the
            # cancellation, which is thus forgotten, and counts as a failed ping.
            self._invalidate(record, now)
            self._reconnect(record, Cause.DEAD, now)
        elif step is Step.CANCEL:
            self._world.exchange(record, Step.PING, 1)
        else:
            self._discard(record, now)

    def _discarded(self, record: Record, step: Step, ok: bool, now: float) -> None:
        if step is Step.CANCEL and ok:
            left_s = record.until_s - now
            self._world.exchange(record, Step.CLOSE, CLOSE_ROUND_TRIPS, left_s)
            return
        self._world.close(record, Cause.ABORTED)
        request = record.request
        if request is not None and request.stage is RETURNING:
            self._put(record, request)
        else:
            self._fail(record, Outcome.CANCELLED)


def record_of(slot: Slot | None) -> Record:
    """Return the slot as the record it is: worlds hand back what they were given."""
    assert isinstance(slot, Record)  # noqa: S101  narrows the type
    return slot
