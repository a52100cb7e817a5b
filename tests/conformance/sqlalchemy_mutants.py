"""Plausible mistakes in the models of SQLAlchemy's pools."""

from functools import partial

from pools.kinds.sqlalchemy import QueuePoolLogic, SqlalchemyQueue
from pools.kinds.sqlalchemy_record import RecordLogic
from pools.kinds.waiters import Waiters
from tests.conformance.mutants import Edit, Mutant, mutant

_sqlalchemy = partial(mutant, family="sqlalchemy")
_record = partial(mutant, family="sqlalchemy", owner=RecordLogic)
_null = partial(mutant, family="sqlalchemy-null", owner=RecordLogic)

SQLALCHEMY = (
    Mutant(
        "room that comes free wakes a waiter",
        "sqlalchemy",
        (
            Edit(
                QueuePoolLogic,
                "_forget",
                "self._overflow -= 1",
                "self._overflow -= 1; self._waiters.wake()",
            ),
            Edit(
                QueuePoolLogic,
                "woken",
                "    else:\n",
                "    elif self._has_room():\n        self._create(request, now)\n    else:\n",
            ),
        ),
    ),
    Mutant(
        "an overflow connection's room comes free when its close begins",
        "sqlalchemy",
        (
            Edit(
                RecordLogic,
                "_close",
                "record.doing = Doing.CLOSE",
                "record.doing = Doing.CLOSE; self._forget(record)",
            ),
            Edit(RecordLogic, "_closed", "self._forget(record)", "pass"),
        ),
    ),
    _sqlalchemy(
        "a waiter whose time is over always fails",
        owner=QueuePoolLogic,
        method="expired",
        words="self._has_room()",
        others="False",
    ),
    Mutant(
        "pool_timeout covers the connect",
        "sqlalchemy",
        (
            Edit(
                QueuePoolLogic,
                "acquire",
                "self._create(request, now)",
                "self._create(request, now); self._world.alarm(request, now + self._timeout_s)",
            ),
            Edit(
                QueuePoolLogic,
                "expired",
                "if request.stage not in _IN_QUEUE or",
                "if request.stage is OPENING:\n"
                "        return self.give_up(request, now)\n"
                "    if request.stage not in _IN_QUEUE or",
            ),
        ),
    ),
    _sqlalchemy(
        "the record returned last is lent",
        owner=QueuePoolLogic,
        method="acquire",
        words="self._take_idle()",
        others="self._idle.pop()",
    ),
    _sqlalchemy(
        "what is beyond pool_size is closed on return",
        owner=QueuePoolLogic,
        method="release",
        words="0 < self._size <= len(self._idle)",
        others="self._overflow > 0",
    ),
    _record(
        "a failed ping condemns one connection",
        method="exchanged",
        words="case Doing.PING:\n            self._invalidate(record, now)",
        others="case Doing.PING:",
    ),
    _record(
        "a fresh connection is pinged",
        method="_checkout",
        words=" and not record.fresh",
        others="",
    ),
    _record(
        "the first ping takes three round trips",
        method="_ping",
        words="record.trips += 1 if",
        others="record.trips += 0 if",
    ),
    _record(
        "the ping's statement stays prepared for ever",
        method="_ping",
        words=" or now >= record.pinged_s + STATEMENT_LIFETIME_S",
        others="",
    ),
    _sqlalchemy(
        "pool_recycle counts from the last return",
        owner=QueuePoolLogic,
        method="release",
        words="record: Any = request.slot",
        others="record: Any = request.slot; record.started_s = now",
    ),
    _record(
        "pool_recycle counts from the end of the connect",
        method="opened",
        words="record = record_of(slot)",
        others="record = record_of(slot); record.started_s = now",
    ),
    _record(
        "a new record is lent untested",
        method="_connected",
        words="was_new and",
        others="False and",
    ),
    _record(
        "a reconnected record is tested again",
        method="_connected",
        words="was_new and",
        others="",
    ),
    _record(
        "a record that cannot reconnect is dropped",
        method="_fail",
        words="record.is_new",
        others="True",
    ),
    _record(
        "connections do not wait for the first to be initialised",
        method="opened",
        words="if self._initialised:",
        others="if self._initialised or self._mutex:",
    ),
    _record(
        "initialising takes nine round trips",
        method="_initialise",
        words="INITIALISE_ROUND_TRIPS",
        others="9",
    ),
    _record(
        "a dead connection found in use condemns only itself",
        method="broke",
        words="self._invalidate(record, now)",
        others="pass",
    ),
    _record(
        "every dead connection condemns the pool anew",
        method="_invalidate",
        words="self._invalidated_s < record.started_s",
        others="True",
    ),
    _record(
        "a query that is cancelled leaves its connection usable",
        method="interrupted",
        words="self._discard(record_of(request.slot), now, CANCEL_ROUND_TRIPS)",
        others="self._put(record_of(request.slot), request)",
    ),
    _record(
        "a failed initialisation condemns nothing",
        method="exchanged",
        words="not in UNNOTICED_ROUND_TRIPS",
        others="is None",
    ),
    _record(
        "every failed initialisation condemns the pool",
        method="exchanged",
        words="not in UNNOTICED_ROUND_TRIPS",
        others="is not None",
    ),
    _record(
        "who waits for the initialisation is cancelled at once",
        method="give_up",
        words="self._mutex.remove(record)\n            self._discard(record, now)",
        others="self._mutex.remove(record); self._world.close(record, Cause.ABORTED)\n"
        "            self._fail(record, Outcome.CANCELLED)",
    ),
    _record(
        "leaving `async with` can be cancelled",
        method="give_up",
        words="case Doing.CLOSE if request.explicit:",
        others="case Doing.CLOSE:",
    ),
    _record(
        "closing before a replacement costs no round trip",
        method="_checkout",
        words="CLOSE_ROUND_TRIPS",
        others="0",
    ),
    _record(
        "a cancelled ping sends no ROLLBACK",
        method="give_up",
        words="1 <= done < record.trips - 1",
        others="False",
    ),
    _record(
        "a cancelled connection is closed at once",
        method="_discard",
        words="elif cancel_trips:",
        others="elif False:",
    ),
    mutant(
        "a robbed waiter keeps its place",
        "sqlalchemy-loops",
        Waiters,
        "join",
        "    request.stage = QUEUED\n    self.append(request)",
        "    queue = self.appendleft if request.stage is WOKEN else self.append\n"
        "    request.stage = QUEUED\n    queue(request)",
    ),
    mutant(
        "who closes explicitly goes on after the waiter it woke",
        "sqlalchemy-loops",
        SqlalchemyQueue,
        "release_hops",
        "0 if explicit else 1",
        "1",
    ),
    mutant(
        "who leaves `async with` goes on before the waiter it woke",
        "sqlalchemy-loops",
        SqlalchemyQueue,
        "release_hops",
        "0 if explicit else 1",
        "0",
    ),
)

NULL = (
    _null("closing costs no round trip", method="_close", words="CLOSE_ROUND_TRIPS", others="0"),
    _null(
        "a dead connection found in use condemns only itself",
        method="broke",
        words="self._invalidate(record, now)",
        others="pass",
    ),
    _null(
        "a new connection is lent untested",
        method="_connected",
        words="was_new and",
        others="False and",
    ),
    _null(
        "connections do not wait for the first to be initialised",
        method="opened",
        words="if self._initialised:",
        others="if self._initialised or self._mutex:",
    ),
    _null(
        "a failed initialisation is not tried again",
        method="exchanged",
        words="self._initialised = ok",
        others="self._initialised = True",
    ),
)
MUTANTS = SQLALCHEMY + NULL
