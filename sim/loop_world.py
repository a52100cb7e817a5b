"""The world of a pool whose worker takes time: an event loop, and lags around the pool.

    asked --visit--> (+ entry) acquire ... granted --visit--> server ... answered --visit--> release

A visit is a turn of the worker's event loop, first come, first served. A waiter that a release
woke runs when the loop has done what was due before it, and the handover lag after that.
"""

import random

from pools.protocol import Slot
from sim.agenda import Call
from sim.stations import Loop
from sim.worker import LOOP_VISITS
from sim.world import AnyVisit, PoolWorld, Shared


class LaggedWorld(PoolWorld):
    """A world in which asking the pool, and being woken, take a moment."""

    def __init__(self, shared: Shared, number: int, rng: random.Random) -> None:
        """Make the pool's logic and connect it to this world."""
        super().__init__(shared, number, rng)
        worker = shared.scenario.worker
        self._entry_s = worker.entry_s
        self._handover_s = worker.handover_s
        self._asks = (self._acquires,)
        if self._entry_s:
            self.ask = self._enter

    def next_turn_s(self, now: float) -> float:
        """Return when a task that is ready now runs: after the handover lag."""
        return now + self._handover_s

    def wake(self, request: AnyVisit) -> None:
        """Let the waiter continue after the handover lag."""
        if not self._handover_s:
            super().wake(request)
            return
        self._wake_at(request, self.next_turn_s(self._agenda._now))

    def _wake_at(self, request: AnyVisit, at_s: float) -> None:
        # Not the request's own event: it may be granted a connection in the meantime.
        self._agenda.call(self._woken_late, at_s, request)

    def _woken_late(self, event: Call) -> None:
        self.logic.woken(event.payload, self._agenda._now)

    def _enter(self, visit: AnyVisit, now: float) -> None:
        visit.callbacks = self._asks
        self._agenda.push(visit, now + self._entry_s)

    def _acquires(self, visit: AnyVisit) -> None:
        self.logic.acquire(visit, self._agenda._now)


class LoopWorld(LaggedWorld):
    """A world whose requests share their worker's event loop."""

    def __init__(self, shared: Shared, number: int, rng: random.Random) -> None:
        """Make the pool's logic and connect it to this world."""
        super().__init__(shared, number, rng)
        visit_s = shared.scenario.worker.loop_cpu_s / LOOP_VISITS
        self._loop = Loop(visit_s)
        self._sends = (self._send,)
        self._ends = (super()._use_ends,)
        self.ask = self._come

    def next_turn_s(self, now: float) -> float:
        """Return when a task that is ready now runs: loop free, and the handover lag after that."""
        return self._loop.free_at(now) + self._handover_s

    def wake(self, request: AnyVisit) -> None:
        """Let the waiter continue in its next turn."""
        self._wake_at(request, self.next_turn_s(self._agenda._now))

    def grant(self, request: AnyVisit, slot: Slot) -> None:
        """Let the request use the connection, after a turn of the loop."""
        now, row = self._agenda._now, request.row
        self._granted[row] = now
        self._connection[row] = slot.link
        request.callbacks = self._sends
        self._agenda.push(request, self._loop.visit(now))

    def _come(self, visit: AnyVisit, now: float) -> None:
        visit.callbacks = self._asks
        self._agenda.push(visit, self._loop.visit(now) + self._entry_s)

    def _send(self, visit: AnyVisit) -> None:
        visit.callbacks = self._used
        self._serve(visit, self._agenda._now)

    def _use_ends(self, visit: AnyVisit) -> None:
        visit.callbacks = self._ends
        self._agenda.push(visit, self._loop.visit(self._agenda._now))
