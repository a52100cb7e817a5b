"""The kernel when it is there, the SimPy engine until then: nobody waits for a compiler.

Compiling takes most of a minute of CPU and holds the interpreter's lock, so a process of its own
does it, at low priority, and leaves the code where this one finds it. Both engines decide alike
to the last bit: which one played makes no difference but in time.
"""

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread

from pools.trace import Trace
from sim.engine import simulate
from sim.kernel.coverage import uncovered
from sim.kernel.keep import is_compiled, keep_dir, mark_used, told
from sim.scenario import Scenario

ROOT = Path(__file__).parents[2]
COMPILE_S_MAX = 600.0
_LOW = 19
_log = logging.getLogger(__name__)


class Preparation:
    """The compilation of the kernel in the background; at most one a process."""

    def __init__(self) -> None:
        """Do nothing yet."""
        self._lock = Lock()
        self._thread: Thread | None = None
        self.failure = ""

    def begin(self, after_s: float = 0.0) -> None:
        """Start compiling, so many seconds from now, unless that is done, begun, or was in vain."""
        with self._lock:
            if is_compiled():
                mark_used()
            elif self._thread is None:
                self._thread = Thread(
                    target=self._compile, args=(after_s,), name="kernel", daemon=True
                )
                self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Wait for what is under way."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _compile(self, after_s: float) -> None:
        time.sleep(after_s)
        if keep_dir() is None:
            self.failure = told()
        else:
            self.failure = _compile_apart()
        if self.failure:
            _log.warning("The SimPy engine stays alone: %s", self.failure)
        else:
            _log.info("The kernel is compiled; %s", told())


def _compile_apart() -> str:
    """Compile in a process of low priority. Return what went wrong, or nothing."""
    command = [sys.executable, "-c", f"import os; os.nice({_LOW}); {_MAIN}"]
    try:
        done = subprocess.run(  # noqa: S603  this very Python, our own module
            command, cwd=ROOT, capture_output=True, text=True, timeout=COMPILE_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as broken:
        return f"the kernel could not be compiled ({broken})"
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        return f"the kernel could not be compiled ({last[:200]})"
    return ""


_MAIN = "import sim.kernel.__main__ as kernel; kernel.main()"
_preparation = Preparation()


def prepare(after_s: float = 0.0) -> None:
    """Have the kernel compiled in the background, if it is not; return at once.

    It begins `after_s` seconds from now, as the first call says.
    """
    _preparation.begin(after_s)


def why_not(scenario: Scenario) -> str:
    """Return why the kernel does not play a scenario now; empty if it does."""
    reason = uncovered(scenario)
    if reason or is_compiled():
        return reason
    return _preparation.failure or "the kernel is being compiled"


def trace_of(
    scenario: Scenario, replication: int = 0, tick: Callable[[], None] | None = None
) -> Trace:
    """Simulate one replication, by the kernel if it is there, else by SimPy.

    `tick` is called now and then; it may raise to cancel.
    """
    if why_not(scenario):
        prepare()
        return simulate(scenario, replication, tick=tick)
    # Late, because numba alone takes as long to import as a page to show.
    from sim.kernel.simulate import simulate_arrays  # noqa: PLC0415

    if tick is not None:
        tick()
    return simulate_arrays(scenario, replication)
