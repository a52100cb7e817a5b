"""What happens next: SimPy's event loop, fed with light events at absolute times.

SimPy's own `Timeout` costs an object and a relative delay for each step of each request. Here
an event is any object with `callbacks` and `_ok`; it is re-armed for its next step and pushed
at an absolute time, so times are exact and runs repeat to the last bit. This leans on two
private names of SimPy 4.1.2 (`Environment._queue` and `_eid`), which is pinned; see
docs/decisions/0002-orders-are-calls.md for what it buys.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.core import StopSimulation

Stage = tuple[Callable[[Any], None], ...]
NORMAL, _LAST = 1, 2


class Call:
    """A light event: when due, its callback is called with the event itself."""

    __slots__ = ("callbacks", "payload")
    _ok = True

    def __init__(self, callback: Callable[[Any], None], payload: Any = None) -> None:  # noqa: ANN401
        """Make an event for one callback; `payload` is whatever the callback needs."""
        self.callbacks: Stage | None = (callback,)
        self.payload = payload


class Agenda(simpy.Environment):
    """A SimPy environment to which light events are added at absolute times (seconds).

    Hot paths read `_now` instead of `now`: the property costs a call. `push` adds an event
    whose `callbacks` are set; equal times keep the order of pushing.
    """

    def __init__(self, initial_time: float = 0.0) -> None:
        """Start at that time with nothing to do."""
        super().__init__(initial_time)
        queue: Any = self._queue
        number = self._eid.__next__

        def push(event: Any, at_s: float) -> None:  # noqa: ANN401
            heappush(queue, (at_s, NORMAL, number(), event))

        self.push = push
        # Where each request passes, a heappush of (at_s, NORMAL, number(), event) saves a call.
        self.number: Callable[[], int] = number

    def call(self, callback: Callable[[Any], None], at_s: float, payload: Any = None) -> None:  # noqa: ANN401
        """Add a new event for one callback."""
        self.push(Call(callback, payload), at_s)

    def call_last(self, callback: Callable[[Any], None], at_s: float, payload: Any = None) -> None:  # noqa: ANN401
        """Add a new event that comes after all else that is due at its time."""
        heappush(self._queue, (at_s, _LAST, next(self._eid), Call(callback, payload)))  # type: ignore[misc]  # light

    def play(self) -> None:
        """Do what is due until nothing is left, or `stop`: SimPy's `run` and `step` in one.

        Light events have one callback each and keep it.
        """
        queue: Any = self._queue
        try:
            while queue:
                self._now, _, _, event = heappop(queue)
                event.callbacks[0](event)
        except StopSimulation:
            return

    @staticmethod
    def stop() -> None:
        """End `play` or `run` from within a callback."""
        raise StopSimulation(None)
