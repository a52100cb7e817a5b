"""asyncpg's decisions, as in pools.kinds.asyncpg, asyncpg_holders and asyncpg_floor.

Free holders are the idle list, connected or not. Left out is what cannot happen in the kernel's
scenarios: create_pool, cancelled callers, dead connections.
"""

from pools.kinds.asyncpg import RESET_ROUND_TRIPS
from pools.kinds.asyncpg_floor import REPAIR_DELAY_S, REPAIR_DELAY_S_MAX
from pools.kinds.base import CLOSE_ROUND_TRIPS, POSTGRES_CONNECT_ROUND_TRIPS
from sim.kernel.agenda import IDLE_TIMER, REPAIR, push
from sim.kernel.compiled import compiled
from sim.kernel.slots import lay_idle, new_slot, remove_idle, take_idle
from sim.kernel.state import (
    ABORTED,
    ACQUIRE_TIMEOUT,
    CLOSE,
    CONNECT_REFUSED,
    DEAD,
    HOLDING,
    IDLE,
    MAX_QUERIES,
    NEVER,
    NONE,
    OPENING,
    RESET,
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
    is_waiting,
    note_failed_release,
    open_link,
    reject,
)


@compiled
def start(s: State, number: int, warm: int) -> None:
    """Make all holders; open what create_pool opens, or more (AsyncpgLogic.start)."""
    for _ in range(s.size):
        lay_idle(s, new_slot(s, number))
    count = min(s.size, max(warm, s.at_start))
    for slot in range(s.slots - count, s.slots):
        if adopt(s, slot):
            _count(s, slot)
    _restore_floor(s, number)


@compiled
def acquire(s: State, row: int, now: float) -> None:
    """Take a free holder, a connected one first, or queue (AsyncpgLogic.acquire)."""
    request = request_at(s, row)
    request.expires_s = now + s.timeout_s
    if pool_at(s, request.pool).idle != NONE:
        _take(s, row)
    else:
        join(s, row)
    if s.timeout_s < NEVER and is_waiting(s, row):
        alarm(s, row)


@compiled
def woken(s: State, row: int) -> None:
    """Take a holder, or queue at the tail (AsyncpgLogic.woken)."""
    request = request_at(s, row)
    has_free = pool_at(s, request.pool).idle != NONE
    if request.stage != WOKEN:
        if has_free:
            wake_first(s, request.pool)
    elif has_free:
        _take(s, row)
    else:
        join(s, row)


@compiled
def expired(s: State, row: int, now: float) -> None:
    """Fail a request that still waits or connects (AsyncpgLogic.expired, _abandon)."""
    request = request_at(s, row)
    if now < request.expires_s:
        return
    if request.stage == OPENING:
        slot = request.slot
        slot_at(s, slot).request = NONE
        close_link(s, slot, ABORTED)
        _put(s, slot)
        _restore_floor(s, request.pool)
    if is_waiting(s, row):
        reject(s, row, ACQUIRE_TIMEOUT)


@compiled
def opened(s: State, slot: int) -> None:
    """Grant a connection to who opened it, or keep it (AsyncpgLogic.opened)."""
    _count(s, slot)
    holder = slot_at(s, slot)
    if holder.request != NONE:
        _grant(s, holder.request, slot)
        return
    _put(s, slot)
    pool_at(s, holder.pool).delay_s = REPAIR_DELAY_S
    repair(s, holder.pool)


@compiled
def open_failed(s: State, slot: int) -> None:
    """Free the empty holder, tell the requester (AsyncpgLogic.open_failed, Floor.failed)."""
    holder = slot_at(s, slot)
    row = holder.request
    holder.request = NONE
    _put(s, slot)
    if row != NONE:
        _restore_floor(s, holder.pool)
        reject(s, row, CONNECT_REFUSED)
        return
    pool = pool_at(s, holder.pool)
    push(s, REPAIR, holder.pool, s.now + pool.delay_s)
    pool.delay_s = min(2.0 * pool.delay_s, REPAIR_DELAY_S_MAX)


@compiled
def exchanged(s: State, slot: int) -> None:
    """Free the holder after reset or close (AsyncpgLogic.exchanged)."""
    holder = slot_at(s, slot)
    row = holder.request
    holder.request = NONE
    raises = False
    if holder.doing == RESET and holder.is_ok:
        _put(s, slot)
        _arm_idle_timer(s, slot)
    else:
        raises = holder.doing == RESET or (not holder.is_ok and s.now >= holder.until_s)
        _drop(s, slot, MAX_QUERIES if holder.doing == CLOSE else DEAD)
        _put(s, slot)
        _restore_floor(s, holder.pool)
    if row != NONE:
        if raises:
            note_failed_release(s, row)
        finish(s, row)


