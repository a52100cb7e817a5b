"""What happens next, in the order of sim.agenda: by time, then in order of pushing.

An event is its time and a key: the upper half counts pushes, the lower says what happens and
to whom. The next arrival waits beside the heap: there is always one at most.
"""

from sim.kernel.compiled import compiled, inlined
from sim.kernel.state import NEVER, Row, State
from sim.kernel.tables import entry_at

_WHOM_BITS = 26
WHOM_MAX = 1 << _WHOM_BITS
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
    count = s.events
    if count == s.events_max:
        s.is_full = s.is_over = 1
        return
    s.events = count + 1
    sift_up(s.events_at, count, at_s, take_id(s) | (what << _WHOM_BITS) | whom)


@compiled
def push_last(s: State, what: int, whom: int, at_s: float) -> None:
    """Add an event that comes after all else at its time (Agenda.call_last)."""
    s.next_id |= _LAST
    push(s, what, whom, at_s)
    s.next_id &= ~_LAST


@inlined
def pop(s: State) -> int:
    """Remove the first event, set the clock to its time, return its key."""
    first = entry_at(s.events_at, 0)
    s.now = first.at_s
    key = first.key
    s.events -= 1
    sift_down(s.events_at, s.events)
    return key


@compiled
def first_s(s: State) -> float:
    """Return the time of what is due first, or infinity."""
    at_s = entry_at(s.events_at, 0).at_s if s.events else NEVER
    return min(at_s, s.next_arrival_s)


@inlined
def arrival_is_first(s: State) -> bool:
    """Whether the next arrival comes before all events."""
    if s.events == 0:
        return True
    first = entry_at(s.events_at, 0)
    if s.next_arrival_s == first.at_s:
        return s.next_arrival_key < first.key
    return s.next_arrival_s < first.at_s


@inlined
def sift_up(heap: int, at: int, at_s: float, key: int) -> None:
    """Put an entry into a heap of that many (heapq.heappush)."""
    while at > 0:
        above = (at - 1) >> 1
        parent = entry_at(heap, above)
        if parent.at_s < at_s or (parent.at_s == at_s and parent.key < key):
            break
        entry_at(heap, at).at_s = parent.at_s
        entry_at(heap, at).key = parent.key
        at = above
    entry_at(heap, at).at_s = at_s
    entry_at(heap, at).key = key


@inlined
def sift_down(heap: int, count: int) -> None:
    """Close the gap at the top with the last entry, of now that many (heapq.heappop).

    As heapq does, the gap goes to the bottom first, then the last entry up from there: which
    child is earlier is the one thing to decide on the way, and needs no branch.
    """
    at = 0
    child = 2
    while child < count:
        child -= is_before(entry_at(heap, child - 1), entry_at(heap, child))
        below = entry_at(heap, child)
        entry_at(heap, at).at_s = below.at_s
        entry_at(heap, at).key = below.key
        at = child
        child = 2 * at + 2
    if child == count:
        below = entry_at(heap, child - 1)
        entry_at(heap, at).at_s = below.at_s
        entry_at(heap, at).key = below.key
        at = child - 1
    last = entry_at(heap, count)
    sift_up(heap, at, last.at_s, last.key)


@inlined
def is_before(one: Row, other: Row) -> int:
    """Compare two entries of a heap: 1 or 0."""
    return (one.at_s < other.at_s) | ((one.at_s == other.at_s) & (one.key < other.key))
