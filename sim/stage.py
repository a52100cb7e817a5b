"""The world of one pool in a Script: its orders become messages to and from the server."""

import random
from collections.abc import Callable

from pools.protocol import PoolLogic, Slot, Stage, Step
from pools.protocol import Request as AnyRequest
from pools.trace import Cause, Outcome
from sim.agenda import Agenda, Call
from sim.callers import PostgresCallers, Visit
from sim.http_callers import HttpCallers
from sim.record import NAN, Record
from sim.script import Script
from sim.server import Link, Server

_WAITING = (Stage.QUEUED, Stage.WOKEN, Stage.OPENING)


class ScriptWorld:
    """Carries out one pool's orders. See pools.protocol.World for what each means."""

    logic: PoolLogic

    def __init__(
        self,
        script: Script,
        number: int,
        agenda: Agenda,
        record: Record,
        server: Server,
        ended: Callable[[Visit], None],
    ) -> None:
        """Make the pool's logic and connect it to this world."""
        self.number = number
        self.agenda = agenda
        self.record = record
        self.server = server
        self.is_ready = False
        self._ended = ended
        self._links: dict[int, Link] = {}
        self._watches_idle = script.pool.watches_idle
        self.logic = script.pool.logic(self, random.Random(script.seed))
        self.callers: HttpCallers | PostgresCallers
        if script.pool.serves == "http":
            self.callers = HttpCallers(self, script.costs.keep_alive_s)
        else:
            self.callers = PostgresCallers(
                self,
                transactions=script.pool.use_round_trips > 0,
                prepares=script.pool.prepares,
            )

    def ready(self, ok: bool) -> None:
        """Note whether the pool can be used."""
        self.is_ready = ok

    def open(self, slot: Slot, round_trips: int) -> None:
        """Start connecting."""
        now = self.agenda.now
        slot.link = self.record.open(now, NAN, self.number)
        request = slot.request
        link = Link(slot.link, slot, self, now, 0 if request is None else request.host)
        self._links[slot.link] = link
        self.server.open(link, round_trips)

    def adopt(self, slot: Slot) -> bool:
        """Have nothing to give: a Script begins with no connection open."""
        return False

    def exchange(
        self, slot: Slot, step: Step, round_trips: int, within_s: float | None = None
    ) -> None:
        """Let messages travel; answer at once if the connection is dead."""
        now, link = self.agenda.now, self._links[slot.link]
        if not link.is_open:
            self.logic.exchanged(slot, step, False, now)
            return
        token = link.step = (step,)
        link.since_s = now
        if step is Step.CANCEL:
            self._send_cancel(link, token, round_trips)
        else:
            if step is Step.CLOSE:
                self.server.hear_leave(link, now)
            at_s = now + round_trips * self.server.rtt_s
            self.agenda.call(self._exchanged, at_s, (link, token, True))
        if within_s is not None:
            self.agenda.call(self._exchanged, now + within_s, (link, token, False))

    def interrupt(self, slot: Slot) -> int:
        """Forget the conversation; say how much of it is over."""
        link = self._links[slot.link]
        link.step = None
        return int((self.agenda.now - link.since_s) / self.server.rtt_s)

    def close(self, slot: Slot, cause: Cause) -> None:
        """Drop the connection."""
        if slot.link < 0:
            return
        now, link = self.agenda.now, self._links.pop(slot.link)
        slot.link = -1
        link.step = None
        if self.record.closed[link.row] != self.record.closed[link.row]:
            self.record.closed[link.row] = now
            self.record.cause[link.row] = cause
        if not link.left:
            self.server.client_leaves(link, now)

    def grant(self, request: AnyRequest, slot: Slot) -> None:
        """Let the caller begin."""
        visit = _visit(request)
        self.record.granted[visit.row] = self.agenda.now
        self.record.connection[visit.row] = slot.link
        self.callers.begin(visit, self._links[slot.link])

    def reject(self, request: AnyRequest, outcome: Outcome) -> None:
        """Note the failure; the caller goes on."""
        visit = _visit(request)
        self.record.released[visit.row] = self.agenda.now
        if self.record.connection[visit.row] >= 0:
            self.record.returned[visit.row] = self.agenda.now
        if not visit.is_cancelled:
            self.record.outcome[visit.row] = outcome
        self._ended(visit)

    def finished(self, request: AnyRequest) -> None:
        """Let the caller go on."""
        self.record.returned[request.row] = self.agenda.now
        self._ended(_visit(request))

    def failed(self, request: AnyRequest) -> None:
        """Note that the release failed, unless something failed before; the caller goes on."""
        if self.record.outcome[request.row] == Outcome.OK:
            self.record.outcome[request.row] = Outcome.RELEASE_FAILED
        self.finished(request)

    def available(self, request: AnyRequest) -> None:
        """Do nothing: what counts here is when the caller goes on."""

    def wake(self, request: AnyRequest) -> None:
        """Let the waiter continue after what is already due."""
        self.agenda.call(self._woken, self.agenda.now, request)

    def alarm(self, request: AnyRequest, at_s: float) -> None:
        """Set a deadline."""
        self.agenda.call(self._expired, at_s, request)

    def timer(self, token: object, at_s: float) -> None:
        """Set one of the pool's own timers."""
        self.agenda.call(self._timer, at_s, token)

    def opened(self, link: Link) -> None:
        """Hear from the server that a connection can be used."""
        now = self.agenda.now
        self.record.opened[link.row] = now
        self.logic.opened(link.slot, now)

    def open_failed(self, link: Link) -> None:
        """Hear that a connect failed."""
        now = self.agenda.now
        self.record.closed[link.row] = now
        self.record.cause[link.row] = Cause.OPEN_FAILED
        self._links.pop(link.row)
        link.slot.link = -1
        self.logic.open_failed(link.slot, now)

    def lost(self, link: Link) -> None:
        """Hear that a connection is gone; first the pool, then who waits on it."""
        now = self.agenda.now
        if self._watches_idle:
            self.record.closed[link.row] = now
            self.record.cause[link.row] = Cause.DEAD
        step, link.step = link.step, None
        if step is not None:
            self.logic.exchanged(link.slot, step[0], False, now)
        else:
            self.logic.lost(link.slot, now)
        self.callers.lost(link)

    def _send_cancel(self, link: Link, token: tuple[Step], round_trips: int) -> None:
        """Connect (which an outage may prevent), then send a CancelRequest."""
        now, server = self.agenda.now, self.server

        def reaches(_: Call) -> None:
            outage = server.outage_at(self.agenda.now)
            if outage is not None:
                failed_s = server.fails_s(now, outage)
                self.agenda.call(self._exchanged, failed_s, (link, token, False))
                return
            self.agenda.call(sends, now + (round_trips - 1) * server.rtt_s)
            self.agenda.call(self._exchanged, now + round_trips * server.rtt_s, (link, token, True))

        def sends(_: Call) -> None:
            if link.step is token:
                self.agenda.call(server.hear_cancel, self.agenda.now + server.latency_s, link)

        self.agenda.call(reaches, now + server.latency_s)

    def _exchanged(self, event: Call) -> None:
        link, token, ok = event.payload
        if link.step is token:
            link.step = None
            self.logic.exchanged(link.slot, token[0], ok, self.agenda.now)

    def _woken(self, event: Call) -> None:
        self.logic.woken(event.payload, self.agenda.now)

    def _expired(self, event: Call) -> None:
        if event.payload.stage in _WAITING:
            self.logic.expired(event.payload, self.agenda.now)

    def _timer(self, event: Call) -> None:
        self.logic.timer(event.payload, self.agenda.now)


def _visit(request: AnyRequest) -> Visit:
    assert isinstance(request, Visit)  # noqa: S101  narrows the type; logic hands requests back
    return request
