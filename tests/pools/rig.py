"""A small world in virtual time that drives one pool's logic, keeps a story and checks each order.

No SimPy and no randomness: a heap of (time, order of scheduling, what to call). Whatever a pool
orders is checked at once against what every pool must keep: a connection is lent to one request
at a time, opened and closed once, a request ends once, a waiter is woken in turn, alarms lie
ahead. `quiet` is called whenever an instant is over, before time moves on.
"""

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush

from pools.kinds import Pool
from pools.protocol import Request, Slot, Stage, Step
from pools.trace import Cause, Outcome

HORIZON_S = 1_000.0
EVENTS_MAX = 20_000
# Closing for these reasons takes a place less, and SQLAlchemy tells nobody.
FREES_ROOM = (Cause.OVERFLOW, Cause.ABORTED, Cause.DEAD)
WAITING = (Stage.QUEUED, Stage.WOKEN, Stage.OPENING)
# A robbed waiter goes back to the tail of its queue (asyncio.Queue), or to the front.
REQUEUES_AT_FRONT = frozenset({"aiohttp", "httpx"})
# aiohttp lends an idle connection without a look at its limit; each host may have idle ones.
LENDS_IDLE_BEYOND_LIMIT = frozenset({"aiohttp"})


class Link(Enum):
    """Where a connection stands."""

    OPENING = "opening"
    OPEN = "open"
    DEAD = "dead"
    CLOSED = "closed"


@dataclass(slots=True)
class Story:
    """What happened to one request. Times in seconds, None for never."""

    request: Request
    asked_s: float
    hold_s: float
    idempotent: bool = False
    granted_s: float | None = None
    link: int = -1
    released_s: float | None = None
    available_s: float | None = None
    finished_s: float | None = None
    rejected_s: float | None = None
    outcome: Outcome | None = None
    grants: int = 0
    ends: int = 0

    @property
    def wait_s(self) -> float:
        assert self.granted_s is not None, f"request {self.request.row} was never granted"
        return self.granted_s - self.asked_s


@dataclass(slots=True)
class Wire:
    """What happened to one connection."""

    slot: Slot
    opening_s: float
    state: Link = Link.OPENING
    opened_s: float | None = None
    closed_s: float | None = None
    cause: Cause | None = None
    lent_to: int = -1
    requests: list[int] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    talk: tuple[Step] | None = None
    talk_s: float = 0.0


