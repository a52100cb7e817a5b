"""SimPy carries out what pools order: one replication of a scenario, as a Trace.

    arrivals or users --acquire--> PoolLogic --orders--> PoolWorld --events--> Agenda (SimPy)
                                       ^                     |
                                       +---- opened, woken, exchanged, release ...

One `Run` holds what the pools share (server slots, cores, the record); one `PoolWorld` is the
world of one worker's pool. A request is its own event: it is re-armed from step to step.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappush
from operator import methodcaller
from typing import Any, TypeAlias

from pools.protocol import NEW
from pools.trace import Trace
from sim.agenda import NORMAL, Agenda, Call
from sim.clients import Clients
from sim.limits import Limits, unserved
from sim.record import Record
from sim.scenario import REQUESTS_MAX, Scenario
from sim.stations import Cores, Slots
from sim.users import Users
from sim.workload import Arrivals, Streams, draw, endless_connects, endless_holds
from sim.world import PoolWorld, Shared, Visit
from sim.worlds import worlds_of

# The number of a request, when it asks, how long it holds, its pool and its host.
Row: TypeAlias = tuple[int, float, float, int, int]
NEVER = math.inf
_TICK_EVERY = 2048
# Of clients that do more than wait for one checkout: each takes up to a kilobyte.
IN_PROGRESS_MAX = 50_000


def simulate(
    scenario: Scenario,
    replication: int = 0,
    arrivals: Arrivals | None = None,
    tick: Callable[[], None] | None = None,
    connects_s: Sequence[float] | None = None,
    computing_s: float = math.inf,
) -> Trace:
    """Run one replication and return its trace.

    `arrivals` replays given requests (recorded, or those of a live check) instead of drawing
    them, `connects_s` how long the server took for each connect, in turn. `tick` is
    called now and then; it may raise to cancel. After `computing_s` of
    processor time the run is cut short.
    """
    run = Run(scenario, replication, tick, connects_s, computing_s)
    if scenario.workload.is_closed and arrivals is None:
        return run.serve_users()
    return run.serve(draw(scenario, replication) if arrivals is None else arrivals)


class Run:
    """One replication: pools, server, and the requests that come."""

    def __init__(
        self,
        scenario: Scenario,
        replication: int,
        tick: Callable[[], None] | None = None,
        connects_s: Iterable[float] | None = None,
        computing_s: float = math.inf,
    ) -> None:
        """Set the stage."""
        self.scenario = scenario
        self.streams = Streams(scenario.seed, replication)
        self.agenda = Agenda()
        self.record = Record()
        cores = Cores(self.agenda, scenario.server.capacity, methodcaller("computed"))
        self.slots = Slots(_free_slots(scenario))
        ended = self.ended if scenario.is_plain else self._checked_out
        drawn_s = endless_connects(scenario.server, self.streams.connects)
        connects_s = drawn_s if connects_s is None else itertools.cycle(connects_s)
        shared = Shared(scenario, self.agenda, self.record, self.slots, cores, ended, connects_s)
        self.worlds: Sequence[Any] = worlds_of(shared, replication, self.streams)
        self._clients = None if scenario.is_plain else Clients(self)
        self._tick = tick
        # Requests in progress, and those of an open workload that are still to come.
        self._outstanding = self._planned = 0
        self._expects_more = True
        self._truncated = ""
        self._left = REQUESTS_MAX // scenario.replications
        self._rows: Iterator[Row] = iter(())
        self._coming: Call | None = None
        self._limits = Limits(self, computing_s)
        self._next_user: Callable[[int], None] | None = None

    def serve(self, arrivals: Arrivals) -> Trace:
        """Run an open workload to the end of its last request."""
        if self._clients is not None:
            self._start()
            self._clients.follow(arrivals)
            return self._finish()
        self.record.reserve(arrivals.asked_s, arrivals.pool)
        self._start()
        self._outstanding = self._planned = len(arrivals.asked_s)
        self._feed(itertools.chain.from_iterable(self._in_turns(arrivals)))
        return self._finish()

    def serve_users(self) -> Trace:
        """Run a closed loop: users ask until duration_s, then the last answers come in."""
        self._start()
        if self._clients is not None:
            self._clients.loop()
            return self._finish()
        holds = endless_holds(self.scenario.workload, self.streams.holds)

        def begin(world: PoolWorld, host: int, user: int) -> None:
            now = self.agenda._now
            row = self.record.ask(now, world.number)
            self.counts()
            self._outstanding += 1
            world.ask(Visit(row, world, next(holds), host, user), now)

        users = Users(self, begin)
        self._next_user = users.ended
        users.start()
        return self._finish()

    def enters(self) -> None:
        """Wait for one more to end before the run does."""
        self._outstanding += 1
        if self._outstanding == IN_PROGRESS_MAX:
            self.stop_asking(f"with {IN_PROGRESS_MAX} requests in progress")

    def leaves(self) -> None:
        """Wait for one less; the last one ends the run."""
        self._outstanding -= 1
        if not self._outstanding and not self._expects_more:
            self.agenda.stop()

    def counts(self) -> None:
        """Count one more checkout, of as many as a run may have."""
        self._left -= 1
        if not self._left % _TICK_EVERY:
            self._ticks()

    def is_full(self) -> bool:
        """Whether a run has as many checkouts as it may have; then the trace will say so."""
        if self._left > 0:
            return False
        self.stop_asking("at the largest number of requests")
        return True

    @property
    def in_progress(self) -> int:
        """How many requests wait for their answer."""
        if self._coming is None:
            return self._outstanding
        return self._outstanding - (self._planned - self._came(self._coming))

    def cut(self, why: str) -> None:
        """End here, whatever is under way, and say why."""
        self._truncated = f"stopped at {self.agenda._now:.4g} s, {why}"
        self.agenda.stop()

    def stop_asking(self, why: str) -> None:
        """Take no more requests, and say why."""
        self._left = 0
        never_come = sum(1 for _ in self._rows)  # who is on the way comes, nobody after that
        self._outstanding -= never_come
        self._planned -= never_come
        if not self._truncated:
            self._truncated = f"stopped asking at {self.agenda._now:.4g} s, {why}"

    def _ticks(self) -> None:
        if self._tick is not None:
            self._tick()

    def ended(self, visit: Visit) -> None:
        """Note that a caller has its answer and has released what it held."""
        self._outstanding -= 1
        if self._next_user is not None:
            self._next_user(visit.user)
        if not self._outstanding and not self._expects_more:
            self.agenda.stop()

    def _checked_out(self, visit: Visit) -> None:
        if self._clients is not None:
            self._clients.ended(visit)

    def no_more(self) -> None:
        """Expect no further requests; if none is left, this is the end."""
        self._expects_more = False

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for an answer and nobody will ask again."""
        return not self._outstanding and not self._expects_more

    def _start(self) -> None:
        for world in self.worlds:
            world.logic.start(0.0, self.scenario.warm_connections)
        self._limits.start()

    def _in_turns(self, arrivals: Arrivals) -> Iterator[Iterator[Row]]:
        """Yield some requests at a time, and tick in between."""
        columns = (arrivals.asked_s, arrivals.hold_s, arrivals.pool, arrivals.host)
        for first in range(0, len(arrivals.asked_s), _TICK_EVERY):
            if first:
                self._ticks()
            some = (column[first : first + _TICK_EVERY].tolist() for column in columns)
            yield zip(itertools.count(first), *some, strict=False)

    def _feed(self, rows: Iterator[Row]) -> None:
        agenda, worlds, self._rows = self.agenda, self.worlds, rows
        queue: Any = agenda._queue
        number = agenda.number
        new = Visit.__new__
        first = next(rows, None)
        if first is None:
            self.no_more()
            return

        def arrive(event: Call) -> None:
            row, at_s, hold_s, pool, host = event.payload
            upcoming = next(rows, None)
            if upcoming is None:
                self.no_more()
            else:
                event.payload = upcoming
                heappush(queue, (upcoming[1], NORMAL, number(), event))
            world = worlds[pool]
            visit = new(Visit)  # and what its constructor does, which would cost a call
            visit.row, visit.world, visit.host = row, world, host
            visit.hold_s, visit.user = hold_s, -1
            visit.stage, visit.expires_s = NEW, NEVER
            visit.slot = visit.timeout_s = None
            world.ask(visit, at_s)

        self._coming = Call(arrive, first)
        agenda.push(self._coming, first[1])

    def _came(self, coming: Call) -> int:
        """Return how many requests of an open workload have come: all but who is on the way."""
        row: int = coming.payload[0]
        return row if self._expects_more else row + 1

    def _finish(self) -> Trace:
        if not self.is_over:
            self.agenda.play()
        if self._truncated and self._coming is not None:
            self.record.trim(self._came(self._coming))
        calls = None if self._clients is None else self._clients.calls()
        if self._outstanding and not self._truncated:
            self._truncated = self._unserved()
        return self.record.trace(self._truncated, calls)

    def _unserved(self) -> str:
        why = "" if self._clients is None else self._clients.why_unserved()
        if why:
            return f"{self._outstanding} requests could never be served: {why}"
        return unserved(self._outstanding, self.agenda._now, self._limits.last_s)


def _free_slots(scenario: Scenario) -> float:
    if scenario.pool.serves != "database":
        return math.inf
    return max(0, scenario.server.slots - scenario.fleet.other_connections)
