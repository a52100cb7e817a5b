"""asyncpg's connection holders: the queue of free ones and their idle timers.

Source: asyncpg/pool.py (PoolConnectionHolder, _PoolConnectionHolderQueue), asyncpg 0.32.0.
"""

from pools.protocol import Request, Slot, World

NEVER = float("inf")


class Holder(Slot):
    """One of max_size places, with or without a connection.

    `is_free` while it lies in the queue, `counts` while its connection belongs to the pool's
    size. `idle_until_s` is when an idle connection is due to be closed, `until_s` the deadline
    of a release under way.
    """

    __slots__ = (
        "counts",
        "idle_until_s",
        "is_free",
        "put_off_s",
        "queries",
        "timer_set",
        "until_s",
    )

    def __init__(self) -> None:
        """Start empty and free."""
        super().__init__()
        self.counts = False
        self.is_free = True
        self.queries = 0
        self.idle_until_s = NEVER
        self.put_off_s = 0.0
        self.timer_set = False
        self.until_s = NEVER

    def detach(self) -> Request | None:
        """Forget whose it is, and return that."""
        request, self.request = self.request, None
        return request

    def left_s(self, now: float) -> float | None:
        """Return how long the release under way may still take, or None for ever."""
        left_s = self.until_s - now
        return None if left_s == NEVER else left_s

    def cancel(self, now: float, *, counts: bool) -> float | None:
        """Return how long the cancellation may take.

        Before 0.32 that does not count if the connection is to be closed afterwards.
        """
        self.put_off_s = 0.0 if counts else self.until_s - now
        return self.left_s(now) if counts else None

    def cancelled(self, now: float) -> None:
        """Begin the timeout of the release here, if the cancellation does not count."""
        if self.put_off_s:
            self.until_s = now + self.put_off_s


class Holders:
    """All holders of a pool, the free ones in the order in which they came free.

    Taken is the one that came free last, a connected one before any empty one.
    """

    def __init__(self, count: int, idle_s: float, world: World) -> None:
        """Make all holders; `idle_s` is how long one may stay unused, 0 for ever."""
        self.free = [Holder() for _ in range(count)]
        self.live = 0
        self._idle_s = idle_s
        self._world = world

    def rather_live(self, empty: Holder) -> Holder:
        """Exchange an empty holder just taken for the live one that came free last, if any."""
        live = next((one for one in reversed(self.free) if one.link >= 0), None)
        if live is None:
            return empty
        self.free.append(empty)
        self.free.remove(live)
        return live

    def take_empty(self) -> Holder | None:
        """Take the one without a connection that came free last, if there is one."""
        for at in reversed(range(len(self.free))):
            if self.free[at].link < 0:
                self.free[at].is_free = False
                return self.free.pop(at)
        return None

    def count(self, holder: Holder, now: float) -> None:
        """Count a new connection, from now on also as idle."""
        self.live += 1
        holder.counts = True
        holder.queries = 0
        self.arm_idle_timer(holder, now)

    def discount(self, holder: Holder) -> None:
        """Count a connection no longer: it is closed, or about to be."""
        self.live -= holder.counts
        holder.counts = False

    def arm_idle_timer(self, holder: Holder, now: float) -> None:
        """Let the connection be closed if it stays unused."""
        if self._idle_s:
            holder.idle_until_s = now + self._idle_s
            if not holder.timer_set:
                self._set_timer(holder)

    def is_idle_for_too_long(self, holder: Holder, now: float) -> bool:
        """Consider a timer that went off; it may have been armed again for later."""
        holder.timer_set = False
        if now < holder.idle_until_s < NEVER:
            self._set_timer(holder)
        return holder.is_free and holder.counts and now >= holder.idle_until_s

    def _set_timer(self, holder: Holder) -> None:
        holder.timer_set = True
        self._world.timer(holder, holder.idle_until_s)


def holder_of(slot: object) -> Holder:
    """Return the slot as the holder it is: worlds hand back what they were given."""
    assert isinstance(slot, Holder)  # noqa: S101  narrows the type
    return slot