class Rig:
    """Drives one pool. `connect_s` and `rtt_s` are the world's durations, in seconds.

    `refuses(n)` says whether the server refuses the n-th connect (from 0); `slots` bounds how
    many connections it takes at once.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        connect_s: float = 0.01,
        rtt_s: float = 0.0,
        slots: float = math.inf,
        refuses: Callable[[int], bool] = lambda number: False,
        quiet: Callable[["Rig"], None] = lambda rig: None,
        seed: int = 1,
    ) -> None:
        self.pool = pool
        self.now = 0.0
        self.connect_s = connect_s
        self.rtt_s = rtt_s
        self.slots = slots
        self.refuses = refuses
        self.quiet = quiet
        self.stories: dict[int, Story] = {}
        self.wires: list[Wire] = []
        self.log: list[tuple[float, str, int]] = []
        self.lost_wakes = 0
        self.silent_frees = 0
        self.queues: dict[int, deque[Request]] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self.logic = pool.logic(self, random.Random(seed))

    # ---- what a test does -------------------------------------------------------------------

    def start(self, warm: int = 0) -> None:
        """Begin the run."""
        self.logic.start(0.0, warm)

    def ask(
        self,
        at_s: float,
        hold_s: float,
        *,
        host: int = 0,
        timeout_s: float | None = None,
        give_up_after_s: float | None = None,
        idempotent: bool = False,
    ) -> Story:
        """Let a request ask at that time, and its caller be cancelled some time later."""
        request = Request(len(self.stories), host, timeout_s)
        request.idempotent = idempotent
        story = self.stories[request.row] = Story(request, at_s, hold_s, idempotent)
        self.at(at_s, lambda: self._acquire(request))
        if give_up_after_s is not None:
            self.at(at_s + give_up_after_s, lambda: self._cancel(story))
        return story

    def kill(self, at_s: float, pick: int = 0) -> None:
        """Let the server drop one open connection; `pick` chooses which."""
        self.at(at_s, lambda: self._kill(pick))

    def at(self, at_s: float, call: Callable[[], None]) -> None:
        """Call something at that time, after what is already due then."""
        self._sequence += 1
        heappush(self._agenda, (at_s, self._sequence, call))

    def run(self, until_s: float = HORIZON_S) -> None:
        """Let everything happen, up to a horizon."""
        for _ in range(EVENTS_MAX):
            if not self._agenda or self._agenda[0][0] > until_s:
                self.quiet(self)
                return
            at_s, _, call = heappop(self._agenda)
            if at_s > self.now:
                self.quiet(self)
                self.now = at_s
            call()
        raise AssertionError(f"still busy after {EVENTS_MAX} events at {self.now} s")

    # ---- what a test asks -------------------------------------------------------------------

    def count(self, *states: Link) -> int:
        """Count connections in those states."""
        return sum(wire.state in states for wire in self.wires)

    @property
    def opened(self) -> int:
        """Connections that were opened during the run."""
        return sum(wire.opened_s is not None and wire.opening_s >= 0 for wire in self.wires)

    @property
    def taken(self) -> int:
        """Places that are taken: by requests, and by what is done for nobody or behind backs."""
        by_requests = sum(
            story.request.stage in (Stage.OPENING, Stage.HOLDING, Stage.RETURNING)
            and story.available_s is None
            for story in self.stories.values()
        )
        for_nobody = sum(
            wire.slot.request is None and (wire.state is Link.OPENING or wire.talk is not None)
            for wire in self.wires
        )
        return by_requests + for_nobody

    @property
    def limit(self) -> float:
        """Places that may be taken at once."""
        if self.pool.capacity is None:
            return math.inf
        hosts = len({story.request.host for story in self.stories.values()})
        beyond = max(1, hosts) if self.pool.name in LENDS_IDLE_BEYOND_LIMIT else 1
        return self.pool.capacity * beyond

    @property
    def idle(self) -> int:
        """Connections that lie in the pool; one that is being reset or closed does not."""
        return sum(
            w.state in (Link.OPEN, Link.DEAD) and w.slot.request is None and w.talk is None
            for w in self.wires
        )

    def queued(self) -> list[Story]:
        """Return the requests that queue."""
        return [s for s in self.stories.values() if s.request.stage is Stage.QUEUED]

    # ---- orders -----------------------------------------------------------------------------

    def open(self, slot: Slot, round_trips: int) -> None:
        """Connect for a while, or be refused."""
        assert slot.link < 0, "opens a slot that has a connection"
        number = len(self.wires)
        wire = Wire(slot, self.now)
        self.wires.append(wire)
        slot.link = number
        refused = self.refuses(number) or self._alive() > self.slots
        takes_s = self.connect_s + round_trips * self.rtt_s
        self._note("open", number)
        assert self.taken <= self.limit, f"{self.taken} places taken of {self.limit}"
        self.at(self.now + takes_s, lambda: self._connected(wire, number, refused))

    def adopt(self, slot: Slot) -> bool:
        """Give a connection from before the run."""
        assert slot.link < 0, "adopts into a slot that has a connection"
        if self._alive() >= self.slots:
            return False
        slot.link = len(self.wires)
        self.wires.append(Wire(slot, -1.0, Link.OPEN, opened_s=-1.0))
        return True

    def exchange(
        self, slot: Slot, step: Step, round_trips: int, within_s: float | None = None
    ) -> None:
        """Talk to the server for a while; a dead server does not answer well."""
        assert slot.link >= 0, f"talks ({step.name}) on a slot without a connection"
        wire = self.wires[slot.link]
        assert wire.state in (Link.OPEN, Link.DEAD), f"talks on a connection {wire.state.value}"
        assert wire.talk is None, f"talks ({step.name}) while another conversation goes on"
        takes_s = round_trips * self.rtt_s
        in_time = within_s is None or takes_s <= within_s
        self._note(step.name.lower(), slot.link)
        wire.steps.append(step)
        if takes_s == 0.0 or wire.state is Link.DEAD:
            self.logic.exchanged(slot, step, wire.state is Link.OPEN, self.now)
            return
        token = wire.talk = (step,)
        wire.talk_s = self.now
        ends_s = self.now + (takes_s if in_time or within_s is None else within_s)
        self.at(ends_s, lambda: self._exchanged(wire, token, in_time))

    def interrupt(self, slot: Slot) -> int:
        """Forget the conversation; say how much of it is over."""
        wire = self.wires[slot.link]
        wire.talk = None
        return int((self.now - wire.talk_s) / self.rtt_s) if self.rtt_s else 0

    def close(self, slot: Slot, cause: Cause) -> None:
        """Drop a connection, if the slot has one."""
        if slot.link < 0:
            return
        wire = self.wires[slot.link]
        assert wire.state is not Link.CLOSED, f"closes connection {slot.link} twice"
        wire.state, wire.closed_s, wire.cause = Link.CLOSED, self.now, cause
        wire.lent_to, wire.talk = -1, None
        self._note("close", slot.link)
        slot.link = -1
        if cause in FREES_ROOM:
            self.silent_frees += 1

    def grant(self, request: Request, slot: Slot) -> None:
        """Lend a connection; its caller releases it after the hold."""
        story, wire = self.stories[request.row], self.wires[slot.link]
        again = request.idempotent != story.idempotent
        assert story.granted_s is None or again, f"request {request.row} is granted twice"
        assert story.ends == 0, f"request {request.row} is granted after its end"
        assert request.stage is Stage.HOLDING, f"a granted request is {request.stage}"
        assert wire.state in (Link.OPEN, Link.DEAD), f"lends a connection {wire.state.value}"
        assert wire.lent_to < 0, f"connection {slot.link} is lent to two requests"
        wire.lent_to = request.row
        wire.requests.append(request.row)
        story.grants += 1
        story.granted_s, story.link, story.released_s = self.now, slot.link, None
        story.available_s = None
        self._note("grant", request.row)
        assert self.taken <= self.limit, f"{self.taken} places taken of {self.limit}"
        use = story.grants
        self.at(self.now + story.hold_s, lambda: self._release(story, use))

    def reject(self, request: Request, outcome: Outcome) -> None:
        """End a request that got nothing."""
        story = self.stories[request.row]
        assert story.granted_s is None or story.grants, f"request {request.row} has a connection"
        assert request.stage is Stage.ENDED, f"a rejected request is {request.stage}"
        self._end(story)
        story.rejected_s, story.outcome = self.now, outcome
        self._note(outcome.name.lower(), request.row)

    def finished(self, request: Request) -> None:
        """End a request that was served, or was cancelled while it was."""
        story = self.stories[request.row]
        assert story.released_s is not None, f"request {request.row} ends before its release"
        assert request.stage is Stage.ENDED, f"a finished request is {request.stage}"
        self._end(story)
        story.finished_s = self.now
        story.outcome = story.outcome or Outcome.OK

    def failed(self, request: Request) -> None:
        """End a request whose release failed."""
        self.stories[request.row].outcome = Outcome.RELEASE_FAILED
        self.finished(request)

    def ready(self, ok: bool) -> None:
        """Note nothing: a run of this world begins with `start`."""

    def available(self, request: Request) -> None:
        """Note that a place can be used again."""
        story = self.stories[request.row]
        assert story.available_s is None, f"the place of request {request.row} comes free twice"
        story.available_s = self.now

    def wake(self, request: Request) -> None:
        """Tell a waiter at this instant, after what is already due."""
        assert request.stage is Stage.WOKEN, f"wakes a request that is {request.stage}"
        queue = self.queues[request.host]
        first = next(r for r in queue if r is request or r.stage is Stage.QUEUED)
        assert first is request, f"request {request.row} is woken before request {first.row}"
        queue.remove(request)
        self.at(self.now, lambda: self._woken(request))

    def alarm(self, request: Request, at_s: float) -> None:
        """Tell a request when its time is over."""
        assert at_s >= self.now, f"sets an alarm in the past: {at_s} < {self.now}"

        def ring() -> None:
            if request.stage in WAITING:
                self.logic.expired(request, self.now)

        self.at(at_s, ring)

    def timer(self, token: object, at_s: float) -> None:
        """Call the pool back."""
        assert at_s >= self.now, f"sets a timer in the past: {at_s} < {self.now}"
        self.at(at_s, lambda: self.logic.timer(token, self.now))

    # ---- what happens -----------------------------------------------------------------------

    def _acquire(self, request: Request) -> None:
        self._note("ask", request.row)
        self.logic.acquire(request, self.now)
        self._note_queue(request)

    def _woken(self, request: Request) -> None:
        if request.stage is not Stage.WOKEN:
            self.lost_wakes += 1
        self.logic.woken(request, self.now)
        if self._is_beyond_the_limit(request.host):
            self.lost_wakes += 1
        if request.stage is Stage.QUEUED:
            self.lost_wakes += 1
            queue = self.queues[request.host]
            (queue.appendleft if self.pool.name in REQUEUES_AT_FRONT else queue.append)(request)

    def _is_beyond_the_limit(self, host: int) -> bool:
        """Whether two were woken for one place, and both took one (aiohttp 3.10)."""
        limit = getattr(self.pool, "limit_per_host", 0)
        busy = (Stage.OPENING, Stage.HOLDING)
        of_host = [s for s in self.stories.values() if s.request.host == host]
        return bool(limit) and sum(s.request.stage in busy for s in of_host) > limit

    def _note_queue(self, request: Request, *, at_front: bool = False) -> None:
        if request.stage is Stage.QUEUED:
            queue = self.queues.setdefault(request.host, deque())
            (queue.appendleft if at_front else queue.append)(request)

    def _cancel(self, story: Story) -> None:
        """Cancel the caller, whatever it is doing; it waits for an answer while it holds."""
        request = story.request
        self._note("cancel", request.row)
        if request.stage in WAITING or request.stage is Stage.RETURNING:
            self.logic.give_up(request, self.now)
        elif request.stage is Stage.HOLDING and story.released_s is None:
            story.outcome = Outcome.CANCELLED
            self._let_go(story)
            self.logic.interrupted(request, self.now)

    def _release(self, story: Story, use: int) -> None:
        if story.released_s is None and story.grants == use:
            self._let_go(story)
            self._note("release", story.request.row)
            self.logic.release(story.request, self.now)

    def _break(self, story: Story, use: int) -> None:
        """Let the caller find its connection dead."""
        if story.released_s is None and story.grants == use:
            story.outcome = Outcome.CONNECTION_LOST
            self._let_go(story)
            self.logic.broke(story.request, self.now)
            self._note_queue(story.request)

    def _let_go(self, story: Story) -> None:
        story.released_s = self.now
        self.wires[story.link].lent_to = -1

    def _end(self, story: Story) -> None:
        story.ends += 1
        assert story.ends == 1, f"request {story.request.row} ends twice"

    def _exchanged(self, wire: Wire, token: tuple[Step], ok: bool) -> None:
        if wire.talk is token:
            wire.talk = None
            self.logic.exchanged(wire.slot, token[0], ok, self.now)

    def _connected(self, wire: Wire, number: int, refused: bool) -> None:
        if wire.slot.link != number:
            return
        if refused:
            wire.state, wire.closed_s, wire.cause = Link.CLOSED, self.now, Cause.OPEN_FAILED
            wire.slot.link = -1
            self.silent_frees += 1
            self._note("refused", number)
            self.logic.open_failed(wire.slot, self.now)
        else:
            wire.state, wire.opened_s = Link.OPEN, self.now
            self._note("opened", number)
            self.logic.opened(wire.slot, self.now)

    def _kill(self, pick: int) -> None:
        """Drop an open connection: first its pool hears of it, then who waits on it."""
        live = [wire for wire in self.wires if wire.state is Link.OPEN]
        if not live:
            return
        wire = live[pick % len(live)]
        wire.state = Link.DEAD
        self._note("kill", self.wires.index(wire))
        story = self.stories.get(wire.lent_to)
        talk, wire.talk = wire.talk, None
        if talk is not None:
            self.logic.exchanged(wire.slot, talk[0], False, self.now)
            return
        self.logic.lost(wire.slot, self.now)
        if story is not None:
            use = story.grants
            self.at(self.now, lambda: self._break(story, use))

    def _alive(self) -> int:
        return self.count(Link.OPENING, Link.OPEN)

    def _note(self, what: str, which: int) -> None:
        self.log.append((self.now, what, which))
