"""The world of one pool: its orders become SimPy events and rows of the record."""

import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappush
from typing import Any, TypeAlias

from pools.protocol import NEW, OPENING, QUEUED, WOKEN, Request, Slot, Step
from pools.trace import Cause, Outcome
from sim.agenda import NORMAL, Agenda, Call
from sim.record import NAN, Record
from sim.scenario import Scenario
from sim.stations import Cores, Slots

_WAITING = (QUEUED, WOKEN, OPENING)
_OK = int(Outcome.OK)
# Every request of this world is a Visit; checking that each time would cost 3 % of a run.
AnyVisit: TypeAlias = Any


class Visit(Request):
    """A request of the simulation, and the event of its own next step."""

    __slots__ = ("callbacks", "hold_s", "user", "world")
    callbacks: tuple[Callable[[Any], None], ...] | None
    _ok = True
    # Its outcome if its caller is cancelled.
    fate: Outcome = Outcome.CANCELLED

    def __init__(self, row: int, world: "PoolWorld", hold_s: float, host: int, user: int) -> None:
        """Make a request for one pool; `user` is the closed loop's user, or -1."""
        self.row = row
        self.host = host
        self.timeout_s = None
        self.expires_s = math.inf
        self.stage = NEW
        self.slot = None
        self.world = world
        self.hold_s = hold_s
        self.user = user

    def computed(self) -> None:
        """Go on after the server's cores are done with its query."""
        self.world.computed(self)


