"""What happens next, in the order of sim.agenda: by time, then in order of pushing.

An event is its time and a key: the upper half counts pushes, the lower says what happens and
to whom. The next arrival waits beside the heap: there is always one at most.
"""

from sim.kernel.compiled import compiled
from sim.kernel.state import NEVER, Row, State
from sim.kernel.tables import entry_at

_WHOM_BITS = 26
WHOM_MAX = 1 << _WHOM_BITS
# Beyond all that are counted in a run.
_LAST = 1 << 30

# To a request; to the server, a pool, a user, a slot; to a connection.
USE_ENDS, ANSWERED, SENDS, ACQUIRES, ENDS, WOKEN_NOW = range(6)
RING, EXPIRE_DUE, ASKS, REPAIR, CLEANUP, IDLE_TIMER = range(6, 12)
EXCHANGED, CONNECTED = 12, 13


@compiled
def what_of(key: int) -> int:
    """Return what happens."""
    return (key >> _WHOM_BITS) & 63


@compiled
def whom_of(key: int) -> int:
    """Return to which row."""
    return key & (WHOM_MAX - 1)


@compiled
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


@compiled
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


@compiled
def arrival_is_first(s: State) -> bool:
    """Whether the next arrival comes before all events."""
    if s.events == 0:
        return True
    first = entry_at(s.events_at, 0)
    if s.next_arrival_s == first.at_s:
        return s.next_arrival_key < first.key
    return s.next_arrival_s < first.at_s


@compiled
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


@compiled
def sift_down(heap: int, count: int) -> None:
    """Close the gap at the top with the last entry, of now that many (heapq.heappop)."""
    at_s = entry_at(heap, count).at_s
    key = entry_at(heap, count).key
    at = 0
    child = 1
    while child < count:
        right = child + 1
        if right < count and is_before(entry_at(heap, right), entry_at(heap, child)):
            child = right
        below = entry_at(heap, child)
        if at_s < below.at_s or (at_s == below.at_s and key < below.key):
            break
        entry_at(heap, at).at_s = below.at_s
        entry_at(heap, at).key = below.key
        at = child
        child = 2 * at + 1
    entry_at(heap, at).at_s = at_s
    entry_at(heap, at).key = key


@compiled
def is_before(one: Row, other: Row) -> bool:
    """Compare two entries of a heap."""
    return one.at_s < other.at_s or (one.at_s == other.at_s and one.key < other.key)
