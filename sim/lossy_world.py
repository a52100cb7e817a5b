"""The world of a pool whose connections may be lost, and whose callers may be cancelled.

    server: live ----------- killed, restarted            forgotten by a firewall
    client:      hears of it half a round trip later      hears of it when it gives up waiting

What follows is the library's: logic is told `lost`, `broke`, `interrupted`, `give_up`, and that
a conversation failed. A use is an event of its own here, since it may end before its time.
"""

import itertools
import math
import random
from collections.abc import Callable, Collection

from pools.protocol import ENDED, HOLDING, OPENING, QUEUED, WOKEN, Slot, Step
from pools.trace import Cause, Outcome
from sim.agenda import Call
from sim.faults import Faults
from sim.link import Link, Use
from sim.loop_world import LaggedWorld
from sim.record import NAN
from sim.stations import Loop
from sim.worker import LOOP_VISITS
from sim.world import AnyVisit, Opening, Shared

# Where a request stands that the library has sent again on another connection.
_SENT_AGAIN = (QUEUED, WOKEN, OPENING, HOLDING)
# Who is refused while a server is down tries again after this at the earliest.
REFUSAL_S_MIN = 1e-3


class LossyWorld(LaggedWorld):
    """A world in which connections die and callers are cancelled."""

    def __init__(self, shared: Shared, number: int, rng: random.Random, faults: Faults) -> None:
        """Make the pool's logic and connect it to this world."""
        super().__init__(shared, number, rng)
        worker = shared.scenario.worker
        failures = shared.scenario.failures
        self.faults = faults
        self._loop = Loop(worker.loop_cpu_s / LOOP_VISITS)
        self._has_loop = bool(worker.loop_cpu_s)
        self._watches_idle = shared.scenario.pool.watches_idle
        self._idle_cut_s = failures.idle_cut_s or math.inf
        self._unanswered_s = failures.unanswered_s
        self._usual = (self._rtt_s, self._use_s)
        self._use_trips = shared.scenario.pool.use_round_trips
        self._links: dict[int, Link] = {}
        self._uses: dict[int, Use] = {}
        self._coming: set[AnyVisit] = set()
        self._cancelled: set[int] = set()
        self._begins, self._answers = (self._begin,), (self._answer,)
        self._finishes = (self._finish,)
        self._is_retired = False
        self.on_ready: Callable[[bool], None] | None = None
        self.ask = self._come
        self.finished = self._finished
        self._bouncer = faults.bouncer
        if self._bouncer is not None:  # whose own clients connect at no cost
            self._connects_s, self._connect_cpu_s = itertools.repeat(0.0), 0.0
        faults.watch(self)

    @property
    def links(self) -> Collection[Link]:
        """All connections that the pool has, or is opening."""
        return self._links.values()

    # ---- what befalls connections ----------------------------------------------------------------

    def lose_all(self) -> None:
        """Let the server drop every connection, also those that are being opened."""
        for link in list(self._links.values()):
            if link.is_open:
                self.hang_up(link)
            elif link.has_slot:
                self._end(link)
                self._refused.add(link.row)
                self._hear_later(self._connected, Opening(self, link.slot, link.row))

    def succeed(self, old: "LossyWorld") -> None:
        """Take over from the pool of an older version."""

    def retire(self) -> None:
        """End the worker: its connections are closed, and it opens no more."""
        self._is_retired = True
        self.lose_all()

    def hang_up(self, link: Link) -> None:
        """Let the server drop a connection, whatever it is doing; its client hears of it later."""
        if link.use is not None:
            self._stop(link.use)
        self._end(link)
        if not link.is_forgotten:
            self._hear_later(self._hears, link)

    def delay(self, extra_s: float) -> None:
        """Let each round trip that begins from now on take longer than usual."""
        rtt_s, use_s = self._usual
        self._rtt_s = rtt_s + extra_s
        self._use_s = use_s + self._use_trips * extra_s

    def _end(self, link: Link) -> None:
        if self._bouncer is not None and link.is_served:
            self._bouncer.leave(link, broken=False)
        if link.has_slot:
            link.has_slot = False
            self._slots.give_back()
            self.faults.live.pop(link, None)

    def _hear_later(self, callback: Callable[[Call], None], payload: object) -> None:
        self._agenda.call(callback, self._agenda._now + self._rtt_s / 2.0, payload)

    def _hears(self, event: Call) -> None:
        link: Link = event.payload
        if not link.is_open:
            return
        now = self._agenda._now
        link.is_open = False
        if self._watches_idle:
            self._record.closed[link.row] = now
            self._record.cause[link.row] = Cause.DEAD
        use, link.use = link.use, None
        step, link.step = link.step, None
        if step is None:
            self.logic.lost(link.slot, now)
        else:
            self.logic.exchanged(link.slot, step[0], False, now)
        if use is not None:
            self._break_now(use)

    def _is_forgotten(self, link: Link) -> bool:
        """Whether a firewall has cut the connection; who uses it hears of that in the end."""
        now = self._agenda._now
        if now - link.quiet_s > self._idle_cut_s:
            link.is_forgotten = True
        if link.is_forgotten:
            self._agenda.call(self._hears, now + self._unanswered_s, link)
        return link.is_forgotten

    # ---- what the pool orders --------------------------------------------------------------------

    def open(self, slot: Slot, round_trips: int) -> None:
        """Start connecting, unless the server is down: then fail after a round trip."""
        now = self._agenda._now
        if not (self._is_retired or self.faults.refuses(now)):
            super().open(slot, round_trips)
            has_slot = slot.link not in self._refused
            self._links[slot.link] = Link(slot, self, now, has_slot=has_slot)
            return
        slot.link = self._record.open(now, NAN, self.number)
        self._links[slot.link] = Link(slot, self, now, has_slot=False)
        self._refused.add(slot.link)
        at_s = now + max(self._rtt_s, REFUSAL_S_MIN)
        self._agenda.call(self._connected, at_s, Opening(self, slot, slot.link))

    def ready(self, ok: bool) -> None:
        """Tell who waits for the pool to be made."""
        if self.on_ready is not None:
            self.on_ready(ok)

    def opened(self, slot: Slot, link: int) -> None:
        """Tell the pool that a connect succeeded or was refused, unless it was given up."""
        if slot.link == link and link not in self._refused:
            self._live(self._links[link])
        super().opened(slot, link)

    def adopt(self, slot: Slot) -> bool:
        """Give the slot a connection that is already open, if the server has room."""
        if not super().adopt(slot):
            return False
        made = self._links[slot.link] = Link(slot, self, self._agenda._now, has_slot=True)
        self._live(made)
        return True

    def exchange(
        self, slot: Slot, step: Step, round_trips: int, within_s: float | None = None
    ) -> None:
        """Let the round trips pass; fail at once on a dead connection, late on a forgotten one."""
        now, link = self._agenda._now, self._links[slot.link]
        takes_s, is_up = round_trips * self._rtt_s, True
        if step is Step.CANCEL:
            is_up = not self.faults.refuses(now)
        elif link.is_open and self._is_forgotten(link):
            takes_s = math.inf
        if not link.is_open or takes_s == 0.0:
            self.logic.exchanged(slot, step, link.is_open and is_up, now)
            return
        token = link.step = (step,)
        link.since_s = now
        ok = is_up and (within_s is None or takes_s <= within_s)
        at_s = now + (takes_s if within_s is None else min(takes_s, within_s))
        if at_s < math.inf:
            self._agenda.call(self._exchanged, at_s, (link, token, ok))

    def interrupt(self, slot: Slot) -> int:
        """Forget the conversation; say how much of it is over."""
        link = self._links[slot.link]
        link.step = None
        return int((self._agenda._now - link.since_s) / self._rtt_s) if self._rtt_s else 0

    def close(self, slot: Slot, cause: Cause) -> None:
        """Drop the connection; the server hears of it unless a firewall has cut it."""
        if slot.link < 0:
            return
        record, link = self._record, self._links.pop(slot.link)
        slot.link = -1
        link.step = None
        if math.isnan(record.closed[link.row]):
            record.closed[link.row] = self._agenda._now
            record.cause[link.row] = cause
        self._refused.discard(link.row)
        if not link.is_forgotten:
            self._end(link)
        link.is_open = False

    def reject(self, request: AnyVisit, outcome: Outcome) -> None:
        """Note the failure, or that it was cancelled; the caller goes on."""
        if self._connection[request.row] >= 0:
            self._returned[request.row] = self._agenda._now
        is_cancelled = request.row in self._cancelled
        super().reject(request, request.fate if is_cancelled else outcome)

    def next_turn_s(self, now: float) -> float:
        """Return when a task that is ready now runs: loop free, and the handover lag after that."""
        return (self._loop.free_at(now) if self._has_loop else now) + self._handover_s

    def wake(self, request: AnyVisit) -> None:
        """Let the waiter continue in its next turn."""
        if self._has_loop:
            self._wake_at(request, self.next_turn_s(self._agenda._now))
        else:
            super().wake(request)

    def _live(self, link: Link) -> None:
        link.is_open = True
        link.quiet_s = self._agenda._now
        self.faults.live[link] = None

    def _open_failed(self, slot: Slot, now: float) -> None:
        self._links.pop(slot.link)
        super()._open_failed(slot, now)

    def _exchanged(self, event: Call) -> None:
        link, token, ok = event.payload
        if link.step is token:
            now = link.quiet_s = self._agenda._now
            link.step = None
            self.logic.exchanged(link.slot, token[0], ok, now)

    def _finished(self, visit: AnyVisit) -> None:
        if math.isnan(self._returned[visit.row]):
            self._returned[visit.row] = self._agenda._now
        self._ended(visit)

    # ---- callers ---------------------------------------------------------------------------------

    def cancel(self, visit: AnyVisit) -> None:
        """Cancel a caller, whatever it is doing; one that is done is left alone."""
        now, row = self._agenda._now, visit.row
        if visit.stage is ENDED or row in self._cancelled:
            return
        self._cancelled.add(row)
        self._outcome[row] = visit.fate
        if visit in self._coming:
            self._coming.remove(visit)
            visit.stage = ENDED
            self.reject(visit, visit.fate)
        elif row in self._uses:
            use = self._uses.pop(row)
            self._stop(use)
            use.link.use = None
            self._released[row] = now
            self.logic.interrupted(visit, now)
        elif visit.stage is not HOLDING:  # else it is about to find its connection dead
            self.logic.give_up(visit, now)

    def grant(self, request: AnyVisit, slot: Slot) -> None:
        """Let the request use the connection, after a turn of the loop if that takes time."""
        now, row = self._agenda._now, request.row
        self._granted[row] = now
        self._connection[row] = slot.link
        link = self._links[slot.link]
        use = link.use = self._uses[row] = Use(request, link, self._begins)
        if self._has_loop:
            self._agenda.push(use, self._loop.visit(now))
        else:
            self._begin(use)

    def work_computed(self, use: Use) -> None:
        """Go on after the server has computed: waiting, application, round trips."""
        use.is_computing = False
        self._rest(use, (1.0 - self._cpu) * use.visit.hold_s + self._use_s)

    def _come(self, visit: AnyVisit, now: float) -> None:
        visit.idempotent = True
        if self._has_loop or self._entry_s:
            self._coming.add(visit)
            visit.callbacks = self._asks
            self._agenda.push(visit, self._loop.visit(now) + self._entry_s)
        else:
            self.logic.acquire(visit, now)

    def _acquires(self, visit: AnyVisit) -> None:
        if visit in self._coming:
            self._coming.remove(visit)
            super()._acquires(visit)

    def _begin(self, use: Use) -> None:
        link = use.link
        if use.is_over:
            return
        if not link.is_open:
            link.use = None
            self._break_now(use)
        elif self._is_forgotten(link):
            return
        elif self._bouncer is None or link.is_served:
            self.work(use)
        else:
            self._bouncer.enter(use)

    def work(self, use: Use) -> None:
        """Let the server work for a use: first compute, then the rest."""
        now, visit = self._agenda._now, use.visit
        if self._cpu:
            use.is_computing = True
            self._cores.enter(use, self._cpu * visit.hold_s, now)
        else:
            self._rest(use, visit.hold_s, self._use_s)

    def _rest(self, use: Use, work_s: float, then_s: float = 0.0) -> None:
        now = self._agenda._now
        use.callbacks = self._answers
        at_s = now + work_s + then_s + self.faults.slower_s(now, work_s)
        self._agenda.push(use, at_s)

    def _answer(self, use: Use) -> None:
        if use.is_over:
            return
        if self._bouncer is not None and not self._bouncer.keeps:
            self._bouncer.leave(use.link, broken=False)
        if self._has_loop:
            use.callbacks = self._finishes
            self._agenda.push(use, self._loop.visit(self._agenda._now))
        else:
            self._finish(use)

    def _finish(self, use: Use) -> None:
        if not use.is_over:
            use.link.use = None
            use.link.quiet_s = self._agenda._now
            del self._uses[use.visit.row]
            super()._use_ends(use.visit)

    def _stop(self, use: Use) -> None:
        use.is_over = True
        if self._bouncer is not None and use.link.is_served:
            self._bouncer.leave(use.link, broken=True)
        if use.is_computing:
            use.is_computing = False
            self._cores.drop(use, self._agenda._now)

    def _break_now(self, use: Use) -> None:
        """Let a caller find its connection dead, after what is already due."""
        self._stop(use)
        if self._uses.pop(use.visit.row, None) is not None:
            self._agenda.call(self._breaks, self._agenda._now, use.visit)

    def _breaks(self, event: Call) -> None:
        visit, now = event.payload, self._agenda._now
        row = visit.row
        self._released[row] = now
        if row not in self._cancelled:
            self._outcome[row] = Outcome.CONNECTION_LOST
        self.logic.broke(visit, now)
        if visit.stage in _SENT_AGAIN:
            self._released[row] = NAN
            self._outcome[row] = Outcome.UNFINISHED
