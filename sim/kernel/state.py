"""What a run of the kernel keeps: a row for the run itself, which knows where its tables are.

Compiled functions pass that row, a pointer, and numbers of rows in the tables. Deques are linked
through their rows: `next` is the row behind, -1 the end. Times are seconds.
"""

from typing import Any, TypeAlias

import numpy as np

from pools.trace import Cause, Outcome

# A row of a structured array: its columns are named at run time, which types cannot say.
Row: TypeAlias = Any
# The row of the run.
State: TypeAlias = Any

NONE = -1
# Before a request that does not wait in a list linked both ways.
UNLISTED = -2
NEVER = np.inf
NAN = np.nan

# Kinds of pool.
QUEUE_POOL, NULL_POOL, ASYNCPG, AIOHTTP = range(4)

# Stages of a request, as pools.protocol.Stage.
NEW, QUEUED, WOKEN, OPENING, HOLDING, RETURNING, ENDED = range(7)

# What a slot is busy with, as pools.kinds.sqlalchemy_record.Doing; RESET is asyncpg's.
NOTHING, CONNECT, AWAIT_MUTEX, INITIALISE, REPLACE, PING, CLOSE, RESET = range(8)

OK = int(Outcome.OK)
ACQUIRE_TIMEOUT = int(Outcome.ACQUIRE_TIMEOUT)
CONNECT_REFUSED = int(Outcome.CONNECT_REFUSED)
UNFINISHED = int(Outcome.UNFINISHED)
RELEASE_FAILED = int(Outcome.RELEASE_FAILED)

STILL_OPEN = int(Cause.STILL_OPEN)
RECYCLE = int(Cause.RECYCLE)
IDLE = int(Cause.IDLE)
MAX_QUERIES = int(Cause.MAX_QUERIES)
NOT_POOLED = int(Cause.NOT_POOLED)
DEAD = int(Cause.DEAD)
OPEN_FAILED = int(Cause.OPEN_FAILED)
ABORTED = int(Cause.ABORTED)

# One type of integer: each other would have every function compiled once more.
_F, _I = np.float64, np.int64


def _spaced(fields: list[tuple[str, type]]) -> np.dtype[np.void]:
    """Return a row as long as a power of two: where the next one lies is then a shift away."""
    names, formats = zip(*fields, strict=True)
    length = 1 << (8 * len(fields) - 1).bit_length()
    offsets = list(range(0, 8 * len(fields), 8))
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": length})


# Tables of a run, in the order in which it is told of them.
TABLES = (
    "requests",
    "traced",
    "links",
    "slots",
    "pools",
    "near",
    "far",
    "jobs",
    "speeds",
    "asks",
    "holds",
    "owners",
    "thinks",
)
RUN = np.dtype(
    [
        # where the tables are, how many rows they have, and how many are in use
        *[(f"{name}_at", _I) for name in TABLES],
        *[(f"{name}_max", _I) for name in TABLES],
        ("pools", _I),
        ("links", _I),
        ("slots", _I),
        ("near", _I),
        ("far", _I),
        ("jobs", _I),
        # the agenda
        ("now", _F),
        ("next_arrival_s", _F),
        ("next_arrival_key", _I),
        ("next_id", _I),
        ("is_over", _I),
        ("is_full", _I),
        # what no run may exceed
        ("look_s", _F),
        ("ends_s", _F),
        ("cut_s", _F),
        ("is_crowded", _I),
        ("events_most", _I),
        ("in_progress_most", _I),
        # requests
        ("asked", _I),
        ("outstanding", _I),
        ("expects_more", _I),
        # users of a closed loop
        ("users", _I),
        ("users_left", _I),
        ("hops", _I),
        ("until_s", _F),
        ("asks_left", _I),
        ("stopped_asking_s", _F),
        ("thinks", _I),
        ("asks_now", _I),
        # who runs on without an event, see PoolWorld.wake
        ("may_run_on", _I),
        ("runs_on", _I),
        # the server
        ("rtt_s", _F),
        ("connect_s", _F),
        ("use_s", _F),
        ("cpu", _F),
        ("cores", _F),
        ("contention", _F),
        ("serial", _F),
        ("crosstalk", _F),
        ("connect_cpu_s", _F),
        ("slots_free", _F),
        ("jobs_ever", _I),
        ("speeds", _I),
        ("virtual_s", _F),
        ("last_s", _F),
        ("due_s", _F),
        # the worker
        ("has_loop", _I),
        ("visit_s", _F),
        ("entry_s", _F),
        ("handover_s", _F),
        # the pools' settings
        ("kind", _I),
        ("size", _I),
        ("overflow_max", _I),
        ("timeout_s", _F),
        ("recycle_s", _F),
        ("pre_ping", _I),
        ("lifo", _I),
        ("surplus", _I),
        ("least", _I),
        ("at_start", _I),
        ("max_queries", _I),
        ("idle_s", _F),
        ("prefers_live", _I),
        ("host_limit", _I),
        ("force_close", _I),
        ("never_overtakes", _I),
    ]
)
# Of a request, what its pool must know,
REQUEST = _spaced(
    [
        ("expires_s", _F),
        ("pool", _I),
        ("stage", _I),
        ("slot", _I),
        ("next", _I),
        ("previous", _I),
        ("next_alarm", _I),
        ("user", _I),
    ]
)
# and what is told of it when the run is over.
TRACED = np.dtype(
    [
        ("asked_s", _F),
        ("granted_s", _F),
        ("released_s", _F),
        ("returned_s", _F),
        ("outcome", _I),
        ("connection", _I),
    ]
)
LINK = _spaced(
    [
        ("opening_s", _F),
        ("opened_s", _F),
        ("closed_s", _F),
        ("cause", _I),
        ("owner", _I),
        ("slot", _I),
        ("is_refused", _I),
    ]
)
SLOT = _spaced(
    [
        ("started_s", _F),
        ("pinged_s", _F),
        ("pool", _I),
        ("link", _I),
        ("request", _I),
        ("next", _I),
        ("previous", _I),
        ("doing", _I),
        ("trips", _I),
        ("is_new", _I),
        ("is_fresh", _I),
        ("is_ok", _I),
        # asyncpg's holders, aiohttp's idle connections
        ("counts", _I),
        ("is_free", _I),
        ("queries", _I),
        ("timer_set", _I),
        ("idle_since_s", _F),
        ("idle_until_s", _F),
        ("until_s", _F),
    ]
)
POOL = _spaced(
    [
        ("waiters", _I),
        ("last_waiter", _I),
        ("alarms", _I),
        ("last_alarm", _I),
        ("alarm_is_set", _I),
        ("idle", _I),
        ("last_idle", _I),
        ("idle_count", _I),
        ("mutex", _I),
        ("last_in_mutex", _I),
        ("is_initialised", _I),
        ("overflow", _I),
        ("loop_free_s", _F),
        # asyncpg's floor
        ("live", _I),
        ("repairing", _I),
        ("delay_s", _F),
        # aiohttp's connector
        ("in_use", _I),
        ("has_queue", _I),
        ("cleanup_set", _I),
    ]
)
NUMBER = np.dtype([("value", _F)])
COUNT = np.dtype([("value", _I)])
EVENT = np.dtype([("at_s", _F), ("key", _I)])
# What is counted when a run is over.
NUMBERS = np.dtype(
    [
        ("requests", _I),
        ("waits", _I),
        ("at_once", _I),
        ("completed", _I),
        ("timeouts", _I),
        ("refused", _I),
        ("opened", _I),
        ("held_s", _F),
    ]
)
