"""Writes down a real run as a Trace: arrivals are known in advance, the rest is observed.

What ends after the run is over (cut by the drain) stays UNFINISHED.
"""

import math
from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from pools.trace import Cause, Outcome, Trace


@dataclass(slots=True)
class Record:
    """A Trace in the making. Times come in on the event loop's clock."""

    trace: Trace
    start_s: float = math.nan
    row_of: dict[Hashable, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    is_over: bool = False

    @classmethod
    def of(cls, arrivals_s: Sequence[float]) -> "Record":
        """Prepare a row for each scheduled arrival (seconds from the start)."""
        count = len(arrivals_s)
        trace = Trace(asked_s=array("d", arrivals_s))
        for times in (trace.granted_s, trace.released_s, trace.returned_s):
            times.extend([math.nan] * count)
        trace.outcome.extend([Outcome.UNFINISHED] * count)
        trace.connection.extend([-1] * count)
        trace.pool.extend([0] * count)
        return cls(trace)

    @property
    def ok(self) -> int:
        """Requests served so far."""
        return self.trace.outcome.count(Outcome.OK)

    def at(self, now_s: float) -> float:
        """Turn the loop's time into seconds from the start; what came before is 0."""
        return 0.0 if math.isnan(self.start_s) else max(0.0, now_s - self.start_s)

    def was_granted(self, row: int) -> bool:
        """Whether a request got a connection."""
        return not math.isnan(self.trace.granted_s[row])

    def granted(self, row: int, key: Hashable, now_s: float) -> None:
        """Say that a request got the connection known as `key`."""
        self.trace.granted_s[row] = self.at(now_s)
        self.trace.connection[row] = self.row_of.get(key, -1)

    def released(self, row: int, now_s: float) -> None:
        """Say that a request's own use has ended."""
        self.trace.released_s[row] = self.at(now_s)

    def returned(self, row: int, now_s: float) -> None:
        """Say that a request is over and the pool has its connection back."""
        self.trace.returned_s[row] = self.at(now_s)
        self.trace.outcome[row] = Outcome.OK

    def failed(self, row: int, outcome: Outcome, error: BaseException, now_s: float) -> None:
        """Say how and when a request failed; other errors are counted by class."""
        if self.is_over:
            return
        self.trace.released_s[row] = self.at(now_s)
        self.trace.outcome[row] = outcome
        if outcome is Outcome.OTHER_ERROR:
            name = type(error).__name__
            self.others[name] = self.others.get(name, 0) + 1

    def opening(self, now_s: float) -> int:
        """Say that a connect began; returns the connection's row."""
        self.trace.opening_s.append(self.at(now_s))
        self.trace.opened_s.append(math.nan)
        self.trace.closed_s.append(math.nan)
        self.trace.cause.append(Cause.STILL_OPEN)
        self.trace.owner.append(0)
        return len(self.trace.opening_s) - 1

    def opened(self, link: int, key: Hashable, now_s: float) -> None:
        """Say that a connect succeeded and what the connection is known as from now on."""
        self.trace.opened_s[link] = self.at(now_s)
        self.row_of[key] = link

    def is_closed(self, row: int) -> bool:
        """Whether the connection that a request used is closed."""
        link = self.trace.connection[row]
        return link >= 0 and not math.isnan(self.trace.closed_s[link])

    def closed(self, link: int, cause: Cause, now_s: float) -> None:
        """Say that a connection was closed while the run lasted."""
        if not self.is_over and math.isnan(self.trace.closed_s[link]):
            self.trace.closed_s[link] = self.at(now_s)
            self.trace.cause[link] = cause
