"""Slots of a pool, and the list of those that lie idle.

The list is linked both ways: `idle` is its first, longest in the list, `last_idle` its last.
"""

from sim.kernel.compiled import compiled
from sim.kernel.state import NEVER, NONE, NOTHING, State
from sim.kernel.tables import pool_at, slot_at


@compiled
def new_slot(s: State, number: int) -> int:
    """Make a slot without a connection (Record, Holder, Place)."""
    slot = s.slots
    if slot == s.slots_max:
        s.is_full = s.is_over = 1
        slot -= 1
    s.slots = slot + 1
    made = slot_at(s, slot)
    made.pool = number
    made.link = made.request = NONE
    made.started_s = s.now
    made.pinged_s = made.idle_until_s = made.until_s = NEVER
    made.is_new = made.is_fresh = made.is_free = 1
    made.doing = NOTHING
    made.trips = made.counts = made.queries = made.timer_set = 0
    return slot


@compiled
def lay_idle(s: State, slot: int) -> None:
    """Put a slot behind the other idle ones (deque.append)."""
    laid = slot_at(s, slot)
    pool = pool_at(s, laid.pool)
    laid.next = NONE
    laid.previous = pool.last_idle
    if pool.idle == NONE:
        pool.idle = slot
    else:
        slot_at(s, pool.last_idle).next = slot
    pool.last_idle = slot
    pool.idle_count += 1


@compiled
def take_idle(s: State, number: int, last: int) -> int:
    """Take the slot idle longest, or the one returned last (deque.popleft, deque.pop)."""
    pool = pool_at(s, number)
    slot = pool.last_idle if last else pool.idle
    remove_idle(s, slot)
    return slot


@compiled
def remove_idle(s: State, slot: int) -> None:
    """Take that slot out of the list (list.remove)."""
    taken = slot_at(s, slot)
    pool = pool_at(s, taken.pool)
    if taken.previous == NONE:
        pool.idle = taken.next
    else:
        slot_at(s, taken.previous).next = taken.next
    if taken.next == NONE:
        pool.last_idle = taken.previous
    else:
        slot_at(s, taken.next).previous = taken.previous
    pool.idle_count -= 1
