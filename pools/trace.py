"""The Trace: what happened to every request and every connection of one run.

The same record comes from the simulation, from the real library in virtual time and from a
live check, so that one `measure` and one set of charts serve all of them. Times are seconds
from the start of the run; `nan` means "never". Rows are in order of asking and of opening.
"""

from array import array
from dataclasses import dataclass, field
from enum import IntEnum


class Outcome(IntEnum):
    """How a request ended."""

    OK = 0
    ACQUIRE_TIMEOUT = 1
    CONNECT_REFUSED = 2
    CANCELLED = 3
    CONNECTION_LOST = 4
    UNFINISHED = 5
    OTHER_ERROR = 6
    RELEASE_FAILED = 7
    QUEUE_FULL = 8
    CLIENT_TIMEOUT = 9


class Cause(IntEnum):
    """Why a connection was closed."""

    STILL_OPEN = 0
    OVERFLOW = 1
    RECYCLE = 2
    IDLE = 3
    MAX_QUERIES = 4
    NOT_POOLED = 5
    DEAD = 6
    OPEN_FAILED = 7
    ABORTED = 8
    INVALIDATED = 9


def _doubles() -> "array[float]":
    return array("d")


def _ints() -> "array[int]":
    return array("q")


@dataclass(frozen=True, slots=True)
class Calls:
    """What clients wanted, where that is more than one checkout each: rows in order of asking.

    `ended_s` is when the client had its answer or gave up for good; `outcome` says which, and
    is that of its last attempt. `attempts` counts how often it asked.
    """

    asked_s: "array[float]" = field(default_factory=_doubles)
    ended_s: "array[float]" = field(default_factory=_doubles)
    outcome: "array[int]" = field(default_factory=_ints)
    attempts: "array[int]" = field(default_factory=_ints)


@dataclass(frozen=True, slots=True)
class Trace:
    """One run, as arrays.

    Requests: `asked_s` (when it wanted a connection), `granted_s` (when it got one),
    `released_s` (when its own use ended, or when it failed), `returned_s` (when the pool could
    lend the connection again, after reset or close), `outcome`, `connection` (row of the connection
    used, or -1), `pool` (which worker's pool).
    Connections: `opening_s` (connect started; nan if it was open before the run), `opened_s`,
    `closed_s`, `cause`, `owner` (which worker's pool).
    `truncated` says in words that a limit cut the run short; empty if none did.
    `calls` are the clients' requests where one may be several checkouts, else None.
    """

    asked_s: "array[float]" = field(default_factory=_doubles)
    granted_s: "array[float]" = field(default_factory=_doubles)
    released_s: "array[float]" = field(default_factory=_doubles)
    returned_s: "array[float]" = field(default_factory=_doubles)
    outcome: "array[int]" = field(default_factory=_ints)
    connection: "array[int]" = field(default_factory=_ints)
    pool: "array[int]" = field(default_factory=_ints)
    opening_s: "array[float]" = field(default_factory=_doubles)
    opened_s: "array[float]" = field(default_factory=_doubles)
    closed_s: "array[float]" = field(default_factory=_doubles)
    cause: "array[int]" = field(default_factory=_ints)
    owner: "array[int]" = field(default_factory=_ints)
    truncated: str = ""
    calls: Calls | None = None
