"""aiohttp's decisions for one host, as in pools.kinds.aiohttp.

Left out is what cannot happen in the kernel's scenarios: several hosts, cancelled callers, dead
connections, refused connects.
"""

import numpy as np

from pools.kinds.aiohttp import CEIL_THRESHOLD_S
from pools.kinds.http import CONNECT_ROUND_TRIPS
from sim.kernel.agenda import CLEANUP, ENDS, push
from sim.kernel.compiled import compiled
from sim.kernel.slots import lay_idle, new_slot, take_idle
from sim.kernel.state import (
    ABORTED,
    ACQUIRE_TIMEOUT,
    ENDED,
    HOLDING,
    IDLE,
    NEVER,
    NONE,
    NOT_POOLED,
    OPENING,
    QUEUED,
    UNLISTED,
    WOKEN,
    State,
)
from sim.kernel.tables import pool_at, request_at, slot_at
from sim.kernel.world import adopt, alarm, close_link, finish, grant, open_link, reject, wake


@compiled
def start(s: State, number: int, warm: int) -> None:
    """Put idle connections into the connector (ConnectorLogic.start)."""
    most = min(warm, s.size) if s.size else warm
    if s.host_limit:
        most = min(most, s.host_limit)
    for _ in range(0 if s.force_close else most):
        slot = new_slot(s, number)
        if adopt(s, slot):
            _rest(s, slot)


@compiled
def acquire(s: State, row: int) -> None:
    """Use an idle connection whatever the limit; else open one; else queue (acquire)."""
    request = request_at(s, row)
    number = request.pool
    slot = NONE if s.never_overtakes else _take_idle(s, number)
    if slot != NONE:
        _grant(s, row, slot)
        return
    _arm_timeout(s, row)
    is_behind = s.never_overtakes and pool_at(s, number).has_queue
    if is_behind or _room(s, number) <= 0:
        _queue(s, row, at_front=False)
    else:
        _take(s, row)


@compiled
def woken(s: State, row: int) -> None:
    """Try again; a waiter that was robbed goes to the front (ConnectorLogic.woken)."""
    request = request_at(s, row)
    _forget_queue(s, request.pool)
    if request.stage != WOKEN:
        reject(s, row, ACQUIRE_TIMEOUT)
    elif not s.never_overtakes and _room(s, request.pool) <= 0:
        _queue(s, row, at_front=True)
    else:
        _take(s, row)


@compiled
def expired(s: State, row: int, now: float) -> None:
    """Let a request end, in its own next turn (ConnectorLogic.expired, _cancel)."""
    request = request_at(s, row)
    if now < request.expires_s:
        return
    if request.stage != WOKEN:
        push(s, ENDS, row, now)
    request.stage = ENDED


@compiled
def end(s: State, row: int) -> None:
    """End a request whose time was over (ConnectorLogic._end)."""
    request = request_at(s, row)
    if request.slot != NONE:
        close_link(s, _hand_back(s, row), ABORTED)
    elif pool_at(s, request.pool).has_queue:
        if request.previous != UNLISTED:
            _unlist(s, row)
        _forget_queue(s, request.pool)
    reject(s, row, ACQUIRE_TIMEOUT)


@compiled
def opened(s: State, slot: int) -> None:
    """Hand the new connection to who opened it (ConnectorLogic.opened)."""
    row = slot_at(s, slot).request
    if row != NONE and request_at(s, row).stage == OPENING:
        _grant(s, row, slot)


@compiled
def release(s: State, row: int) -> None:
    """Free the place, wake a waiter, then put the connection aside (release)."""
    slot = _hand_back(s, row)
    if slot_at(s, slot).link >= 0:
        if s.force_close:
            close_link(s, slot, NOT_POOLED)
        else:
            _rest(s, slot)
    finish(s, row)


@compiled
def clean_up(s: State, number: int, now: float) -> None:
    """Close connections idle for longer than keepalive_timeout (ConnectorLogic._cleanup)."""
    pool = pool_at(s, number)
    pool.cleanup_set = 0
    deadline_s = now - s.idle_s
    while pool.idle != NONE and slot_at(s, pool.idle).idle_since_s < deadline_s:
        close_link(s, take_idle(s, number, 0), IDLE)
    if pool.idle != NONE:
        _set_cleanup(s, number)


