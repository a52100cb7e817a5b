"""A Scenario is everything that decides a run: one value, one address, one answer."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from pools.kinds import Pool, SqlalchemyQueue
from pools.setting import Mistake, Settings, setting

OUR_CHOICE = "Poolwise's choice"
REQUESTS_MAX = 500_000
PLACES_MAX = 1_000_000
PATTERNS = ("steady", "spike", "closed")


@dataclass(frozen=True, slots=True)
class Workload(Settings):
    """Who asks for connections, how often, and how long each is held.

    The hold is the caller's own time with the connection: queries, and the application code
    between them. Round trips that the library adds (BEGIN, COMMIT, reset, pre-ping) come on
    top, from the server's round-trip time. Offered load is rate times hold, in erlangs.
    """

    pattern: str = setting(
        "steady",
        "Poisson arrivals (steady), the same with a burst on top (spike), or a fixed number"
        " of users who each wait for their answer before asking again (closed).",
        source=OUR_CHOICE,
        choices=PATTERNS,
    )
    rate_per_s: float = setting(
        200.0,
        "Mean arrival rate of requests, over the whole fleet.",
        source=OUR_CHOICE,
        query="rate",
        unit="/s",
        low=0.0,
        high=10_000.0,
        step=10.0,
    )
    users: int = setting(
        50,
        "Users in a closed loop, over the whole fleet.",
        source=OUR_CHOICE,
        unit="users",
        low=1,
        high=10_000,
        step=1,
    )
    think_s_mean: float = setting(
        100.0,
        "Mean pause between an answer and the user's next request; exponential, 0 for none.",
        source=OUR_CHOICE,
        query="think_ms",
        unit="ms",
        low=0.0,
        high=60_000.0,
        step=10.0,
    )
    spike_at_s: float = setting(
        5.0,
        "When the burst arrives, after the start of the run.",
        source=OUR_CHOICE,
        unit="s",
        low=0.0,
        high=3600.0,
        step=0.5,
    )
    spike_requests: int = setting(
        50,
        "Requests that arrive at once in the burst.",
        source="HikariCP, Welcome To The Jungle",
        unit="requests",
        low=1,
        high=100_000,
        step=1,
    )
    hold_s_mean: float = setting(
        20.0,
        "Mean time one checkout keeps a connection: its queries and the code between them.",
        source=OUR_CHOICE,
        query="hold_ms",
        unit="ms",
        low=0.1,
        high=60_000.0,
        step=1.0,
    )
    hold_cv: float = setting(
        1.0,
        "Spread of the hold, standard deviation over mean: 0 is constant, 1 exponential,"
        " any other value lognormal.",
        source=OUR_CHOICE,
        low=0.0,
        high=5.0,
        step=0.1,
    )
    hosts: int = setting(
        1,
        "Hosts that HTTP requests are spread over, evenly at random.",
        source=OUR_CHOICE,
        unit="hosts",
        low=1,
        high=100,
        step=1,
    )

    @property
    def is_closed(self) -> bool:
        """Whether users wait for their answer before asking again."""
        return self.pattern == "closed"

    def rules(self) -> Iterator[Mistake]:
        """Require arrivals."""
        if self.pattern == "steady" and self.rate_per_s == 0:
            yield Mistake("rate", "must be above 0 /s when pattern is steady", "0")


@dataclass(frozen=True, slots=True)
class Server(Settings):
    """The database, or the HTTP hosts, behind the pool."""

    rtt_s: float = setting(
        0.5,
        "Network round trip between a worker and the server.",
        source="typical within one data centre",
        query="rtt_ms",
        unit="ms",
        low=0.0,
        high=1000.0,
        step=0.1,
    )
    connect_s: float = setting(
        5.0,
        "Server's own time to open a connection (fork, authentication), on top of its round trips.",
        source="asyncpg 0.32 to PostgreSQL 18 under load: 3.5 to 4.1 ms with SCRAM",
        query="connect_ms",
        unit="ms",
        low=0.0,
        high=10_000.0,
        step=1.0,
    )
    cores: int = setting(
        4,
        "Processor cores, shared equally by the queries that are computing.",
        source=OUR_CHOICE,
        unit="cores",
        low=1,
        high=512,
        step=1,
    )
    cpu_fraction: float = setting(
        0.25,
        "Part of the hold that the server computes; the rest waits for disk, locks or the"
        " application.",
        source=OUR_CHOICE,
        low=0.0,
        high=1.0,
        step=0.05,
    )
    max_connections: int = setting(
        100,
        "PostgreSQL's max_connections. Not applied to HTTP hosts.",
        source="PostgreSQL's default",
        unit="connections",
        low=1,
        high=10_000,
        step=1,
    )
    reserved: int = setting(
        3,
        "Connections kept for superusers (superuser_reserved_connections and, from"
        " PostgreSQL 16, reserved_connections).",
        source="PostgreSQL's default",
        unit="connections",
        low=0,
        high=1000,
        step=1,
    )

    @property
    def slots(self) -> int:
        """Connections that ordinary roles may have."""
        return self.max_connections - self.reserved

    def rules(self) -> Iterator[Mistake]:
        """Require at least one usable connection."""
        if self.slots < 1:
            rule = f"must be below max_connections ({self.max_connections})"
            yield Mistake("reserved", rule, str(self.reserved))


@dataclass(frozen=True, slots=True)
class Fleet(Settings):
    """How many copies of the pool share the server. Each worker process has its own."""

    replicas: int = setting(
        1,
        "Copies of the service.",
        source=OUR_CHOICE,
        unit="replicas",
        low=1,
        high=200,
        step=1,
    )
    workers: int = setting(
        1,
        "Worker processes in each replica; each has a pool of its own.",
        source=OUR_CHOICE,
        unit="workers",
        low=1,
        high=64,
        step=1,
    )
    other_connections: int = setting(
        0,
        "Connections that others hold on the same server: migrations, cron, BI, admin.",
        source=OUR_CHOICE,
        unit="connections",
        low=0,
        high=10_000,
        step=1,
    )

    @property
    def pools(self) -> int:
        """Pools in the whole fleet."""
        return self.replicas * self.workers

    def rules(self) -> Iterator[Mistake]:
        """Bound the number of pools."""
        if self.pools > 1000:
            yield Mistake("workers", "times replicas must be at most 1000 pools", str(self.pools))


@dataclass(frozen=True, slots=True)
class Scenario(Settings):
    """A pool, its load, its server and its fleet, and how to simulate them.

    Holds no secret: it is the page's address, the cache key and the command line.
    """

    pool: Pool = field(default_factory=SqlalchemyQueue)
    workload: Workload = field(default_factory=Workload)
    server: Server = field(default_factory=Server)
    fleet: Fleet = field(default_factory=Fleet)
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
    def offered_load(self) -> float:
        """Arrival rate times mean hold over the whole fleet, in erlangs (open workloads).

        Includes the round trips that the library adds to each hold.
        """
        return self.workload.rate_per_s * self.hold_s_mean

    @property
    def hold_s_mean(self) -> float:
        """Mean time a checkout keeps a connection, library's round trips included, in s."""
        return self.workload.hold_s_mean + self.pool.hold_round_trips * self.server.rtt_s

    @property
    def capacity(self) -> int | None:
        """The most connections in use over the whole fleet, or None if unlimited."""
        one = self.pool.capacity
        return None if one is None else one * self.fleet.pools

    @property
    def requests_expected(self) -> float:
        """Requests of one replication, at most."""
        load = self.workload
        if load.is_closed:
            cycle_s = load.think_s_mean + self.hold_s_mean
            return load.users * self.duration_s / cycle_s
        burst = load.spike_requests if load.pattern == "spike" else 0
        return load.rate_per_s * self.duration_s + burst

    @property
    def _refuses_at_once(self) -> bool:
        """Whether the pool may refuse a request in the instant in which it asks."""
        return getattr(self.pool, "max_waiting", 0) > 0

    def rules(self) -> Iterator[Mistake]:
        """Bound the work of a run, and keep its parts inside it."""
        if self.workload.is_closed and not self.workload.think_s_mean and self._refuses_at_once:
            rule = "must be 0 if users do not think: who is refused would ask again at once"
            yield Mistake("max_waiting", rule, str(getattr(self.pool, "max_waiting", 0)))
        if self.warm_up_s >= self.duration_s:
            rule = f"must be below duration_s ({self.duration_s:g} s)"
            yield Mistake("warm_up_s", rule, f"{self.warm_up_s:g}")
        at_s = self.workload.spike_at_s
        if self.workload.pattern == "spike" and at_s >= self.duration_s:
            yield Mistake(
                "spike_at_s", f"must be below duration_s ({self.duration_s:g} s)", f"{at_s:g}"
            )
        total = self.requests_expected * self.replications
        if total > REQUESTS_MAX:
            rule = f"must keep the run within {REQUESTS_MAX} requests over all replications"
            name = "users" if self.workload.is_closed else "rate"
            yield Mistake(
                name, rule, f"about {math.ceil(total)}; lower {name}, duration_s or replications"
            )
        places = (self.capacity or 0) * self.replications
        if places > PLACES_MAX:
            rule = f"must keep the fleet within {PLACES_MAX} connections over all replications"
            yield Mistake("replicas", rule, f"{places}; lower replicas, workers or replications")
