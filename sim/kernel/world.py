"""What pools order, carried out as sim.world does. Rows stand for requests and slots."""

from sim.kernel.agenda import (
    ACQUIRES,
    CONNECTED,
    EXCHANGED,
    EXPIRE_DUE,
    SENDS,
    USE_ENDS,
    WOKEN_NOW,
    first_s,
    push,
)
from sim.kernel.compiled import compiled
from sim.kernel.state import (
    ENDED,
    NAN,
    NONE,
    OK,
    OPEN_FAILED,
    OPENING,
    QUEUED,
    RELEASE_FAILED,
    STILL_OPEN,
    WOKEN,
    State,
)
from sim.kernel.stations import CONNECTS, enter, take_slot
from sim.kernel.tables import hold_of, link_at, pool_at, request_at, slot_at, traced_at
from sim.kernel.users import end_if_over, next_turn_s, user_ended


@compiled
def open_link(s: State, slot: int, round_trips: int) -> None:
    """Start connecting; the server may refuse, which takes as long (PoolWorld.open)."""
    link = _new_link(s, slot, s.now, NAN)
    if not take_slot(s):
        link_at(s, link).is_refused = 1
    push(s, CONNECTED, link, s.now + round_trips * s.rtt_s + s.connect_s)


@compiled
def adopt(s: State, slot: int) -> bool:
    """Give the slot a connection that is open already, if there is room (PoolWorld.adopt)."""
    if not take_slot(s):
        return False
    _new_link(s, slot, NAN, s.now)
    return True


@compiled
def _new_link(s: State, slot: int, opening_s: float, opened_s: float) -> int:
    """Add a row for a connection (Record.open)."""
    link = s.links
    if link == s.links_max:
        s.is_full = s.is_over = 1
        link -= 1
    s.links = link + 1
    made = link_at(s, link)
    made.opening_s = opening_s
    made.opened_s = opened_s
    made.closed_s = NAN
    made.cause = STILL_OPEN
    made.owner = slot_at(s, slot).pool
    made.slot = slot
    made.is_refused = 0
    slot_at(s, slot).link = link
    return link


@compiled
def exchange(s: State, slot: int, round_trips: int, within_s: float) -> bool:
    """Let round trips pass, or as many as fit (PoolWorld.exchange).

    Return whether none do, so that the answer is there at once. `within_s` is infinity for None.
    """
    takes_s = round_trips * s.rtt_s
    slot_at(s, slot).is_ok = 1
    if takes_s == 0.0:
        return True
    if takes_s > within_s:
        slot_at(s, slot).is_ok = 0
        takes_s = within_s
    push(s, EXCHANGED, slot_at(s, slot).link, s.now + takes_s)
    return False


@compiled
def close_link(s: State, slot: int, cause: int) -> None:
    """Drop the connection (PoolWorld.close)."""
    link = slot_at(s, slot).link
    if link < 0:
        return
    slot_at(s, slot).link = NONE
    closed = link_at(s, link)
    closed.closed_s = s.now
    closed.cause = cause
    if closed.is_refused:
        closed.is_refused = 0
    else:
        s.slots_free += 1.0


@compiled
def grant(s: State, row: int, slot: int) -> None:
    """Let the request use the connection (PoolWorld.grant)."""
    traced = traced_at(s, row)
    traced.granted_s = s.now
    traced.connection = slot_at(s, slot).link
    if s.has_loop:
        push(s, SENDS, row, visit_loop(s, row))
    else:
        serve(s, row)


@compiled
def serve(s: State, row: int) -> None:
    """Let the server compute, then the rest pass (PoolWorld._serve)."""
    if s.cpu:
        enter(s, row, s.cpu * hold_of(s, row), s.now)
    else:
        push(s, USE_ENDS, row, s.now + hold_of(s, row) + s.use_s)


@compiled
def visit_loop(s: State, row: int) -> float:
    """Queue for a turn of the worker's event loop; return when it is over (Loop.visit)."""
    pool = pool_at(s, request_at(s, row).pool)
    pool.loop_free_s = max(s.now, pool.loop_free_s) + s.visit_s
    return pool.loop_free_s


