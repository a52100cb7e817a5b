"""SQLAlchemy's decisions, as in pools.kinds.sqlalchemy, sqlalchemy_null and sqlalchemy_record.

Left out is what cannot happen in the kernel's scenarios: cancelled callers, dead connections.
"""

from pools.kinds.base import CLOSE_ROUND_TRIPS, POSTGRES_CONNECT_ROUND_TRIPS
from pools.kinds.sqlalchemy_record import (
    CLOSE_TIMEOUT_S,
    INITIALISE_ROUND_TRIPS,
    PING_ROUND_TRIPS,
    STATEMENT_LIFETIME_S,
)
from sim.kernel.compiled import compiled
from sim.kernel.slots import lay_idle, new_slot, take_idle
from sim.kernel.state import (
    ACQUIRE_TIMEOUT,
    AWAIT_MUTEX,
    CLOSE,
    CONNECT,
    CONNECT_REFUSED,
    HOLDING,
    INITIALISE,
    NEVER,
    NEW,
    NONE,
    NOTHING,
    NULL_POOL,
    OPENING,
    PING,
    QUEUED,
    RECYCLE,
    REPLACE,
    RETURNING,
    WOKEN,
    State,
)
from sim.kernel.tables import pool_at, request_at, slot_at
from sim.kernel.waiters import join, wake_first
from sim.kernel.world import (
    adopt,
    alarm,
    close_link,
    exchange,
    finish,
    grant,
    open_link,
    reject,
)


@compiled
def start(s: State, number: int, warm: int) -> None:
    """Put used connections into a pool (QueuePoolLogic.start, NullPoolLogic.start)."""
    pool = pool_at(s, number)
    pool.is_initialised = 1 if warm > 0 else 0
    pool.overflow = -s.size
    if s.kind == NULL_POOL:
        return
    for _ in range(min(warm, s.size) if s.size else warm):
        slot = new_slot(s, number)
        slot_at(s, slot).is_new = slot_at(s, slot).is_fresh = 0
        if adopt(s, slot):
            pool.overflow += 1
            lay_idle(s, slot)


@compiled
def acquire(s: State, row: int, now: float) -> None:
    """Take an idle record whoever waits, or connect, or queue (QueuePoolLogic.acquire)."""
    request = request_at(s, row)
    number = request.pool
    if pool_at(s, number).idle != NONE:
        _checkout(s, row, take_idle(s, number, s.lifo), now)
    elif _has_room(s, number):
        _create(s, row, now)
    else:
        join(s, row)
        request.expires_s = now + s.timeout_s
        alarm(s, row)


@compiled
def woken(s: State, row: int, now: float) -> None:
    """Take the record put back, or queue at the tail (QueuePoolLogic.woken)."""
    number = request_at(s, row).pool
    has_idle = pool_at(s, number).idle != NONE
    if request_at(s, row).stage != WOKEN:
        if has_idle:
            wake_first(s, number)
    elif has_idle:
        _checkout(s, row, take_idle(s, number, s.lifo), now)
    else:
        join(s, row)


@compiled
def expired(s: State, row: int, now: float) -> None:
    """Fail the waiter, unless room came free unnoticed (QueuePoolLogic.expired)."""
    request = request_at(s, row)
    if request.stage not in (QUEUED, WOKEN) or now < request.expires_s:
        return
    request.stage = NEW
    if _has_room(s, request.pool):
        _create(s, row, now)
    else:
        reject(s, row, ACQUIRE_TIMEOUT)


@compiled
def release(s: State, row: int) -> None:
    """Take a record back (RecordLogic.release)."""
    request_at(s, row).stage = RETURNING
    _put(s, request_at(s, row).slot, row)


@compiled
def opened(s: State, slot: int, now: float) -> None:
    """Initialise the dialect on the very first connection (RecordLogic.opened)."""
    record = slot_at(s, slot)
    pool = pool_at(s, record.pool)
    if pool.is_initialised:
        _connected(s, slot, now)
        return
    record.doing = AWAIT_MUTEX
    record.next = NONE
    if pool.mutex != NONE:
        slot_at(s, pool.last_in_mutex).next = slot
        pool.last_in_mutex = slot
        return
    pool.mutex = pool.last_in_mutex = slot
    record.doing = INITIALISE
    if exchange(s, slot, INITIALISE_ROUND_TRIPS, NEVER):
        _pass_mutex(s, slot, now)


@compiled
def open_failed(s: State, slot: int) -> None:
    """Tell the requester only (RecordLogic._fail)."""
    record = slot_at(s, slot)
    row = record.request
    record.request = NONE
    if record.is_new:
        pool_at(s, record.pool).overflow -= 1
    else:
        _put(s, slot, NONE)
    if row != NONE:
        reject(s, row, CONNECT_REFUSED)


