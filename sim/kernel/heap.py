"""A heap of entries, each a time and a key, as heapq's. It is given by its table's address."""

from sim.kernel.compiled import inlined
from sim.kernel.state import Row
from sim.kernel.tables import entry_at


@inlined
def is_sooner(at_s: float, key: int, other: Row) -> bool:
    """Whether that time and key come before an entry: one branch, and times are rarely equal."""
    if at_s == other.at_s:
        return key < other.key
    return at_s < other.at_s


@inlined
def fill(entry: Row, at_s: float, key: int) -> None:
    """Set an entry."""
    entry.at_s = at_s
    entry.key = key


@inlined
def copy(source: Row, target: Row) -> None:
    """Set an entry to what another is."""
    fill(target, source.at_s, source.key)


@inlined
def sift_up(heap: int, at: int, at_s: float, key: int) -> None:
    """Put an entry into a heap of that many (heapq.heappush)."""
    while at > 0:
        above = (at - 1) >> 1
        parent = entry_at(heap, above)
        if not is_sooner(at_s, key, parent):
            break
        copy(parent, entry_at(heap, at))
        at = above
    fill(entry_at(heap, at), at_s, key)


@inlined
def sift_down(heap: int, count: int) -> None:
    """Close the gap at the top with the last entry, of now that many (heapq.heappop).

    As heapq does, the gap goes to the bottom first, then the last entry up from there: which
    child is sooner is the one thing to decide on the way, and is computed, not branched on.
    """
    at = 0
    child = 2
    while child < count:
        left = entry_at(heap, child - 1)
        child -= is_sooner(left.at_s, left.key, entry_at(heap, child))
        copy(entry_at(heap, child), entry_at(heap, at))
        at = child
        child = 2 * at + 2
    if child == count:
        copy(entry_at(heap, child - 1), entry_at(heap, at))
        at = child - 1
    last = entry_at(heap, count)
    sift_up(heap, at, last.at_s, last.key)
