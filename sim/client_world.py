"""A world whose callers await something else, nest, leak and are cancelled for a reason.

What a cancelled caller or a lost connection leads to is `sim.lossy_world`'s; added here is what a
caller does between its query and its release, when it holds a connection without using it.
"""

import random
from collections.abc import Callable
from typing import Any

from pools.kinds.base import CANCEL_ROUND_TRIPS
from pools.protocol import ENDED, HOLDING
from pools.trace import Outcome
from sim.agenda import Call
from sim.faults import Faults
from sim.link import Link, Use
from sim.lossy_world import LossyWorld
from sim.world import AnyVisit, Shared, Visit


class ClientVisit(Visit):
    """One checkout of an attempt. `fate` is its outcome if it is cancelled.

    `keeps` is the connection that it holds while no query is running.
    """

    __slots__ = ("attempt", "await_s", "fate", "keeps", "leaks")

    def __init__(self, row: int, world: LossyWorld, hold_s: float, host: int, attempt: Any) -> None:  # noqa: ANN401  a cycle of types
        """Make a checkout that neither awaits nor leaks."""
        super().__init__(row, world, hold_s, host, -1)
        self.attempt = attempt
        self.await_s = 0.0
        self.leaks = False
        self.keeps: Link | None = None
        self.fate = Outcome.CANCELLED


class ClientWorld(LossyWorld):
    """Carries out one pool's orders for callers that do more than one query."""

    # Set by who drives the callers: whether a caller goes on while it keeps its connection.
    goes_on: Callable[[ClientVisit], bool]

    def __init__(self, shared: Shared, number: int, rng: random.Random, faults: Faults) -> None:
        """Make the pool's logic and connect it to this world."""
        super().__init__(shared, number, rng, faults)
        self._hears_cancels = shared.scenario.pool.serves == "database"
        self._cancels = False

    def succeed(self, old: LossyWorld) -> None:
        """Take over from the pool of an older version, for the same callers."""
        if isinstance(old, ClientWorld):
            self.goes_on = old.goes_on

    def wake(self, request: AnyVisit) -> None:
        """Let the waiter continue after what is already due, always by an event."""
        self._may_run_on = False
        super().wake(request)

    def cancel(self, visit: AnyVisit) -> None:
        """Cancel a caller, whatever it is doing."""
        if visit.stage is HOLDING and visit.keeps is not None:
            self._roll_back(visit)
            return
        self._cancels = True
        super().cancel(visit)
        self._cancels = False

    def conclude(self, visit: ClientVisit) -> None:
        """End a caller's own use: it returns the connection, or loses sight of it."""
        link, visit.keeps = visit.keeps, None
        if link is not None and not link.is_open:
            self._finds_dead(visit)
        elif visit.leaks:
            self._note_end(visit, Outcome.OK)
            visit.stage = ENDED
            self._ended(visit)
        else:
            self._use_ends(visit)

    def _finish(self, use: Use) -> None:
        if use.is_over:
            return
        use.link.use = None
        use.link.quiet_s = self._agenda.now
        visit = use.visit
        del self._uses[visit.row]
        visit.keeps = use.link
        if visit.await_s:
            self._agenda.call(self._awaited, self._agenda.now + visit.await_s, visit)
        elif not self.goes_on(visit):
            self.conclude(visit)

    def _awaited(self, event: Call) -> None:
        visit: ClientVisit = event.payload
        if visit.keeps is not None and not self.goes_on(visit):
            self.conclude(visit)

    def _roll_back(self, visit: ClientVisit) -> None:
        link, visit.keeps = visit.keeps, None
        self._cancelled.add(visit.row)
        self._note_end(visit, visit.fate)
        takes_s = self._rtt_s if self._use_trips else 0.0
        self._agenda.call(self._rolled_back, self._agenda.now + takes_s, (visit, link))

    def _rolled_back(self, event: Call) -> None:
        visit, link = event.payload
        if link.is_open:
            self.logic.release(visit, self._agenda.now)
        else:
            self._finds_dead(visit)

    def _finds_dead(self, visit: ClientVisit) -> None:
        visit.idempotent = False  # its answer was there already: nothing is sent again
        self._breaks(Call(self._breaks, visit))

    def _note_end(self, visit: ClientVisit, outcome: Outcome) -> None:
        self._released[visit.row] = self._agenda.now
        self._outcome[visit.row] = outcome

    def _stop(self, use: Use) -> None:
        """Let a cancelled query compute until the server hears of it: over HTTP, to its end."""
        if not (self._cancels and use.is_computing):
            super()._stop(use)
            return
        use.is_over = True
        if self._hears_cancels:
            at_s = self._agenda.now + (CANCEL_ROUND_TRIPS - 0.5) * self._rtt_s
            self._agenda.call(self._server_hears, at_s, use)

    def _server_hears(self, event: Call) -> None:
        super()._stop(event.payload)
