"""A Trace while it grows: lists, which take a value sooner than arrays do."""

import math
import struct
from array import array
from collections.abc import MutableSequence, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pools.trace import Calls, Cause, Outcome, Trace

NAN = math.nan
_UNFINISHED = int(Outcome.UNFINISHED)
_STILL_OPEN = int(Cause.STILL_OPEN)


class Record:
    """The columns of a Trace. See pools.trace for what they mean."""

    def __init__(self) -> None:
        """Start empty."""
        self.asked: MutableSequence[float] = []
        self.granted: list[float] = []
        self.released: list[float] = []
        self.returned: list[float] = []
        self.outcome: list[int] = []
        self.connection: list[int] = []
        self.pool: MutableSequence[int] = []
        self.opening: list[float] = []
        self.opened: list[float] = []
        self.closed: list[float] = []
        self.cause: list[int] = []
        self.owner: list[int] = []

    def reserve(self, asked_s: NDArray[np.float64], pool: NDArray[np.int64]) -> None:
        """Make the rows of all requests at once, where they are known in advance."""
        count = len(asked_s)
        self.asked = array("d", np.asarray(asked_s, np.float64).tobytes())
        self.pool = array("q", np.asarray(pool, np.int64).tobytes())
        for times in (self.granted, self.released, self.returned):
            times.extend([NAN] * count)
        self.outcome += [_UNFINISHED] * count
        self.connection += [-1] * count

    def trim(self, count: int) -> None:
        """Forget the requests beyond the first `count`: they never came."""
        times = (self.asked, self.granted, self.released, self.returned)
        for column in (*times, self.outcome, self.connection, self.pool):
            del column[count:]

    def ask(self, now: float, pool: int) -> int:
        """Add a row for a request and return its number."""
        row = len(self.asked)
        self.asked.append(now)
        self.granted.append(NAN)
        self.released.append(NAN)
        self.returned.append(NAN)
        self.outcome.append(_UNFINISHED)
        self.connection.append(-1)
        self.pool.append(pool)
        return row

    def open(self, now: float, opened_s: float, pool: int) -> int:
        """Add a row for a connection and return its number."""
        row = len(self.opening)
        self.opening.append(now)
        self.opened.append(opened_s)
        self.closed.append(NAN)
        self.cause.append(_STILL_OPEN)
        self.owner.append(pool)
        return row

    def shift(self, zero_s: float) -> None:
        """Count all times from `zero_s`."""
        for times in (
            self.asked,
            self.granted,
            self.released,
            self.returned,
            self.opening,
            self.opened,
            self.closed,
        ):
            times[:] = [at_s - zero_s for at_s in times]

    def trace(self, truncated: str, calls: Calls | None = None) -> Trace:
        """Return the finished record."""
        return Trace(
            asked_s=_packed("d", self.asked),
            granted_s=_packed("d", self.granted),
            released_s=_packed("d", self.released),
            returned_s=_packed("d", self.returned),
            outcome=_packed("q", self.outcome),
            connection=_packed("q", self.connection),
            pool=_packed("q", self.pool),
            opening_s=array("d", self.opening),
            opened_s=array("d", self.opened),
            closed_s=array("d", self.closed),
            cause=array("q", self.cause),
            owner=array("q", self.owner),
            truncated=truncated,
            calls=calls,
        )


def _packed(code: str, values: Sequence[float]) -> "array[Any]":
    """Return array(code, values), from a list a fifth sooner."""
    if isinstance(values, array):
        return values
    return array(code, struct.pack(f"{len(values)}{code}", *values))
