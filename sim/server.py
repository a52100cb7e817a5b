"""The server of a Script: who is connected, message by message, and what befalls them.

client                                server
open      ------ latency ------>  outage? ... authentication ... slot free?
opened    <----- latency -------  admitted (live: may be killed)
lost      <----- latency -------  killed
close     ------ latency ------>  slot free again, once nothing is running
"""

from collections.abc import Callable
from operator import methodcaller
from typing import Any

from pools.protocol import Slot, Step
from sim.agenda import Agenda, Call
from sim.capacity import Capacity
from sim.script import GRAIN_S, Outage, Script
from sim.stations import Cores, Slots


class Link:
    """One connection, as client and server each know it.

    `is_open` is the client's knowledge, `has_slot` the server's. `step` is the pool's own
    conversation under way since `since_s`, `prepared` whether the server knows the caller's
    statement, `running` the query that the server is busy with, `last` the last one it heard.
    """

    __slots__ = (
        "ended",
        "has_slot",
        "host",
        "is_open",
        "last",
        "left",
        "opening_s",
        "prepared",
        "row",
        "running",
        "since_s",
        "slot",
        "step",
        "talk",
        "world",
    )

    def __init__(self, row: int, slot: Slot, world: Any, opening_s: float, host: int) -> None:  # noqa: ANN401  a cycle of types
        """Start connecting."""
        self.row = row
        self.slot = slot
        self.world = world
        self.opening_s = opening_s
        self.host = host
        self.is_open = False
        self.left = False
        self.ended = False
        self.has_slot = False
        self.prepared = False
        self.running: Any = None
        self.last: object | None = None
        self.step: tuple[Step] | None = None
        self.since_s = opening_s
        self.talk: object | None = None


class Server:
    """What all pools of a Script share."""

    def __init__(self, script: Script, agenda: Agenda) -> None:
        """Start with nobody connected; kills are set for their times."""
        costs = script.costs
        self.latency_s = costs.latency_s
        self.rtt_s = 2.0 * costs.latency_s
        self.live: list[Link] = []
        self.slots = Slots(costs.slots)
        self.cores = Cores(agenda, Capacity(costs.cores), methodcaller("computed"), GRAIN_S)
        self._agenda = agenda
        self._costs = costs
        self._outages = [
            Outage(one.from_s + script.zero_s, one.until_s + script.zero_s, one.after_s)
            for one in script.outages
        ]
        self._reached = 0
        for kill in script.kills:
            agenda.call(self._kill, script.zero_s + kill.at_s, kill.which)

    def open(self, link: Link, round_trips: int) -> None:
        """Let a client's first message travel."""
        at_s = link.opening_s + self.latency_s
        self._agenda.call(self._reach, at_s, (link, round_trips))

    def outage_at(self, now: float) -> Outage | None:
        """Return the outage that a connect meets that reaches the server now."""
        return next((one for one in self._outages if one.from_s <= now < one.until_s), None)

    def fails_s(self, opening_s: float, outage: Outage) -> float:
        """Return when a connect that met an outage fails."""
        return opening_s + max(outage.after_s or 0.0, self.rtt_s)

    def client_leaves(self, link: Link, now: float) -> None:
        """Let the client's goodbye, or its reset, travel."""
        link.left = True
        link.is_open = False
        self.hear_leave(link, now)

    def hear_leave(self, link: Link, now: float) -> None:
        """Let a goodbye travel whose client waits for the server to hang up."""
        self._agenda.call(self._hear_leave, now + self.latency_s, link)

    def hear_cancel(self, event: Call) -> None:
        """Stop what the server is running for a connection."""
        link = event.payload
        if link.running is not None:
            link.running.stop()
            link.running = None
            if link.ended:
                self.end(link)

    def hang_up(self, link: Link) -> None:
        """Drop a connection, whatever it is running; its client hears of it later."""
        if link.running is not None:
            link.running.stop()
            link.running = None
        self.end(link)
        self._agenda.call(self._lose, self._agenda.now + self.latency_s, link)

    def end(self, link: Link) -> None:
        """Forget a connection."""
        link.ended = True
        if link.has_slot:
            link.has_slot = False
            self.live.remove(link)
            self.slots.give_back()

    def _reach(self, event: Call) -> None:
        link, round_trips = event.payload
        if link.left:
            return
        outage = self.outage_at(self._agenda.now)
        if outage is not None:
            self._agenda.call(self._refuse, self.fails_s(link.opening_s, outage), link)
            return
        ready_s = link.opening_s + round_trips * self.rtt_s - self.latency_s
        self._agenda.call(self._authenticated, ready_s, link)

    def _authenticated(self, event: Call) -> None:
        link = event.payload
        if not link.ended:
            jitter = self._costs.connect_jitter_s
            open_s = self._costs.connect_s + jitter[self._reached % len(jitter)]
            self._reached += 1
            self._agenda.call(self._admit, self._agenda.now + open_s, link)

    def _admit(self, event: Call) -> None:
        link = event.payload
        if link.ended:
            return
        answer: Callable[[Any], None] = self._refuse
        if self.slots.take():
            link.has_slot = True
            self.live.append(link)
            answer = self._welcome
        self._agenda.call(answer, self._agenda.now + self.latency_s, link)

    def _welcome(self, event: Call) -> None:
        link = event.payload
        if not link.left:
            link.is_open = True
            link.world.opened(link)

    def _refuse(self, event: Call) -> None:
        link = event.payload
        if not link.left:
            link.left = link.ended = True
            link.world.open_failed(link)

    def _hear_leave(self, event: Call) -> None:
        link = event.payload
        if link.running is None:
            self.end(link)
        else:
            link.ended = True

    def _kill(self, event: Call) -> None:
        if self.live:
            self.hang_up(self.live[event.payload % len(self.live)])

    def _lose(self, event: Call) -> None:
        link = event.payload
        if not link.left:
            link.left = True
            link.is_open = False
            link.world.lost(link)


class Query:
    """A query at the server: on the shared cores first, then beside them."""

    __slots__ = ("_agenda", "_computing", "_done", "_server", "_work_s", "is_over", "link")

    def __init__(
        self, server: Server, agenda: Agenda, link: Link, work_s: float, done: Callable[[], None]
    ) -> None:
        """Make a query for a connection; `done` is called when the server has answered."""
        self.link = link
        self.is_over = False
        self._server = server
        self._agenda = agenda
        self._work_s = work_s
        self._done = done
        self._computing = False

    def start(self, compute_s: float) -> None:
        """Begin, unless the connection is gone."""
        if self.link.ended:
            return
        self.link.running = self
        if compute_s:
            self._computing = True
            self._server.cores.enter(self, compute_s, self._agenda.now)
        else:
            self.computed()

    def computed(self) -> None:
        """Go on beside the cores."""
        self._computing = False
        self._agenda.call(self._worked, self._agenda.now + self._work_s)

    def stop(self) -> None:
        """End without an answer."""
        self.is_over = True
        if self._computing:
            self._server.cores.drop(self, self._agenda.now)

    def _worked(self, _: Call) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.link.running = None
        if self.link.ended:
            self._server.end(self.link)
        else:
            self._done()