@compiled
def _room(s: State, number: int) -> int:
    in_use = pool_at(s, number).in_use
    total = s.size - in_use if s.size else 1
    if total > 0 and s.host_limit:
        return min(total, s.host_limit - in_use)
    return total


@compiled
def _take(s: State, row: int) -> None:
    request = request_at(s, row)
    slot = _take_idle(s, request.pool)
    if slot != NONE:
        _grant(s, row, slot)
        return
    slot = new_slot(s, request.pool)
    slot_at(s, slot).request = row
    request.slot = slot
    request.stage = OPENING
    pool_at(s, request.pool).in_use += 1
    open_link(s, slot, CONNECT_ROUND_TRIPS)


@compiled
def _take_idle(s: State, number: int) -> int:
    """Take an idle connection that is young enough, close older ones (_take_idle)."""
    pool = pool_at(s, number)
    while pool.idle != NONE:
        slot = take_idle(s, number, s.lifo)
        if s.now - slot_at(s, slot).idle_since_s <= s.idle_s:
            pool.in_use += 1
            return slot
        close_link(s, slot, IDLE)
    return NONE


@compiled
def _grant(s: State, row: int, slot: int) -> None:
    slot_at(s, slot).request = row
    request = request_at(s, row)
    request.slot = slot
    request.stage = HOLDING
    grant(s, row, slot)


@compiled
def _hand_back(s: State, row: int) -> int:
    """Free a request's place, wake a waiter (ConnectorLogic._hand_back, _leave)."""
    request = request_at(s, row)
    slot = request.slot
    request.slot = slot_at(s, slot).request = NONE
    pool_at(s, request.pool).in_use -= 1
    if _room(s, request.pool) >= 1:
        _wake_one(s, request.pool)
    return slot


@compiled
def _wake_one(s: State, number: int) -> None:
    pool = pool_at(s, number)
    while pool.waiters != NONE:
        row = pool.waiters
        _unlist(s, row)
        if request_at(s, row).stage == QUEUED:
            request_at(s, row).stage = WOKEN
            wake(s, row)
            return


@compiled
def _queue(s: State, row: int, at_front: bool) -> None:
    """Let a request wait, last or first of all (ConnectorLogic._queue)."""
    request = request_at(s, row)
    pool = pool_at(s, request.pool)
    request.stage = QUEUED
    pool.has_queue = 1
    request.next = pool.waiters if at_front else NONE
    request.previous = NONE if at_front else pool.last_waiter
    if request.previous == NONE:
        pool.waiters = row
    else:
        request_at(s, request.previous).next = row
    if request.next == NONE:
        pool.last_waiter = row
    else:
        request_at(s, request.next).previous = row


@compiled
def _unlist(s: State, row: int) -> None:
    """Take a request out of the queue (OrderedDict.pop)."""
    request = request_at(s, row)
    pool = pool_at(s, request.pool)
    if request.previous == NONE:
        pool.waiters = request.next
    else:
        request_at(s, request.previous).next = request.next
    if request.next == NONE:
        pool.last_waiter = request.previous
    else:
        request_at(s, request.next).previous = request.previous
    request.previous = UNLISTED


@compiled
def _forget_queue(s: State, number: int) -> None:
    pool = pool_at(s, number)
    if pool.waiters == NONE:
        pool.has_queue = 0


@compiled
def _arm_timeout(s: State, row: int) -> None:
    """Set the deadline; aiohttp rounds longer ones up (ConnectorLogic._arm_timeout)."""
    if s.timeout_s == NEVER:
        return
    at_s = s.now + s.timeout_s
    request_at(s, row).expires_s = np.ceil(at_s) if s.timeout_s > CEIL_THRESHOLD_S else at_s
    alarm(s, row)


@compiled
def _rest(s: State, slot: int) -> None:
    slot_at(s, slot).idle_since_s = s.now
    lay_idle(s, slot)
    _set_cleanup(s, slot_at(s, slot).pool)


@compiled
def _set_cleanup(s: State, number: int) -> None:
    pool = pool_at(s, number)
    if pool.cleanup_set or s.idle_s == 0.0:
        return
    pool.cleanup_set = 1
    at_s = s.now + s.idle_s
    if s.idle_s >= CEIL_THRESHOLD_S:
        at_s = np.ceil(at_s)
    push(s, CLEANUP, number, max(at_s, np.nextafter(s.now, NEVER)))