@compiled
def exchanged(s: State, slot: int, now: float) -> None:
    """Go on with what the conversation was for (RecordLogic.exchanged)."""
    doing = slot_at(s, slot).doing
    if doing == PING:
        _pinged(s, slot, now)
    elif doing == REPLACE:
        _reconnect(s, slot, now)
    elif doing == CLOSE:
        _closed(s, slot)
    else:
        _pass_mutex(s, slot, now)


@compiled
def _has_room(s: State, number: int) -> bool:
    most = s.overflow_max
    return most == -1 or pool_at(s, number).overflow < most


@compiled
def _create(s: State, row: int, now: float) -> None:
    """Connect for a request (QueuePoolLogic._create)."""
    pool_at(s, request_at(s, row).pool).overflow += 1
    slot = new_slot(s, request_at(s, row).pool)
    slot_at(s, slot).request = row
    request_at(s, row).slot = slot
    _connect(s, slot, now)


@compiled
def _put(s: State, slot: int, row: int) -> None:
    """Keep the record if there is a place for it (QueuePoolLogic._put, NullPoolLogic._put)."""
    number = slot_at(s, slot).pool
    if s.kind == NULL_POOL or 0 < s.size <= pool_at(s, number).idle_count:
        _close(s, slot, row)
        return
    slot_at(s, slot).request = NONE
    lay_idle(s, slot)
    wake_first(s, number)
    if row != NONE:
        finish(s, row)


@compiled
def _close(s: State, slot: int, row: int) -> None:
    record = slot_at(s, slot)
    record.request = row
    record.doing = CLOSE
    if record.link < 0 or exchange(s, slot, CLOSE_ROUND_TRIPS, NEVER):
        _closed(s, slot)


@compiled
def _closed(s: State, slot: int) -> None:
    close_link(s, slot, s.surplus)
    record = slot_at(s, slot)
    pool_at(s, record.pool).overflow -= 1
    row = record.request
    record.request = NONE
    if row != NONE:
        finish(s, row)


@compiled
def _connect(s: State, slot: int, now: float) -> None:
    record = slot_at(s, slot)
    if record.request != NONE:
        request_at(s, record.request).stage = OPENING
    record.started_s = now
    record.is_fresh = 1
    record.pinged_s = NEVER
    record.doing = CONNECT
    open_link(s, slot, POSTGRES_CONNECT_ROUND_TRIPS)


@compiled
def _reconnect(s: State, slot: int, now: float) -> None:
    close_link(s, slot, RECYCLE)
    _connect(s, slot, now)


@compiled
def _pass_mutex(s: State, slot: int, now: float) -> None:
    """Let all who wait for the first initialisation go on (RecordLogic._pass_mutex)."""
    pool = pool_at(s, slot_at(s, slot).pool)
    pool.is_initialised = 1
    while pool.mutex != NONE:
        first = pool.mutex
        pool.mutex = slot_at(s, first).next
        _connected(s, first, now)


@compiled
def _connected(s: State, slot: int, now: float) -> None:
    """Test a new record like an old one (RecordLogic._connected)."""
    record = slot_at(s, slot)
    was_new = record.is_new
    record.is_new = 0
    if was_new and record.request != NONE:
        _checkout(s, record.request, slot, now)
    else:
        _grant(s, slot)


@compiled
def _checkout(s: State, row: int, slot: int, now: float) -> None:
    """Replace, test or lend a record (RecordLogic._checkout)."""
    record = slot_at(s, slot)
    request_at(s, row).slot = slot
    record.request = row
    if record.link < 0:
        _connect(s, slot, now)
    elif -1.0 < s.recycle_s < now - record.started_s:
        request_at(s, row).stage = OPENING
        record.doing = REPLACE
        if exchange(s, slot, CLOSE_ROUND_TRIPS, CLOSE_TIMEOUT_S):
            _reconnect(s, slot, now)
    elif s.pre_ping and not record.is_fresh:
        request_at(s, row).stage = OPENING
        _ping(s, slot, now)
    else:
        _grant(s, slot)


@compiled
def _ping(s: State, slot: int, now: float) -> None:
    """Send a pre-ping, first preparing its statement (RecordLogic._ping)."""
    record = slot_at(s, slot)
    record.doing = PING
    record.trips = PING_ROUND_TRIPS
    if record.pinged_s == NEVER or now >= record.pinged_s + STATEMENT_LIFETIME_S:
        record.trips += 1 if record.pinged_s == NEVER else 2
        record.pinged_s = now
    if exchange(s, slot, record.trips, NEVER):
        _pinged(s, slot, now)


@compiled
def _pinged(s: State, slot: int, now: float) -> None:
    record = slot_at(s, slot)
    if record.trips > PING_ROUND_TRIPS:
        record.pinged_s += (now - record.pinged_s) / record.trips
    _grant(s, slot)


@compiled
def _grant(s: State, slot: int) -> None:
    record = slot_at(s, slot)
    record.is_fresh = 0
    record.doing = NOTHING
    if record.request != NONE:
        request_at(s, record.request).stage = HOLDING
        grant(s, record.request, slot)
