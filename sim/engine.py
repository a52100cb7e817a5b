"""SimPy carries out what pools order: one replication of a scenario, as a Trace.

    arrivals or users --acquire--> PoolLogic --orders--> PoolWorld --events--> Agenda (SimPy)
                                       ^                     |
                                       +---- opened, woken, exchanged, release ...

One `Run` holds what the pools share (server slots, cores, the record); one `PoolWorld` is the
world of one worker's pool. A request is its own event: it is re-armed from step to step.
"""

import math
from collections.abc import Callable, Iterator
from operator import methodcaller

from pools.trace import Trace
from sim.agenda import Agenda, Call
from sim.record import Record
from sim.scenario import REQUESTS_MAX, Scenario
from sim.stations import Cores, Slots
from sim.workload import Arrivals, Streams, draw, endless_holds, endless_thinks
from sim.world import Shared, Visit
from sim.worlds import worlds_of

_TICK_EVERY = 2048


def simulate(
    scenario: Scenario,
    replication: int = 0,
    arrivals: Arrivals | None = None,
    tick: Callable[[], None] | None = None,
) -> Trace:
    """Run one replication and return its trace.

    `arrivals` replays given requests (recorded, or those of a live check) instead of drawing
    them. `tick` is called now and then; it may raise to cancel.
    """
    run = Run(scenario, replication, tick)
    if scenario.workload.is_closed and arrivals is None:
        return run.serve_users()
    return run.serve(draw(scenario, replication) if arrivals is None else arrivals)


class Run:
    """One replication: pools, server, and the requests that come."""

    def __init__(
        self, scenario: Scenario, replication: int, tick: Callable[[], None] | None = None
    ) -> None:
        """Set the stage."""
        self.scenario = scenario
        self.streams = Streams(scenario.seed, replication)
        self.agenda = Agenda()
        self.record = Record()
        cores = Cores(self.agenda, scenario.server.capacity, methodcaller("computed"))
        self.slots = Slots(_free_slots(scenario))
        shared = Shared(scenario, self.agenda, self.record, self.slots, cores, self.ended)
        self.worlds = [*worlds_of(shared, replication, self.streams)]
        self._tick = tick
        self._outstanding = 0
        self._expects_more = True
        self._truncated = ""
        self._next_user: Callable[[Visit], None] | None = None

    def serve(self, arrivals: Arrivals) -> Trace:
        """Run an open workload to the end of its last request."""
        asked, pool = arrivals.asked_s.tolist(), arrivals.pool.tolist()
        self.record.reserve(asked, pool)
        rows = zip(asked, arrivals.hold_s.tolist(), pool, arrivals.host.tolist(), strict=True)
        self._start()
        self._feed(iter(rows))
        return self._finish()

    def serve_users(self) -> Trace:
        """Run a closed loop: users ask until duration_s, then the last answers come in."""
        users = _Users(self)
        self._next_user = users.ended
        self._start()
        users.start()
        return self._finish()

    def ask(self, now: float, visit: Visit) -> None:
        """Put one request to its pool."""
        if not visit.row % _TICK_EVERY:
            self._ticks()
        self._outstanding += 1
        visit.world.ask(visit, now)

    def _ticks(self) -> None:
        if self._tick is not None:
            self._tick()

    def ended(self, visit: Visit) -> None:
        """Note that a caller has its answer and has released what it held."""
        self._outstanding -= 1
        if self._next_user is not None:
            self._next_user(visit)
        if not self._outstanding and not self._expects_more:
            self.agenda.stop()

    def no_more(self) -> None:
        """Expect no further requests; if none is left, this is the end."""
        self._expects_more = False

    def truncate(self, why: str) -> None:
        """Say that a limit cut the run short."""
        self._truncated = why

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for an answer and nobody will ask again."""
        return not self._outstanding and not self._expects_more

    def _start(self) -> None:
        for world in self.worlds:
            world.logic.start(0.0, self.scenario.warm_connections)

    def _feed(self, rows: Iterator[tuple[float, float, int, int]]) -> None:
        agenda, worlds = self.agenda, self.worlds
        first = next(rows, None)
        if first is None:
            self.no_more()
            return
        count = 0

        def arrive(event: Call) -> None:
            nonlocal count
            at_s, hold_s, pool, host = event.payload
            upcoming = next(rows, None)
            if upcoming is None:
                self.no_more()
            else:
                event.callbacks, event.payload = callbacks, upcoming
                agenda.push(event, upcoming[0])
            world = worlds[pool]
            visit = Visit(count, world, hold_s, host, -1)
            count += 1
            if not count % _TICK_EVERY:
                self._ticks()
            self._outstanding += 1
            world.ask(visit, at_s)

        callbacks = (arrive,)
        agenda.call(arrive, first[0], first)

    def _finish(self) -> Trace:
        if not self.is_over:
            self.agenda.run()
        if self._outstanding and not self._truncated:
            self._truncated = f"{self._outstanding} requests could never be served"
        return self.record.trace(self._truncated)


class _Users:
    """The users of a closed loop: think, ask, wait for the answer, think again."""

    def __init__(self, run: Run) -> None:
        """Share the users out over the pools in turn."""
        scenario = run.scenario
        self._run = run
        self._hosts = scenario.workload.hosts
        self._host_rng = run.streams.hosts
        self._count = scenario.workload.users
        self._until_s = scenario.duration_s
        self._hops = scenario.pool.release_hops(explicit=False)
        self._holds = endless_holds(scenario.workload, run.streams.holds)
        self._thinks = endless_thinks(scenario.workload, run.streams.thinks)
        self._left = REQUESTS_MAX // scenario.replications

    def start(self) -> None:
        """Let every user think once first, so that they do not come all at once."""
        for user in range(self._count):
            self._run.agenda.call(self._asks, next(self._thinks), user)

    def ended(self, visit: Visit) -> None:
        """Let the user think, unless the day is over.

        Who does not think asks again before the waiter that the release woke, or after it, as
        the library has it.
        """
        agenda, think_s = self._run.agenda, next(self._thinks)
        at_s = agenda._now + think_s
        if at_s >= self._until_s or self._left <= 0:
            self._leave()
        elif think_s or self._hops:
            agenda.call(self._asks, at_s, visit.user)
        else:
            self._ask(visit.user)

    def _asks(self, event: Call) -> None:
        self._ask(event.payload)

    def _ask(self, user: int) -> None:
        run = self._run
        now = run.agenda._now
        if now >= self._until_s or self._left <= 0:
            self._leave()
            if run.is_over:
                run.agenda.stop()
            return
        self._left -= 1
        if not self._left:
            run.truncate(f"stopped asking at {now:.4g} s, at the largest number of requests")
        world = run.worlds[user % len(run.worlds)]
        host = int(self._host_rng.integers(self._hosts)) if self._hosts > 1 else 0
        row = run.record.ask(now, world.number)
        run.ask(now, Visit(row, world, next(self._holds), host, user))

    def _leave(self) -> None:
        self._count -= 1
        if not self._count:
            self._run.no_more()


def _free_slots(scenario: Scenario) -> float:
    if scenario.pool.serves != "database":
        return math.inf
    return max(0, scenario.server.slots - scenario.fleet.other_connections)