class Opening:
    """A connect under way: what computes on the server's cores for it."""

    __slots__ = ("_link", "_slot", "_world")

    def __init__(self, world: "PoolWorld", slot: Slot, link: int) -> None:
        """Remember for which connection of which slot."""
        self._world = world
        self._slot = slot
        self._link = link

    def computed(self) -> None:
        """Let the pool know the answer."""
        self._world.opened(self._slot, self._link)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all pools of a run share, and what to call when a caller has its answer.

    `connects_s` is how long the server takes for each connect, in order, without round trips.
    """

    scenario: Scenario
    agenda: Agenda
    record: Record
    slots: Slots
    cores: Cores
    ended: Callable[[Visit], None]
    connects_s: Iterator[float]


class PoolWorld:
    """Carries out one pool's orders. See pools.protocol.World for what each means."""

    def __init__(self, shared: Shared, number: int, rng: random.Random) -> None:
        """Make the pool's logic and connect it to this world."""
        scenario = shared.scenario
        self.number = number
        self._agenda = shared.agenda
        self._queue: Any = shared.agenda._queue
        self._number = shared.agenda.number
        self._record = record = shared.record
        self._granted, self._released = record.granted, record.released
        self._returned, self._outcome = record.returned, record.outcome
        self._connection = record.connection
        self._slots = shared.slots
        self._cores = shared.cores
        self._ended = shared.ended
        self.finished: Callable[[AnyVisit], None] = shared.ended
        self._rtt_s = scenario.server.rtt_s
        self._connects_s = shared.connects_s
        self._connect_cpu_s = scenario.server.connect_cpu_s
        trips_s = scenario.pool.use_round_trips * scenario.server.rtt_s
        self._use_s = trips_s + scenario.worker.overhead_s
        self._cpu = scenario.server.cpu_fraction
        self._alarms: deque[tuple[float, Visit]] = deque()
        self._alarm_is_set = False
        # Connects under way that the server has refused already: they hold no slot.
        self._refused: set[int] = set()
        # A waiter that is woken while nothing else is due runs on without an event.
        self._may_run_on = False
        self._runs_on: Visit | None = None
        self._used = (self._use_ends,)
        self._wakes = (self._woken,)
        self.logic = scenario.pool.logic(self, rng)
        self.ask: Callable[[AnyVisit, float], None] = self.logic.acquire

    def open(self, slot: Slot, round_trips: int) -> None:
        """Start connecting; the server may refuse, which takes as long."""
        now = self._agenda._now
        slot.link = self._record.open(now, NAN, self.number)
        if not self._slots.take():
            self._refused.add(slot.link)
        at_s = now + round_trips * self._rtt_s + next(self._connects_s)
        self._agenda.call(self._connected, at_s, Opening(self, slot, slot.link))

    def adopt(self, slot: Slot) -> bool:
        """Give the slot a connection that is already open, if the server has room."""
        now = self._agenda._now
        if not self._slots.take():
            return False
        slot.link = self._record.open(NAN, now, self.number)
        return True

    def exchange(
        self, slot: Slot, step: Step, round_trips: int, within_s: float | None = None
    ) -> None:
        """Let the round trips pass, or as many as fit."""
        takes_s = round_trips * self._rtt_s
        if takes_s == 0.0:
            self.logic.exchanged(slot, step, True, self._agenda._now)
            return
        ok = within_s is None or takes_s <= within_s
        at_s = self._agenda._now + (takes_s if within_s is None else min(takes_s, within_s))
        self._agenda.call(self._exchanged, at_s, (slot, slot.link, step, ok))

    def interrupt(self, slot: Slot) -> int:
        """Return 0: nobody is cancelled in this world."""
        return 0

    def close(self, slot: Slot, cause: Cause) -> None:
        """Drop the connection."""
        record, link = self._record, slot.link
        if link >= 0:
            record.closed[link] = self._agenda._now
            record.cause[link] = cause
            slot.link = -1
            if link in self._refused:
                self._refused.discard(link)
            else:
                self._slots.give_back()

    def grant(self, request: AnyVisit, slot: Slot) -> None:
        """Let the request use the connection: first the server computes, then the rest."""
        now, row = self._agenda._now, request.row
        self._granted[row] = now
        self._connection[row] = slot.link
        request.callbacks = self._used
        if self._cpu:
            self._cores.enter(request, self._cpu * request.hold_s, now)
        else:
            at_s = now + request.hold_s + self._use_s
            heappush(self._queue, (at_s, NORMAL, self._number(), request))

    def reject(self, request: AnyVisit, outcome: Outcome) -> None:
        """Note the failure; the caller goes on."""
        self._record.released[request.row] = self._agenda._now
        self._record.outcome[request.row] = outcome
        self._ended(request)

    def failed(self, request: AnyVisit) -> None:
        """Note that the release failed, unless something failed before; the caller goes on."""
        if self._outcome[request.row] == _OK:
            self._outcome[request.row] = Outcome.RELEASE_FAILED
        self.finished(request)

    def ready(self, ok: bool) -> None:
        """Do nothing: pools of this world are started, not created."""

    def available(self, request: AnyVisit) -> None:
        """Note when the connection can be lent again."""
        self._returned[request.row] = self._agenda._now

    def wake(self, request: AnyVisit) -> None:
        """Let the waiter continue after what is already due."""
        agenda, queue = self._agenda, self._queue
        if self._may_run_on and queue and queue[0][0] > agenda._now:
            self._may_run_on = False
            self._runs_on = request
        else:
            request.callbacks = self._wakes
            agenda.push(request, agenda._now)

    def next_turn_s(self, now: float) -> float:
        """Return when a task that is ready now runs: a waiter just woken, or who woke it."""
        return now

    def alarm(self, request: AnyVisit, at_s: float) -> None:
        """Set a deadline. Deadlines mostly come in order: then one event serves them all."""
        alarms = self._alarms
        if alarms and at_s < alarms[-1][0]:
            self._agenda.call(self._expire_one, at_s, request)
            return
        alarms.append((at_s, request))
        if not self._alarm_is_set:
            self._alarm_is_set = True
            self._agenda.call(self._expire_due, at_s)

    def timer(self, token: object, at_s: float) -> None:
        """Set one of the pool's own timers."""
        self._agenda.call(self._timer, at_s, token)

    def computed(self, visit: Visit) -> None:
        """Go on after the server has computed: waiting, application, round trips."""
        rest_s = (1.0 - self._cpu) * visit.hold_s + self._use_s
        at_s = self._agenda._now + rest_s
        heappush(self._queue, (at_s, NORMAL, self._number(), visit))

    def _serve(self, visit: Visit, now: float) -> None:
        if self._cpu:
            self._cores.enter(visit, self._cpu * visit.hold_s, now)
        else:
            self._agenda.push(visit, now + visit.hold_s + self._use_s)

    def _use_ends(self, visit: Visit) -> None:
        now, row = self._agenda._now, visit.row
        self._released[row] = now
        self._outcome[row] = _OK
        self._may_run_on = True
        self.logic.release(visit, now)
        self._may_run_on = False
        woken, self._runs_on = self._runs_on, None
        if woken is not None:
            self.logic.woken(woken, now)

    def _woken(self, visit: Visit) -> None:
        self.logic.woken(visit, self._agenda._now)

    def _connected(self, event: Call) -> None:
        opening: Opening = event.payload
        if self._connect_cpu_s:
            self._cores.enter(opening, self._connect_cpu_s, self._agenda._now)
        else:
            opening.computed()

    def opened(self, slot: Slot, link: int) -> None:
        """Tell the pool that a connect succeeded or was refused, unless it was given up."""
        if slot.link != link:
            return
        now = self._agenda._now
        if link in self._refused:
            self._open_failed(slot, now)
        else:
            self._record.opened[link] = now
            self.logic.opened(slot, now)

    def _open_failed(self, slot: Slot, now: float) -> None:
        self._record.closed[slot.link] = now
        self._record.cause[slot.link] = Cause.OPEN_FAILED
        self._refused.discard(slot.link)
        slot.link = -1
        self.logic.open_failed(slot, now)

    def _exchanged(self, event: Call) -> None:
        slot, link, step, ok = event.payload
        if slot.link == link:
            self.logic.exchanged(slot, step, ok, self._agenda._now)

    def _timer(self, event: Call) -> None:
        self.logic.timer(event.payload, self._agenda._now)

    def _expire_one(self, event: Call) -> None:
        if event.payload.stage in _WAITING:
            self.logic.expired(event.payload, self._agenda._now)

    def _expire_due(self, event: Call) -> None:
        now, alarms = self._agenda._now, self._alarms
        while alarms and (alarms[0][0] <= now or alarms[0][1].stage not in _WAITING):
            _, visit = alarms.popleft()
            if visit.stage in _WAITING:
                self.logic.expired(visit, now)
        self._alarm_is_set = bool(alarms)
        if alarms:
            self._agenda.call(self._expire_due, alarms[0][0])
