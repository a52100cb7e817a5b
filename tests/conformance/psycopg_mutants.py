"""Plausible mistakes in the model of psycopg's pool."""

from functools import partial

from pools.kinds.psycopg import PsycopgLogic
from pools.kinds.psycopg_stock import Stock
from pools.kinds.psycopg_work import Attempt, Workers
from tests.conformance.mutants import mutant

_asks = partial(mutant, family="psycopg", owner=PsycopgLogic)
_stock = partial(mutant, family="psycopg", owner=Stock)

MUTANTS = (
    _asks(
        "the connection returned last is lent first",
        method="_ask",
        words="self._idle.popleft()",
        others="self._idle.pop()",
    ),
    _asks(
        "max_waiting counts only those that still wait",
        method="_ask",
        words="len(self._waiting)",
        others='sum(one.stage.value == "queued" for one in self._waiting)',
    ),
    _asks(
        "max_waiting lets one more in",
        method="_ask",
        words="<= len(self._waiting)",
        others="< len(self._waiting)",
    ),
    _asks(
        "a full queue is a timeout",
        method="_ask",
        words="Outcome.QUEUE_FULL",
        others="Outcome.ACQUIRE_TIMEOUT",
    ),
    _asks(
        "the pool grows by several connections at a time",
        method="_ask",
        words="and not self._is_growing",
        others="",
    ),
    _asks(
        "the pool grows beyond max_size by one",
        method="_ask",
        words="self._count < self._most",
        others="self._count <= self._most",
    ),
    _asks(
        "the fewest idle connections are not noted",
        method="_ask",
        words="self._least_idle = min(self._least_idle, len(self._idle))",
        others="pass",
    ),
    _asks(
        "a request's own timeout is ignored",
        method="acquire",
        words="if request.timeout_s is None else request.timeout_s",
        others="",
    ),
    _asks(
        "a connection handed to a waiter is not checked",
        method="_give",
        words="if self._pool.check:",
        others="if self._pool.check and request.stage is Stage.NEW:",
    ),
    _asks(
        "after a failed check the next connection is lent unchecked",
        method="_checked",
        words="if ok:",
        others="if ok or attempt is not None:",
    ),
    _asks(
        "after a first failed check the request waits a second",
        method="_checked",
        words="if attempt is None:",
        others="if False:",
    ),
    _asks(
        "a cancelled check loses its connection",
        method="_check_cancelled",
        words="self._put(place, now)",
        others="self._world.close(place, 8)",
    ),
    _asks(
        "a cancelled query is not rolled back",
        method="_query_cancelled",
        words="if ok and request.in_transaction:",
        others="if False:",
    ),
    _asks(
        "a cancelled COMMIT is rolled back",
        method="_query_cancelled",
        words="and request.in_transaction",
        others="",
    ),
    _asks(
        "a broken connection is kept",
        method="broke",
        words=".broken = True",
        others=".broken = False",
    ),
    _stock(
        "an opened connection skips the queue",
        method="opened",
        words="self._hand_out(place, now)",
        others="self._idle.append(place)",
    ),
    _stock(
        "growth goes on though nobody waits",
        method="opened",
        words="self._waiting and",
        others="",
    ),
    _stock(
        "growth ends with one connection",
        method="opened",
        words="self._grow(now)",
        others="pass",
    ),
    _stock(
        "a failed connect is given up at once",
        method="open_failed",
        words="if attempt.is_over(place.started_s):",
        others="if True:",
    ),
    _stock(
        "a failed connect is tried again at once",
        method="open_failed",
        words="now + attempt.pause_s(place.started_s)",
        others="now + 0.0 * attempt.pause_s(place.started_s)",
    ),
    _stock(
        "a failed connect lets another grow meanwhile",
        method="open_failed",
        words="again = partial",
        others="self._is_growing = False; again = partial",
    ),
    _stock(
        "an expired connection is lent again",
        method="_take_back",
        words="or place.expires_s <= now",
        others="",
    ),
    _stock(
        "an expired connection is not replaced",
        method="_take_back",
        words="self._workers.run(self._add, now)",
        others="self._count -= 1",
    ),
    _stock(
        "the reset runs in the caller's time",
        method="_put",
        words="if self._pool.reset:",
        others="if False:",
    ),
    _stock(
        "only the first of the queue is looked at, also if it has left",
        method="_hand_out",
        words="while self._waiting:",
        others="if self._waiting:",
    ),
    _stock(
        "the pool shrinks below min_size",
        method="_shrink",
        words="self._count > self._pool.min_size",
        others="True",
    ),
    _stock(
        "the pool shrinks though all connections were used",
        method="_shrink",
        words="least > 0",
        others="True",
    ),
    _stock(
        "the pool never shrinks",
        method="_shrink",
        words="least > 0",
        others="False",
    ),
    _stock(
        "connections do not expire early at random",
        method="_set_expiry",
        words="LIFETIME_JITTER * self._rng.random()",
        others="LIFETIME_JITTER",
    ),
    mutant(
        "the pauses between attempts do not grow",
        "psycopg",
        Attempt,
        "pause_s",
        "self._pause_s *= 2.0",
        "self._pause_s *= 1.0",
    ),
    mutant(
        "the last pause is not cut at reconnect_timeout",
        "psycopg",
        Attempt,
        "pause_s",
        "if self._pause_s + now > self._give_up_s:",
        "if False:",
    ),
    mutant(
        "a connect needs no worker",
        "psycopg",
        Workers,
        "_go_on",
        "while self._tasks and self._idle:",
        "while self._tasks:",
    ),
)
