"""Plausible mistakes in the model of asyncpg's pool."""

from functools import partial

from pools.kinds.asyncpg import AsyncpgLogic
from pools.kinds.asyncpg_creation import Creation
from pools.kinds.asyncpg_floor import Floor
from pools.kinds.base import Pool
from tests.conformance.mutants import mutant

_asyncpg = partial(mutant, family="asyncpg", owner=AsyncpgLogic)

MUTANTS = (
    _asyncpg(
        "a holder is taken whether or not it has a connection",
        method="_take",
        words="if holder.link < 0 and self._prefers_live:",
        others="if False:",
    ),
    _asyncpg(
        "the holder that was freed first is taken",
        method="_take",
        words="self._free.pop()",
        others="self._free.pop(0)",
    ),
    _asyncpg(
        "release() is not bounded by the acquire timeout",
        method="_returned",
        words="(request.timeout_s or self._timeout_s)",
        others="NEVER",
    ),
    _asyncpg(
        "the acquire timeout covers the queue only",
        method="expired",
        words="now >= request.expires_s",
        others="request.slot is None",
    ),
    _asyncpg(
        "an abandoned connect wakes nobody",
        method="_abandon",
        words="self._put(holder)",
        others="self._free.append(holder)",
    ),
    _asyncpg(
        "a failed connect wakes nobody",
        method="open_failed",
        words="self._put(holder)",
        others="self._free.append(holder)",
    ),
    _asyncpg(
        "a failed connect does not start the repair of the floor",
        method="open_failed",
        words="self._restore_floor(now)",
        others="pass",
    ),
    _asyncpg(
        "an abandoned connect does not start the repair of the floor",
        method="_abandon",
        words="self._restore_floor(now)",
        others="pass",
    ),
    _asyncpg(
        "min_size is not a floor",
        owner=Floor,
        method="restore",
        words="not self._repairing and",
        others="False and",
    ),
    _asyncpg(
        "the repair gives up after a failure",
        owner=Floor,
        method="failed",
        words="self._world.timer(self, now + self._delay_s)",
        others="self._repairing = False",
    ),
    _asyncpg(
        "the repair tries again every second",
        owner=Floor,
        method="failed",
        words="2.0 * self._delay_s",
        others="self._delay_s",
    ),
    _asyncpg(
        "the repair begins before the waiter that was woken",
        owner=Floor,
        method="restore",
        words="self._world.timer(self, now)",
        others="self.repair()",
    ),
    _asyncpg(
        "idle connections are closed below the floor",
        method="timer",
        words=" and self._floor.is_exceeded",
        others="",
    ),
    _asyncpg(
        "an idle connection at the floor is looked at again",
        method="timer",
        words="and self._floor.is_exceeded",
        others="and (self._floor.is_exceeded or self._holders.arm_idle_timer(holder, now))",
    ),
    _asyncpg(
        "only a connect arms the idle timer",
        method="exchanged",
        words="self._holders.arm_idle_timer(holder, now)",
        others="pass",
    ),
    _asyncpg(
        "the reset does not count as a query",
        method="_give_back",
        words="holder.queries += 1",
        others="pass",
    ),
    _asyncpg(
        "a connection serves one query more than max_queries",
        method="_give_back",
        words="holder.queries >= ",
        others="holder.queries > ",
    ),
    _asyncpg(
        "every release counts as a query",
        method="_returned",
        words="request.queries",
        others="1",
    ),
    _asyncpg(
        "a connection being closed still counts as live",
        method="_give_back",
        words="self._holders.discount(holder)",
        others="pass",
    ),
    _asyncpg(
        "the close at max_queries costs no round trip",
        method="_give_back",
        words="CLOSE_ROUND_TRIPS",
        others="0",
    ),
    _asyncpg(
        "a reset that fails does not fail release()",
        method="exchanged",
        words="step is Step.RESET or (",
        others="(",
    ),
    _asyncpg(
        "release() does not wait until the query is cancelled",
        method="interrupted",
        words="self._world.exchange(holder, Step.CANCEL, CANCEL_ROUND_TRIPS, left_s)",
        others="self._give_back(holder, now)",
    ),
    _asyncpg(
        "a cancelled caller waits for its release",
        method="give_up",
        words="request.slot.request = None",
        others="return",
    ),
    _asyncpg(
        "a lost connection does not start the repair of the floor",
        method="lost",
        words="self._restore_floor(now)",
        others="pass",
    ),
    _asyncpg(
        "create_pool opens its connections one after another",
        owner=Creation,
        method="go_on",
        words="while self._others:",
        others="if self._others:",
    ),
    mutant(
        "the releaser goes on before the waiter it woke",
        "asyncpg-loops",
        Pool,
        "release_hops",
        "return 1",
        "return 0",
    ),
)
