"""Who waits for a pool built on asyncio.Queue, as in pools.kinds.waiters."""

from sim.kernel.compiled import compiled
from sim.kernel.state import NONE, QUEUED, WOKEN, State
from sim.kernel.tables import pool_at, request_at
from sim.kernel.world import wake


@compiled
def join(s: State, row: int) -> None:
    """Let a request wait behind all others (Waiters.join)."""
    request = request_at(s, row)
    pool = pool_at(s, request.pool)
    request.stage = QUEUED
    request.next = NONE
    if pool.waiters == NONE:
        pool.waiters = row
    else:
        request_at(s, pool.last_waiter).next = row
    pool.last_waiter = row


@compiled
def wake_first(s: State, number: int) -> None:
    """Wake the first that still waits (Waiters.wake)."""
    pool = pool_at(s, number)
    while pool.waiters != NONE:
        row = pool.waiters
        pool.waiters = request_at(s, row).next
        if request_at(s, row).stage == QUEUED:
            request_at(s, row).stage = WOKEN
            wake(s, row)
            return
