"""What the callers of a twin see, written down as a Trace."""

import asyncio
import math
from collections.abc import Sequence

from pools.trace import Cause, Outcome, Trace
from pools.twin.network import Wire

NAN = math.nan


class Note:
    """One request as its caller sees it. Times are loop times."""

    __slots__ = (
        "_loop",
        "asked_s",
        "granted_s",
        "outcome",
        "pool",
        "released_s",
        "returned_s",
        "wire",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: int) -> None:
        """Ask now."""
        self._loop = loop
        self.pool = pool
        self.asked_s = loop.time()
        self.granted_s = self.released_s = self.returned_s = NAN
        self.outcome = Outcome.UNFINISHED
        self.wire: Wire | None = None

    def granted(self, wire: Wire) -> None:
        """Note that the caller has a connection, and which."""
        self.wire = wire
        self.granted_s = self._loop.time()

    def released(self) -> None:
        """Note that the caller's own use has ended; the first time counts."""
        if math.isnan(self.released_s):
            self.released_s = self._loop.time()

    def cancelled(self) -> None:
        """Note that the caller was cancelled."""
        self.outcome = Outcome.CANCELLED
        if self.wire is not None:
            self.released()

    def ended(self, failure: Outcome | None) -> None:
        """Note how the request ended: well, or with a failure."""
        if self.wire is not None:
            self.returned_s = self._loop.time()
        self.released()
        if self.outcome is Outcome.UNFINISHED:
            self.outcome = Outcome.OK if failure is None else failure

    @property
    def holds(self) -> bool:
        """Whether the caller has a connection and its use goes on."""
        return self.wire is not None and math.isnan(self.released_s)


def trace_of(
    notes: Sequence[Note], wires: Sequence[Wire], zero_s: float, end_s: float, why: str
) -> Trace:
    """Return the notes as a Trace whose time 0 is `zero_s`; the run ended at `end_s`.

    Why the library closed a connection cannot be seen from outside; where it is not known,
    the cause is NOT_POOLED. `why` says what cut the run short, if anything did.
    """
    trace = Trace(truncated=why)
    rows = {id(wire): row for row, wire in enumerate(wires)}
    for note in sorted(notes, key=lambda note: note.asked_s):
        trace.asked_s.append(note.asked_s - zero_s)
        trace.granted_s.append(note.granted_s - zero_s)
        trace.released_s.append(note.released_s - zero_s)
        trace.returned_s.append(note.returned_s - zero_s)
        trace.outcome.append(note.outcome)
        trace.connection.append(-1 if note.wire is None else rows[id(note.wire)])
        trace.pool.append(note.pool)
    for wire in wires:
        never_opened = not wire.opened_s <= end_s or wire.closed_s < wire.opened_s
        trace.opening_s.append(wire.opening_s - zero_s)
        trace.opened_s.append(NAN if never_opened else wire.opened_s - zero_s)
        trace.closed_s.append(wire.closed_s - zero_s)
        trace.cause.append(_cause(wire, never_opened))
        trace.owner.append(wire.facts.get("pool", 0))
    return trace


def _cause(wire: Wire, never_opened: bool) -> Cause:
    if math.isnan(wire.closed_s):
        return Cause.STILL_OPEN
    return Cause.OPEN_FAILED if never_opened else Cause.NOT_POOLED
