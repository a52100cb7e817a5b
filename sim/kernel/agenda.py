"""What happens next, in the order of sim.agenda: by time, then in order of pushing.

An event is its time and a key: the upper half counts pushes, the lower says what happens and
to whom. The few that come first lie in a row, the very first at its end; the others, all later,
in a heap. The next arrival waits beside them: there is always one at most.
"""

from sim.kernel.compiled import compiled, inlined
from sim.kernel.heap import copy, fill, is_sooner, sift_down, sift_up
from sim.kernel.state import NEVER, State
from sim.kernel.tables import entry_at

_WHOM_BITS = 26
WHOM_MAX = 1 << _WHOM_BITS
# So many events lie in a row: in one so short, a place is found sooner than in a heap.
NEAR_MAX = 16
# Beyond all that are counted in a run.
_LAST = 1 << 30

# To a request; to the server, a pool, a user, a slot; to a connection.
USE_ENDS, ANSWERED, SENDS, ACQUIRES, ENDS, WOKEN_NOW = range(6)
RING, EXPIRE_DUE, ASKS, LOOKS, REPAIR, CLEANUP, IDLE_TIMER = range(6, 13)
EXCHANGED, CONNECTED = 13, 14


@compiled
def what_of(key: int) -> int:
    """Return what happens."""
    return (key >> _WHOM_BITS) & 63


@compiled
def whom_of(key: int) -> int:
    """Return to which row."""
    return key & (WHOM_MAX - 1)


@inlined
def take_id(s: State) -> int:
    """Return the next number, in its place in a key (Agenda._eid)."""
    number = s.next_id
    s.next_id = number + 1
    return number << 32


@compiled
def push(s: State, what: int, whom: int, at_s: float) -> None:
    """Add an event (Agenda.push, Agenda.call)."""
    key = take_id(s) | (what << _WHOM_BITS) | whom
    if s.far or s.near == NEAR_MAX:
        _push_among_many(s, at_s, key)
    else:
        _push_near(s, at_s, key)


@compiled
def _push_among_many(s: State, at_s: float, key: int) -> None:
    if s.far and not is_sooner(at_s, key, entry_at(s.far_at, 0)):
        _push_far(s, at_s, key)
    elif s.near == NEAR_MAX:
        _push_into_full(s, at_s, key)
    else:
        _push_near(s, at_s, key)


@inlined
def _push_near(s: State, at_s: float, key: int) -> None:
    """Add an event to the row, from its end."""
    table, at = s.near_at, s.near
    s.near = at + 1
    while at > 0 and not is_sooner(at_s, key, entry_at(table, at - 1)):
        copy(entry_at(table, at - 1), entry_at(table, at))
        at -= 1
    fill(entry_at(table, at), at_s, key)


@compiled
def _push_into_full(s: State, at_s: float, key: int) -> None:
    """Put the last event of the row, or the new one if that is later, into the heap."""
    last = entry_at(s.near_at, 0)
    if not is_sooner(at_s, key, last):
        _push_far(s, at_s, key)
        return
    _push_far(s, last.at_s, last.key)
    at = 0
    while at + 1 < NEAR_MAX and is_sooner(at_s, key, entry_at(s.near_at, at + 1)):
        copy(entry_at(s.near_at, at + 1), entry_at(s.near_at, at))
        at += 1
    fill(entry_at(s.near_at, at), at_s, key)


@compiled
def _push_far(s: State, at_s: float, key: int) -> None:
    """Add an event to the heap."""
    if s.far == s.far_max:
        s.is_full = s.is_over = 1
        return
    sift_up(s.far_at, s.far, at_s, key)
    s.far += 1


@compiled
def push_last(s: State, what: int, whom: int, at_s: float) -> None:
    """Add an event that comes after all else at its time (Agenda.call_last)."""
    s.next_id |= _LAST
    push(s, what, whom, at_s)
    s.next_id &= ~_LAST


@inlined
def pop(s: State) -> int:
    """Remove the first event, set the clock to its time, return its key."""
    s.near -= 1
    first = entry_at(s.near_at, s.near)
    key = first.key
    s.now = first.at_s
    if s.near == 0 and s.far:
        _bring_near(s)
    return key


@compiled
def _bring_near(s: State) -> None:
    """Take the first event of the heap out of it."""
    copy(entry_at(s.far_at, 0), entry_at(s.near_at, 0))
    s.near = 1
    s.far -= 1
    sift_down(s.far_at, s.far)


@compiled
def first_s(s: State) -> float:
    """Return the time of what is due first, or infinity."""
    at_s = entry_at(s.near_at, s.near - 1).at_s if s.near else NEVER
    return min(at_s, s.next_arrival_s)


@inlined
def arrival_is_first(s: State) -> bool:
    """Whether the next arrival comes before all events."""
    if s.near == 0:
        return True
    first = entry_at(s.near_at, s.near - 1)
    if s.next_arrival_s == first.at_s:
        return s.next_arrival_key < first.key
    return s.next_arrival_s < first.at_s
