"""The smallest whole number that will do, asking as rarely as possible."""

from collections.abc import Callable

GROWTH = 1.4


def smallest(meets: Callable[[int], bool], start: int, low: int, high: int) -> int | None:
    """Return the smallest number of low..high for which `meets` holds, or None.

    Takes for granted that what meets goes on meeting above, as far as it was asked: steps away
    from `start` grow until the answer changes, then halves. Upward it looks at every step, so a
    need that only the middle meets is found as well.
    """
    if low > high:
        return None
    start = min(max(start, low), high)
    if meets(start):
        below, above = _down(meets, start, low)
    else:
        found = _up(meets, start, high)
        if found is None:
            return None
        below, above = found
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if meets(middle) else (middle, above)
    return above


def _down(meets: Callable[[int], bool], start: int, low: int) -> tuple[int, int]:
    """Return the nearest number below that does not do (low - 1 if all do) and one that does."""
    above, step = start, 1
    while above > low:
        below = max(low, above - step)
        if not meets(below):
            return below, above
        above, step = below, step * 2
    return low - 1, above


def _up(meets: Callable[[int], bool], start: int, high: int) -> tuple[int, int] | None:
    below, step = start, 1
    while below < high:
        above = min(high, below + step)
        if meets(above):
            return below, above
        below, step = above, max(step + 1, int((GROWTH - 1.0) * above))
    return None