@compiled
def comes_later(s: State, row: int) -> bool:
    """Set when a request that came asks its pool, unless at once (LoopWorld._come, _enter)."""
    if s.has_loop:
        push(s, ACQUIRES, row, visit_loop(s, row) + s.entry_s)
        return True
    if s.entry_s:
        push(s, ACQUIRES, row, s.now + s.entry_s)
        return True
    return False


@compiled
def reject(s: State, row: int, outcome: int) -> None:
    """End a request without a connection (Waiters.reject, PoolWorld.reject)."""
    request = request_at(s, row)
    request.stage = ENDED
    request.slot = NONE
    traced = traced_at(s, row)
    traced.released_s = s.now
    traced.outcome = outcome
    _ended(s, row)


@compiled
def finish(s: State, row: int) -> None:
    """Let a request's release return, the connection can be lent (Waiters.finish)."""
    traced_at(s, row).returned_s = s.now
    request = request_at(s, row)
    request.stage = ENDED
    request.slot = NONE
    _ended(s, row)


@compiled
def note_failed_release(s: State, row: int) -> None:
    """Note that a release raised, unless something failed before (PoolWorld.failed)."""
    if traced_at(s, row).outcome == OK:
        traced_at(s, row).outcome = RELEASE_FAILED


@compiled
def _ended(s: State, row: int) -> None:
    """Note that a caller has its answer (Run.ended)."""
    s.outstanding -= 1
    if s.users:
        user_ended(s, request_at(s, row).user)
    end_if_over(s)


@compiled
def wake(s: State, row: int) -> None:
    """Let the waiter continue after what is already due (wake of each world)."""
    if s.has_loop or s.handover_s:
        push(s, WOKEN_NOW, row, next_turn_s(s, request_at(s, row).pool))
    elif s.may_run_on and first_s(s) > s.now:
        s.may_run_on = 0
        s.runs_on = row
    else:
        push(s, WOKEN_NOW, row, s.now)


@compiled
def alarm(s: State, row: int) -> None:
    """Set the deadline of a request; they come in order (PoolWorld.alarm)."""
    request = request_at(s, row)
    pool = pool_at(s, request.pool)
    request.next_alarm = NONE
    if pool.alarms == NONE:
        pool.alarms = row
    else:
        request_at(s, pool.last_alarm).next_alarm = row
    pool.last_alarm = row
    if pool.alarm_is_set == 0:
        pool.alarm_is_set = 1
        push(s, EXPIRE_DUE, request.pool, request.expires_s)


@compiled
def is_waiting(s: State, row: int) -> bool:
    """Whether a deadline still matters to a request."""
    stage = request_at(s, row).stage
    return stage in (QUEUED, WOKEN, OPENING)


@compiled
def next_overdue(s: State, number: int) -> int:
    """Remove the first of a pool's deadlines that are over; -1, and set a timer, if none is.

    The caller lets the request expire, then asks again (PoolWorld._expire_due).
    """
    pool = pool_at(s, number)
    while pool.alarms != NONE:
        row = pool.alarms
        if request_at(s, row).expires_s > s.now and is_waiting(s, row):
            break
        pool.alarms = request_at(s, row).next_alarm
        if is_waiting(s, row):
            return row
    pool.alarm_is_set = 0
    if pool.alarms != NONE:
        pool.alarm_is_set = 1
        push(s, EXPIRE_DUE, number, request_at(s, pool.alarms).expires_s)
    return NONE


@compiled
def use_is_over(s: State, row: int) -> None:
    """Note the end of a request's own use (PoolWorld._use_ends)."""
    traced = traced_at(s, row)
    traced.released_s = s.now
    traced.outcome = OK


@compiled
def connect_computes(s: State, link: int) -> bool:
    """Whether the server's cores have work for a connect first (PoolWorld._connected)."""
    if s.connect_cpu_s == 0.0:
        return False
    enter(s, CONNECTS | link, s.connect_cpu_s, s.now)
    return True


@compiled
def is_refused(s: State, link: int) -> bool:
    """Note whether a connect succeeded (PoolWorld.opened, _open_failed)."""
    made = link_at(s, link)
    if not made.is_refused:
        made.opened_s = s.now
        return False
    made.closed_s = s.now
    made.cause = OPEN_FAILED
    made.is_refused = 0
    slot_at(s, made.slot).link = NONE
    return True
