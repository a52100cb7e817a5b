"""What asyncpg's create_pool does: one connection alone, then the others all at once.

Source: asyncpg/pool.py (Pool._initialize, _async__init__), asyncpg 0.32.0 and 0.31.0.
"""

from pools.kinds.asyncpg_holders import Holder, Holders
from pools.kinds.base import CLOSE_ROUND_TRIPS, POSTGRES_CONNECT_ROUND_TRIPS
from pools.protocol import Step, World
from pools.trace import Cause


class Creation:
    """The connections that create_pool opens. `left` are not open yet.

    Once one has failed, create_pool raises. From 0.32 it closes the others (`tidies`); before,
    they stay open, of no use to anybody.
    """

    def __init__(self, holders: Holders, world: World, *, tidies: bool) -> None:
        """Have nothing to open."""
        self.left = 0
        self.has_failed = False
        self._holders = holders
        self._world = world
        self._tidies = tidies
        self._others: list[Holder] = []

    def begin(self, count: int) -> None:
        """Open the first of that many connections, if any."""
        self.left = count
        self._others = self._holders.free[len(self._holders.free) - count :]
        if count:
            self._world.open(self._others.pop(), POSTGRES_CONNECT_ROUND_TRIPS)
        else:
            self._world.ready(True)

    def go_on(self) -> None:
        """Open the others after the first; the pool is ready after the last."""
        self.left -= 1
        while self._others:
            self._world.open(self._others.pop(), POSTGRES_CONNECT_ROUND_TRIPS)
        if not self.left:
            self._world.ready(True)

    def fail(self) -> None:
        """Let create_pool raise."""
        self.has_failed = True
        for made in [one for one in self._holders.free if one.counts and self._tidies]:
            self._holders.discount(made)
            self._world.close(made, Cause.NOT_POOLED)
        self._world.ready(False)

    def opened_in_vain(self, holder: Holder, now: float) -> None:
        """Close a connection that came after the failure, or forget it."""
        if self._tidies:
            self._world.exchange(holder, Step.CLOSE, CLOSE_ROUND_TRIPS)
        else:
            self._holders.count(holder, now)
