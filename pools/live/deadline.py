"""When a check has to end: one instant, for the check itself and for whoever started it.

It is counted from the press of the button, on the clock that all processes of a machine share
(CLOCK_MONOTONIC), so that a slow start of the process is within it. Three parties hold to it,
each without the others: the check's event loop ends it at `ends_at_s`; its parent kills the
process group at `kill_at_s`; and at the same instant the kernel does (an alarm of the process,
which no Python code has to run for), should the parent not get to it.
"""

import signal
import time
from dataclasses import dataclass, field
from typing import Any

ENDED_AFTER_S = 2.0
OWNER_GONE = 3  # how a check ends whose owner's pipe has closed
# The kernel needs a moment to end a process and close its sockets, on a busy machine more.
FOR_THE_KERNEL_S = 0.5


@dataclass(frozen=True, slots=True)
class Deadline:
    """A check ends itself `after_s` seconds from its start; 2 s later nothing of it is left."""

    after_s: float
    began_s: float = field(default_factory=time.monotonic)

    @property
    def ends_at_s(self) -> float:
        """When it ends itself, by the monotonic clock."""
        return self.began_s + self.after_s

    @property
    def kill_at_s(self) -> float:
        """When it is killed if it has not, so that it has ended 2 s after its deadline."""
        return self.ends_at_s + ENDED_AFTER_S - FOR_THE_KERNEL_S

    @property
    def in_order(self) -> dict[str, Any]:
        """What the child has to know of it."""
        return {"ends_at_s": self.ends_at_s, "kill_at_s": self.kill_at_s}


def be_killed_at(kill_at_s: float) -> None:
    """Have the kernel end this process at that instant, whatever it does then."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, kill_at_s - time.monotonic()))
