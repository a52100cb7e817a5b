"""What psycopg's pool does in the background: its workers, its attempts to connect.

Source: psycopg_pool/pool_async.py (worker, MaintenanceTask), base.py (AttemptWithBackoff),
psycopg_pool 3.3.3.
"""

import math
import random
from collections import deque
from collections.abc import Callable

from pools.protocol import Slot

RETRY_S = 1.0
RETRY_JITTER = 0.1
Task = Callable[[float], None]


class Workers:
    """A few workers that take tasks in order; each is busy until its task says `rest`."""

    def __init__(self, count: int) -> None:
        """Start with all of them idle."""
        self._idle = count
        self._tasks: deque[Task] = deque()

    def run(self, task: Task, now: float) -> None:
        """Do a task as soon as a worker is free."""
        self._tasks.append(task)
        self._go_on(now)

    def rest(self, now: float) -> None:
        """Let the worker whose task is over take the next one."""
        self._idle += 1
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        while self._tasks and self._idle:
            self._idle -= 1
            self._tasks.popleft()(now)


class Attempt:
    """A repeated attempt: pauses of 1 s (at random 10 % more or less), then twice as long."""

    def __init__(self, timeout_s: float, rng: random.Random) -> None:
        """Give up `timeout_s` after the first failure."""
        self._timeout_s = timeout_s
        self._rng = rng
        self._give_up_s = math.inf
        self._pause_s = 0.0

    def is_over(self, now: float) -> bool:
        """Whether it is time to give up."""
        return self._give_up_s <= now

    def pause_s(self, now: float) -> float:
        """Note a failure and return how long to wait now."""
        if self._give_up_s == math.inf:
            self._give_up_s = now + self._timeout_s
            spread = 2.0 * RETRY_JITTER * self._rng.random()
            self._pause_s = RETRY_S * (1.0 + spread - RETRY_JITTER)
        else:
            self._pause_s *= 2.0
        if self._pause_s + now > self._give_up_s:
            self._pause_s = max(0.0, self._give_up_s - now)
        return self._pause_s


class Place(Slot):
    """A connection, or one being opened for the `attempt`-th time since `started_s`.

    `then` goes on after its conversation with the server; `broken` says that one failed.
    """

    __slots__ = ("attempt", "broken", "expires_s", "growing", "started_s", "then")

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.attempt: Attempt | None = None
        self.growing = self.broken = False
        self.started_s = self.expires_s = 0.0
        self.then: Callable[[Place, bool, float], None] | None = None


def place_of(slot: object) -> Place:
    """Return the slot as the place it is: worlds hand back what they were given."""
    assert isinstance(slot, Place)  # noqa: S101  narrows the type
    return slot
