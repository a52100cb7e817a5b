"""A sweep beside the page: a thread that hands work to processes which all sessions share."""

import threading
from collections.abc import Generator
from functools import cache

from sim.sweep.grid import Grid
from sim.sweep.processes import Processes
from sim.sweep.run import Precision, Progress, SweepFailed, sweep

# With many sweeps at once each gets its turn: none may fill the queue of the processes.
IN_FLIGHT_MAX = 4
_THREAD = "sweep"


@cache
def processes() -> Processes:
    """Return the processes of this server."""
    return Processes()


def under_way() -> int:
    """Return how many sweeps all sessions of this server have under way."""
    return sum(thread.name == _THREAD for thread in threading.enumerate())


class Sweeping:
    """One sweep under way. `progress` is what is known so far."""

    def __init__(self, grid: Grid, precision: Precision) -> None:
        """Begin."""
        self.grid = grid
        self.precision = precision
        self.progress = Progress(tuple(grid.places()))
        self.problem = ""
        self.is_settled = False  # once the page has taken note of the end
        self.among = 1
        self._is_cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=_THREAD)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return not self._thread.is_alive()

    @property
    def was_cancelled(self) -> bool:
        """Whether it was told to stop before it was done."""
        return self._is_cancelled.is_set() and not self.progress.is_over

    def take_turns(self) -> int:
        """Return, and note, among how many sweeps this server's time for drawing is divided."""
        self.among = max(1, under_way())
        return self.among

    @property
    def is_out_of_step(self) -> bool:
        """Whether there are twice as many sweeps as noted, or half as many."""
        return not self.among <= 2 * under_way() <= 4 * self.among

    def cancel(self) -> None:
        """Stop; what is known stays."""
        self._is_cancelled.set()

    def wait(self, seconds: float) -> None:
        """Wait until it is over, at most so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        coming = sweep(self.grid, processes(), self.precision, in_flight_max=IN_FLIGHT_MAX)
        try:
            self._follow(coming)
        except SweepFailed as failed:
            self.problem = f"The processes that simulate were lost: {failed}."
        finally:
            coming.close()

    def _follow(self, coming: Generator[Progress, None, None]) -> None:
        for self.progress in coming:
            if self._is_cancelled.is_set():
                return
