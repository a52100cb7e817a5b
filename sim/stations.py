"""What stands behind the pools: the server's connection slots and its processor cores."""

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, Protocol

from sim.agenda import Call
from sim.capacity import Capacity


class Timers(Protocol):
    """What a station needs of an agenda: call back with an event that carries the payload."""

    def call(self, callback: Callable[[Any], None], at_s: float, payload: Any = None) -> None:  # noqa: ANN401
        """Set a timer at an absolute time."""


class Slots:
    """Connections the server will take from this fleet, over all pools."""

    __slots__ = ("free",)

    def __init__(self, free: float) -> None:
        """Start with that many free; infinity for a server without a limit."""
        self.free = free

    def take(self) -> bool:
        """Take one slot if there is one."""
        if self.free < 1:
            return False
        self.free -= 1
        return True

    def give_back(self) -> None:
        """Free one slot."""
        self.free += 1


class Loop:
    """The event loop of one worker: one visit at a time, first come, first served."""

    __slots__ = ("_free_s", "_visit_s")

    def __init__(self, visit_s: float) -> None:
        """Start idle; every visit takes that long."""
        self._free_s = 0.0
        self._visit_s = visit_s

    def visit(self, now: float) -> float:
        """Queue for a visit and return when it is over."""
        self._free_s = at_s = max(now, self._free_s) + self._visit_s
        return at_s

    def free_at(self, now: float) -> float:
        """Return when all visits queued so far are over."""
        return max(now, self._free_s)


class Cores:
    """Processor sharing: all computing queries advance at one speed, that of their number.

    Kept in virtual time, which advances at that speed: a query that enters at virtual time v
    with demand d leaves at v + d, so one heap and one re-armed event serve all of them.

    With a `grain_s`, departures fall on multiples of it: sums of such times are exact, so that
    two models that add them up in different ways still agree to the last bit.
    """

    __slots__ = (
        "_agenda",
        "_capacity",
        "_done",
        "_due_s",
        "_grain_s",
        "_jobs",
        "_last_s",
        "_pace",
        "_sequence",
        "_speeds",
        "_virtual_s",
    )

    def __init__(
        self, agenda: Timers, capacity: Capacity, done: Callable[[Any], None], grain_s: float = 0.0
    ) -> None:
        """Share `capacity`; `done` is called with each job that has computed enough."""
        self._grain_s = grain_s
        self._agenda = agenda
        self._capacity = capacity
        self._pace = 1.0
        # Speeds by number of jobs, as far as they were needed. Of nobody, none.
        self._speeds = [0.0]
        self._done = done
        self._jobs: list[tuple[float, int, Any]] = []
        self._sequence = 0
        self._virtual_s = 0.0
        self._last_s = 0.0
        self._due_s = math.inf

    def enter(self, job: Any, demand_s: float, now: float) -> None:  # noqa: ANN401
        """Start computing for a job."""
        jobs = self._jobs
        self._virtual_s += (now - self._last_s) * self._speeds[len(jobs)]
        self._last_s = now
        self._sequence += 1
        entry = (self._virtual_s + demand_s, self._sequence, job)
        heappush(jobs, entry)
        if len(jobs) == len(self._speeds):
            self._speeds.append(self._pace * self._capacity.speed(len(jobs)))
        if jobs[0] is entry:  # else whoever is first leaves no sooner than before
            self._arm(now)

    def drop(self, job: Any, now: float) -> None:  # noqa: ANN401
        """Stop computing for a job that was cancelled."""
        self._advance(now)
        self._jobs = [entry for entry in self._jobs if entry[2] is not job]
        heapify(self._jobs)
        self._due_s = math.inf
        if self._jobs:
            self._arm(now)

    def pace(self, factor: float, now: float) -> None:
        """Let all jobs advance at that factor of their usual speed from now on."""
        self._advance(now)
        self._pace = factor
        counts = range(1, len(self._speeds))
        self._speeds = [0.0, *(factor * self._capacity.speed(count) for count in counts)]
        self._due_s = math.inf
        if self._jobs:
            self._arm(now)

    def _advance(self, now: float) -> None:
        self._virtual_s += (now - self._last_s) * self._speeds[len(self._jobs)]
        self._last_s = now

    def _arm(self, now: float) -> None:
        left_s = self._jobs[0][0] - self._virtual_s
        due_s = now + left_s / self._speeds[len(self._jobs)] if left_s > 0.0 else now
        if self._grain_s:
            due_s = math.ceil(due_s / self._grain_s) * self._grain_s
        if due_s < self._due_s:
            self._due_s = due_s
            self._agenda.call(self._ring, due_s, due_s)

    def _ring(self, event: Call) -> None:
        now = event.payload
        if now != self._due_s:
            return
        self._due_s = math.inf
        self._advance(now)
        self._leave(now)
        if self._jobs:
            self._arm(now)

    def _leave(self, now: float) -> None:
        due = self._jobs[0][0]
        early = due - self._virtual_s
        if early <= 1e-12 * max(1.0, now):
            if early > 0.0:
                # Rounding rang a little early: the others must not gain from it.
                self._last_s += early / self._speeds[len(self._jobs)]
                self._virtual_s = due
            _, _, job = heappop(self._jobs)
            self._done(job)
