"""Who simulates for advice: the compiled kernel once it is ready, the SimPy engine until then.

The kernel is compiled in the background, at the first question of a process; from its cache that
takes a moment. Its numbers are the engine's to the last bit, so answers do not depend on it.
"""

import importlib
import threading
from collections.abc import Sequence

from sim.advise.counted import Counted, Evaluate, Tick, with_simpy
from sim.measure import Window
from sim.scenario import Scenario


class _Kernel:
    """The kernel's evaluator, made once in a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._evaluate: Evaluate = with_simpy

    def begin(self) -> threading.Thread:
        """Begin to compile, if nobody has."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._make, name="kernel", daemon=True)
                self._thread.start()
            return self._thread

    def _make(self) -> None:
        made: Evaluate = importlib.import_module("sim.advise.fast").with_kernel()
        short = Scenario(duration_s=0.5, warm_up_s=0.0)
        made(short, Window(0.0, 0.5), range(2))
        self._evaluate = made

    def __call__(
        self, scenario: Scenario, window: Window, replications: range, tick: Tick | None = None
    ) -> Sequence[Counted]:
        return self._evaluate(scenario, window, replications, tick)


_kernel = _Kernel()


def best_evaluator(*, waits: bool = False) -> Evaluate:
    """Return what evaluates fastest as soon as it can; with `waits`, only once it can."""
    thread = _kernel.begin()
    if waits:
        thread.join()
    return _kernel
