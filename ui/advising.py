"""A search for settings in the background: in a thread of its own, watched and cancelled.

At most AT_ONCE_MAX run at a time in this server; others wait for their turn. Each gives the
interpreter away now and then, so that no page waits for it.
"""

import threading
import time
from dataclasses import dataclass, field

from sim.advise import Recommendation, Tried, advise, best_evaluator
from sim.scenario import Scenario

AT_ONCE_MAX = 2
_TURN_S = 0.2
_GIVE_AWAY_S = 0.001
_turns = threading.BoundedSemaphore(AT_ONCE_MAX)


class Cancelled(Exception):
    """The search is no longer wanted."""


@dataclass(slots=True)
class Advising:
    """One search: what was asked, what was tried so far, and how it ended.

    `state` is waiting, running, done, cancelled or failed. `problem` says what failed.
    """

    scenario: Scenario
    state: str = "waiting"
    tried: list[Tried] = field(default_factory=list)
    advice: Recommendation | None = None
    problem: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state in ("done", "cancelled", "failed")

    def start(self) -> None:
        """Begin, in a thread that does not keep the server from ending."""
        self._thread = threading.Thread(target=self._run, name="advice", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to end; it does within one step of the simulation."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long. Return whether it came."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self.is_over

    def _run(self) -> None:
        try:
            self._take_turn()
            try:
                self.state = "running"
                self.advice = advise(
                    self.scenario, best_evaluator(), tick=self._tick, watch=self.tried.append
                )
            finally:
                _turns.release()
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except Exception as broken:
            self.problem = f"{type(broken).__name__} while settings were tried."
            self.state = "failed"
            raise

    def _take_turn(self) -> None:
        while not _turns.acquire(timeout=_TURN_S):
            self._tick()

    def _tick(self) -> None:
        time.sleep(_GIVE_AWAY_S)
        if self._stop.is_set():
            raise Cancelled
