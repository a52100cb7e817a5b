"""asyncpg's floor: min_size, restored in the background, one connection at a time.

Source: asyncpg/pool.py (Pool._schedule_min_size_maintenance, _maintain_min_size), asyncpg
0.32.0. Before 0.32 there was none.
"""

from pools.kinds.asyncpg_holders import Holders
from pools.kinds.base import POSTGRES_CONNECT_ROUND_TRIPS
from pools.protocol import World

REPAIR_DELAY_S, REPAIR_DELAY_S_MAX = 1.0, 60.0


class Floor:
    """How many live connections the pool keeps, and the task that opens those missing.

    It is the token of its own timers.
    """

    def __init__(self, least: int, holders: Holders, world: World) -> None:
        """Keep `least` connections; 0 for no floor."""
        self._least = least
        self._holders = holders
        self._world = world
        self._repairing = False
        self._delay_s = REPAIR_DELAY_S

    @property
    def is_exceeded(self) -> bool:
        """Whether the pool can do without one of its connections."""
        return self._holders.live > self._least

    def restore(self, now: float) -> None:
        """Start the repair in this instant, but after any waiter that was woken."""
        if not self._repairing and self._holders.live < self._least:
            self._repairing = True
            self._delay_s = REPAIR_DELAY_S
            self._world.timer(self, now)

    def repair(self) -> None:
        """Open the next connection; stop when there are enough or no holder is empty."""
        enough = self._holders.live >= self._least
        holder = None if enough else self._holders.take_empty()
        self._repairing = holder is not None
        if holder is not None:
            self._world.open(holder, POSTGRES_CONNECT_ROUND_TRIPS)

    def opened(self) -> None:
        """Go on after a connect that succeeded."""
        self._delay_s = REPAIR_DELAY_S
        self.repair()

    def failed(self, now: float) -> None:
        """Try again later, after twice the pause each time."""
        self._world.timer(self, now + self._delay_s)
        self._delay_s = min(2.0 * self._delay_s, REPAIR_DELAY_S_MAX)
