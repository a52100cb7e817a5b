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
NEVER = np.inf
NAN = np.nan

# Kinds of pool.
QUEUE_POOL, NULL_POOL = 0, 1

# Stages of a request, as pools.protocol.Stage.
NEW, QUEUED, WOKEN, OPENING, HOLDING, RETURNING, ENDED = range(7)

# What a connection record is busy with, as pools.kinds.sqlalchemy_record.Doing.
NOTHING, CONNECT, AWAIT_MUTEX, INITIALISE, REPLACE, PING, CLOSE = range(7)

OK = int(Outcome.OK)
ACQUIRE_TIMEOUT = int(Outcome.ACQUIRE_TIMEOUT)
CONNECT_REFUSED = int(Outcome.CONNECT_REFUSED)
UNFINISHED = int(Outcome.UNFINISHED)

STILL_OPEN = int(Cause.STILL_OPEN)
OVERFLOW = int(Cause.OVERFLOW)
RECYCLE = int(Cause.RECYCLE)
NOT_POOLED = int(Cause.NOT_POOLED)
OPEN_FAILED = int(Cause.OPEN_FAILED)

_F, _I, _L = np.float64, np.int32, np.int64

RUN = np.dtype(
    [
        # where the tables are, how many rows they have, and how many are in use
        ("requests_at", _L),
        ("links_at", _L),
        ("slots_at", _L),
        ("pools_at", _L),
        ("events_at", _L),
        ("jobs_at", _L),
        ("speeds_at", _L),
        ("links_max", _L),
        ("slots_max", _L),
        ("events_max", _L),
        ("jobs_max", _L),
        ("requests", _L),
        ("pools", _L),
        ("links", _L),
        ("slots", _L),
        ("events", _L),
        ("jobs", _L),
        # the agenda
        ("now", _F),
        ("next_arrival_s", _F),
        ("next_arrival_key", _L),
        ("next_id", _L),
        ("is_over", _L),
        ("is_full", _L),
        # requests
        ("asked", _L),
        ("outstanding", _L),
        ("expects_more", _L),
        # who runs on without an event, see PoolWorld.wake
        ("may_run_on", _L),
        ("runs_on", _L),
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
        ("jobs_ever", _L),
        ("speeds", _L),
        ("virtual_s", _F),
        ("last_s", _F),
        ("due_s", _F),
        # the worker
        ("has_loop", _L),
        ("visit_s", _F),
        ("entry_s", _F),
        ("handover_s", _F),
        # the pools' settings
        ("kind", _L),
        ("size", _L),
        ("overflow_max", _L),
        ("timeout_s", _F),
        ("recycle_s", _F),
        ("pre_ping", _L),
        ("lifo", _L),
        ("surplus", _L),
    ]
)
REQUEST = np.dtype(
    [
        ("asked_s", _F),
        ("hold_s", _F),
        ("granted_s", _F),
        ("released_s", _F),
        ("returned_s", _F),
        ("expires_s", _F),
        ("pool", _I),
        ("stage", _I),
        ("slot", _I),
        ("outcome", _I),
        ("connection", _I),
        ("next", _I),
        ("next_alarm", _I),
        ("user", _I),
    ]
)
LINK = np.dtype(
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
SLOT = np.dtype(
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
    ]
)
POOL = np.dtype(
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
        ("overflow", _L),
        ("loop_free_s", _F),
    ]
)
NUMBER = np.dtype([("value", _F)])
EVENT = np.dtype([("at_s", _F), ("key", _L)])
