"""How many live checks may run: one in a session, a few in this process, six a minute."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from pools.live import problems
from pools.live.failures import life_cycle
from pools.live.failures.words import Words
from pools.live.problems import LiveCheckFailed

A_MINUTE_MOST = 6
MINUTE_S = 60.0


class Busy(LiveCheckFailed):
    """No further check may start now; the Problem says why and what to do."""


class Slots:
    """Counts checks under way, and those of the last minute. Safe to use from several threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with none taken."""
        self._lock = threading.Lock()
        self._now = now
        self._taken: list[str] = []
        self._begun_s: dict[str, deque[float]] = {}

    def take(self, session: str, most: int) -> None:
        """Take a place for a session, of `most` over all sessions. Raises Busy."""
        with self._lock:
            if session in self._taken:
                raise _busy(life_cycle.SESSION_BUSY)
            if len(self._taken) >= most:
                raise _busy(life_cycle.ALL_BUSY, most=most)
            self._note(session)
            self._taken.append(session)

    def give_back(self, session: str) -> None:
        """Free the place of a session."""
        with self._lock:
            self._taken.remove(session)

    def forget(self) -> None:
        """Forget the last minute."""
        with self._lock:
            self._begun_s.clear()

    def _note(self, session: str) -> None:
        """Note that a check of a session begins. Raises Busy if too many did."""
        now_s = self._now()
        for one in list(self._begun_s):
            begun_s = self._begun_s[one]
            while begun_s and begun_s[0] <= now_s - MINUTE_S:
                begun_s.popleft()
            if not begun_s:
                del self._begun_s[one]
        begun_s = self._begun_s.setdefault(session, deque())
        if len(begun_s) >= A_MINUTE_MOST:
            wait_s = math.ceil(begun_s[0] + MINUTE_S - now_s)
            raise _busy(life_cycle.TOO_OFTEN, most=A_MINUTE_MOST, wait_s=wait_s)
        begun_s.append(now_s)


def _busy(row: Words, **numbers: int) -> Busy:
    return Busy(problems.of_life(row, **numbers))