@compiled
def release(s: State, row: int, now: float) -> None:
    """Reset the connection, or close it after max_queries (AsyncpgLogic.release)."""
    request = request_at(s, row)
    request.stage = RETURNING
    slot = request.slot
    holder = slot_at(s, slot)
    holder.queries += 1
    holder.until_s = now + s.timeout_s
    left_s = holder.until_s - now
    if holder.queries >= s.max_queries:
        _discount(s, slot)
        holder.doing = CLOSE
        is_done = exchange(s, slot, CLOSE_ROUND_TRIPS, left_s)
    else:
        holder.queries += 1
        holder.doing = RESET
        is_done = exchange(s, slot, RESET_ROUND_TRIPS, left_s)
    if is_done:
        exchanged(s, slot)


@compiled
def idle_timer(s: State, slot: int, now: float) -> None:
    """Close a holder idle for too long above the floor (AsyncpgLogic.timer)."""
    holder = slot_at(s, slot)
    holder.timer_set = 0
    if now < holder.idle_until_s < NEVER:
        _set_timer(s, slot)
    is_idle = holder.is_free and holder.counts and now >= holder.idle_until_s
    if is_idle and pool_at(s, holder.pool).live > s.least:
        _drop(s, slot, IDLE)


@compiled
def repair(s: State, number: int) -> None:
    """Open the next connection that the floor misses (Floor.repair, Holders.take_empty)."""
    pool = pool_at(s, number)
    pool.repairing = 0
    if pool.live >= s.least:
        return
    slot = pool.last_idle
    while slot != NONE and slot_at(s, slot).link >= 0:
        slot = slot_at(s, slot).previous
    if slot == NONE:
        return
    pool.repairing = 1
    remove_idle(s, slot)
    slot_at(s, slot).is_free = 0
    open_link(s, slot, POSTGRES_CONNECT_ROUND_TRIPS)


@compiled
def _take(s: State, row: int) -> None:
    request = request_at(s, row)
    slot = take_idle(s, request.pool, 1)
    holder = slot_at(s, slot)
    if holder.link < 0 and s.prefers_live:
        slot = _rather_live(s, slot)
        holder = slot_at(s, slot)
    holder.is_free = 0
    holder.request = row
    request.slot = slot
    if holder.link >= 0:
        _grant(s, row, slot)
    else:
        request.stage = OPENING
        open_link(s, slot, POSTGRES_CONNECT_ROUND_TRIPS)


@compiled
def _rather_live(s: State, empty: int) -> int:
    """Exchange an empty holder just taken for a live one (Holders.rather_live)."""
    slot = pool_at(s, slot_at(s, empty).pool).last_idle
    while slot != NONE and slot_at(s, slot).link < 0:
        slot = slot_at(s, slot).previous
    if slot == NONE:
        return empty
    lay_idle(s, empty)
    remove_idle(s, slot)
    return slot


@compiled
def _grant(s: State, row: int, slot: int) -> None:
    slot_at(s, slot).idle_until_s = NEVER
    request_at(s, row).stage = HOLDING
    grant(s, row, slot)


@compiled
def _put(s: State, slot: int) -> None:
    slot_at(s, slot).is_free = 1
    lay_idle(s, slot)
    wake_first(s, slot_at(s, slot).pool)


@compiled
def _drop(s: State, slot: int, cause: int) -> None:
    _discount(s, slot)
    close_link(s, slot, cause)


@compiled
def _count(s: State, slot: int) -> None:
    """Count a new connection (Holders.count)."""
    holder = slot_at(s, slot)
    pool_at(s, holder.pool).live += 1
    holder.counts = 1
    holder.queries = 0
    _arm_idle_timer(s, slot)


@compiled
def _discount(s: State, slot: int) -> None:
    """Count a connection no longer (Holders.discount)."""
    holder = slot_at(s, slot)
    pool_at(s, holder.pool).live -= holder.counts
    holder.counts = 0


@compiled
def _arm_idle_timer(s: State, slot: int) -> None:
    """Let the connection be closed if it stays unused (Holders.arm_idle_timer)."""
    if s.idle_s == 0.0:
        return
    holder = slot_at(s, slot)
    holder.idle_until_s = s.now + s.idle_s
    if not holder.timer_set:
        _set_timer(s, slot)


@compiled
def _set_timer(s: State, slot: int) -> None:
    slot_at(s, slot).timer_set = 1
    push(s, IDLE_TIMER, slot, slot_at(s, slot).idle_until_s)


@compiled
def _restore_floor(s: State, number: int) -> None:
    """Start the repair in this instant, after woken waiters (Floor.restore)."""
    pool = pool_at(s, number)
    if not pool.repairing and pool.live < s.least:
        pool.repairing = 1
        pool.delay_s = REPAIR_DELAY_S
        push(s, REPAIR, number, s.now)
