"""A Scenario is everything that decides a run: one value, one address, one answer."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pools.kinds import Pool, SqlalchemyQueue
from pools.setting import Mistake, Settings, setting
from sim.backend import Fleet, Server
from sim.client import Client
from sim.demand import OUR_CHOICE, Workload
from sim.failures import Failures, starts_in_time
from sim.goal import Goal
from sim.pooler import Pooler
from sim.worker import Worker

__all__ = [
    "PARTS",
    "PLACES_MAX",
    "REQUESTS_MAX",
    "Client",
    "Failures",
    "Fleet",
    "Goal",
    "Pooler",
    "Scenario",
    "Server",
    "Worker",
    "Workload",
]

REQUESTS_MAX = 500_000
PLACES_MAX = 1_000_000
# What a scenario is made of beside its pool and its own fields: field name and class. Query
# names, the page's controls and docs/settings.md follow this order.
PARTS: Mapping[str, type[Settings]] = {
    "workload": Workload,
    "server": Server,
    "fleet": Fleet,
    "client": Client,
    "worker": Worker,
    "pooler": Pooler,
    "failures": Failures,
    "goal": Goal,
}


@dataclass(frozen=True, slots=True)
class Scenario(Settings):
    """A pool, its load, its server and its fleet, how to simulate them, and what is wanted.

    Holds no secret: it is the page's address, the cache key and the command line.
    """

    pool: Pool = field(default_factory=SqlalchemyQueue)
    workload: Workload = field(default_factory=Workload)
    server: Server = field(default_factory=Server)
    fleet: Fleet = field(default_factory=Fleet)
    client: Client = field(default_factory=Client)
    worker: Worker = field(default_factory=Worker)
    pooler: Pooler = field(default_factory=Pooler)
    failures: Failures = field(default_factory=Failures)
    goal: Goal = field(default_factory=Goal)
    duration_s: float = setting(
        12.0,
        "Simulated time in which requests arrive; the run then ends when all are answered.",
        source=OUR_CHOICE,
        unit="s",
        low=0.5,
        high=3600.0,
        step=0.5,
    )
    warm_up_s: float = setting(
        2.0,
        "Start of the run that is left out of the numbers (not of the chart).",
        source="a pool at 80 % utilisation needs 1 to 5 s to settle",
        unit="s",
        low=0.0,
        high=600.0,
        step=0.5,
    )
    warm_connections: int = setting(
        0,
        "Connections each pool already has when the run begins.",
        source="SQLAlchemy and aiohttp open lazily",
        unit="connections",
        low=0,
        high=500,
        step=1,
    )
    replications: int = setting(
        10,
        "Independent repetitions; the intervals come from how far they differ.",
        source=OUR_CHOICE,
        unit="runs",
        low=1,
        high=200,
        step=1,
    )
    seed: int = setting(
        1,
        "Start of all random streams: same seed, same answer.",
        source=OUR_CHOICE,
        low=0,
        high=2**31 - 1,
        step=1,
    )

    @property
    def without_goal(self) -> "Scenario":
        """The same run, whatever is wanted of it."""
        return self if self.goal == Goal() else replace(self, goal=Goal())

    @property
    def offered_load(self) -> float:
        """Mean arrival rate times mean hold over the whole fleet, in erlangs (open workloads).

        Includes what library and worker add to each hold.
        """
        load = self.workload
        return load.rate_per_s_mean * load.checkouts_mean * self.hold_s_mean

    @property
    def is_plain(self) -> bool:
        """Whether each request is one checkout of a client that waits, asks once and returns."""
        return self.workload.is_plain and self.client.is_patient

    @property
    def hold_s_mean(self) -> float:
        """Mean time a checkout keeps a connection, library and worker included, in s."""
        trips_s = self.pool.hold_round_trips * self.server.rtt_s
        return self.workload.held_s_mean + trips_s + self.worker.hold_s

    @property
    def loop_use(self) -> float:
        """Mean use of each worker's event loop, 0 to 1, or above: overload (open workloads)."""
        return self.workload.rate_per_s_mean * self.worker.loop_cpu_s / self.fleet.pools

    @property
    def loses_connections(self) -> bool:
        """Whether connections may be lost in the middle of something."""
        return self.failures.any or self.has_pooler

    @property
    def has_pooler(self) -> bool:
        """Whether a PgBouncer stands between the pools and the server."""
        return self.pooler.pgbouncer and self.pool.serves == "database"

    @property
    def capacity(self) -> int | None:
        """The most connections in use over the whole fleet, or None if unlimited."""
        one = self.pool.capacity
        return None if one is None else one * self.fleet.pools

    @property
    def requests_expected(self) -> float:
        """Checkouts of one replication, at most; retries left out."""
        load = self.workload
        if load.is_closed:
            once_s = sum(one.share * one.lasts_s for one in load.request_classes)
            extra_s = self.hold_s_mean - load.held_s_mean
            cycle_s = load.pause_s_mean + once_s + extra_s * load.checkouts_mean
            asked = load.users * load.checkouts_mean * self.duration_s / cycle_s
            return min(asked, self._servable)
        return load.requests_max(self.duration_s) * load.checkouts_mean

    @property
    def _servable(self) -> float:
        """Checkouts that the pools can serve, where nobody gives up and asks again sooner."""
        load = self.workload
        if self.capacity is None or self.pool.wait_s_max is not None:
            return math.inf
        if not self.client.is_patient:
            return math.inf
        users = load.users * load.checkouts_mean
        return self.capacity * self.duration_s / self.hold_s_mean + users

    @property
    def _refuses_at_once(self) -> bool:
        """Whether the pool may refuse a request in the instant in which it asks."""
        return getattr(self.pool, "max_waiting", 0) > 0

    def rules(self) -> Iterator[Mistake]:
        """Bound the work of a run, and keep its parts inside it."""
        if self.workload.is_closed and not self.workload.pause_s_mean and self._refuses_at_once:
            rule = "must be 0 if users do not think: who is refused would ask again at once"
            yield Mistake("max_waiting", rule, str(getattr(self.pool, "max_waiting", 0)))
        if self.warm_up_s >= self.duration_s:
            rule = f"must be below duration_s ({self.duration_s:g} s)"
            yield Mistake("warm_up_s", rule, f"{self.warm_up_s:g}")
        yield from starts_in_time(self.failures, self.duration_s)
        at_s = self.workload.spike_at_s
        if self.workload.pattern == "spike" and at_s >= self.duration_s:
            yield Mistake(
                "spike_at_s", f"must be below duration_s ({self.duration_s:g} s)", f"{at_s:g}"
            )
        total = self.requests_expected * self.replications
        if total > REQUESTS_MAX:
            rule = f"must keep the run within {REQUESTS_MAX} requests over all replications"
            load = self.workload
            name = "users" if load.is_closed else "rate"
            if load.pattern == "ramp" and load.ramp_rate_per_s > load.rate_per_s:
                name = "ramp_rate"
            yield Mistake(
                name, rule, f"about {math.ceil(total)}; lower {name}, duration_s or replications"
            )
        places = (self.capacity or 0) * self.replications
        if places > PLACES_MAX:
            rule = f"must keep the fleet within {PLACES_MAX} connections over all replications"
            yield Mistake("replicas", rule, f"{places}; lower replicas, workers or replications")
