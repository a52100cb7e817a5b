"""What no run may exceed, and how it ends if it would: said in its trace, never in silence.

Looked at by an event now and then, so that what happens to requests has nothing to check: 64
times while they arrive, less and less often while the last ones are served.
"""

import math
import time
from typing import TYPE_CHECKING

from sim.agenda import Call

if TYPE_CHECKING:
    from sim.engine import Run

IN_PROGRESS_MAX = 100_000
# Of one replication.
EVENTS_MAX = 2_000_000
# Of processor time, for all replications of an answer: others on the machine do not shorten it.
COMPUTING_S_MAX = 10.0
# A pool's own timers may go on for ever; who has waited this long after the last request asked
# waits for what will not come.
AFTER_S = 7_200.0
LOOKS = 64
LATER = 1.0 / 8.0


class Limits:
    """Ends a run that exceeds a limit."""

    def __init__(self, run: "Run", computing_s: float = math.inf) -> None:
        """Look at a run that may compute for so long, in seconds of this thread."""
        self._run = run
        self._give_up_s = time.thread_time() + computing_s
        self._duration_s = run.scenario.duration_s
        self.last_s = run.scenario.duration_s + AFTER_S

    def start(self) -> None:
        """Look for the first time after a while."""
        self._run.agenda.call(self._look, self._duration_s / LOOKS)

    def _look(self, event: Call) -> None:
        run, agenda = self._run, self._run.agenda
        if agenda.now >= self.last_s:
            agenda.stop()
        if run.in_progress > IN_PROGRESS_MAX:
            run.stop_asking(crowded())
        why = self._exceeded(agenda.number())
        if why:
            run.cut(why)
        elif agenda.peek() < math.inf:  # else nothing will ever happen
            event.callbacks = (self._look,)
            agenda.push(event, self._next_s(agenda.now))

    def _exceeded(self, events: int) -> str:
        if events > EVENTS_MAX:
            return f"after {EVENTS_MAX} events"
        if time.thread_time() > self._give_up_s:
            return f"after {COMPUTING_S_MAX:g} s of computing"
        return ""

    def _next_s(self, now: float) -> float:
        pause_s = max(self._duration_s / LOOKS, (now - self._duration_s) * LATER)
        return min(now + pause_s, self.last_s)


def crowded() -> str:
    """Say why nobody may ask any more."""
    return f"with more than {IN_PROGRESS_MAX} requests in progress"


def unserved(count: int, now: float, last_s: float) -> str:
    """Say that so many were left over when nothing happened any more, or at `last_s`."""
    if now < last_s:
        return f"{count} requests could never be served"
    return f"{count} requests still waited {AFTER_S:g} s after the last could come"
