"""What stands behind the pools, and how many pools there are."""

from collections.abc import Iterator
from dataclasses import dataclass

from pools.setting import Mistake, Settings, setting
from sim.capacity import Capacity
from sim.demand import OUR_CHOICE

CORES_MIN = 0.05


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
    connect_cv: float = setting(
        0.0,
        "Spread of the server's own time to open a connection: standard deviation over mean,"
        " lognormal. 0: each takes connect_ms.",
        source="0: none; SQLAlchemy 2.1 to PostgreSQL 18: 3.4 to 8.8 ms"
        " (1st to 99th percentile), about 0.2",
        low=0.0,
        high=5.0,
        step=0.1,
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
    contention: float = setting(
        0.0,
        "How much computing slows down when more queries compute than there are cores: m cores"
        " do the work of m / (1 + contention (1 - m/n)^2).",
        source="0: none; PostgreSQL 18 on 2 cores, pools of 1 to 64: 0.13",
        low=0.0,
        high=10.0,
        step=0.01,
    )
    other_cores: float = setting(
        0.0,
        "Cores that others keep busy on the same machine.",
        source=OUR_CHOICE,
        unit="cores",
        low=0.0,
        high=512.0,
        step=0.1,
    )
    serial: float = setting(
        0.0,
        "Part of computing that queries do one at a time (hot rows, locks): each other query"
        " lengthens it by this share. Sigma of the Universal Scalability Law.",
        source="N. Gunther, Guerrilla Capacity Planning; 0 unless fitted",
        low=0.0,
        high=1.0,
        step=0.01,
    )
    crosstalk: float = setting(
        0.0,
        "What each pair of computing queries costs every one of them. Kappa of the same law:"
        " above 0, more concurrency ends in less throughput.",
        source="N. Gunther, Guerrilla Capacity Planning; 0 unless fitted",
        low=0.0,
        high=1.0,
        step=0.0001,
    )
    connect_cpu_s: float = setting(
        0.0,
        "Computing that the server does for each new connection, on the cores that queries"
        " share, after the round trips and connect_ms.",
        source="0: none; asyncpg 0.32 to PostgreSQL 18: 0.8 to 1.5 ms",
        query="connect_cpu_ms",
        unit="ms",
        low=0.0,
        high=10_000.0,
        step=0.1,
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

    @property
    def capacity(self) -> Capacity:
        """How fast its computing queries advance."""
        free = self.cores - self.other_cores
        return Capacity(free, self.contention, self.serial, self.crosstalk)

    def rules(self) -> Iterator[Mistake]:
        """Require at least one usable connection, and a part of a core."""
        if self.cores - self.other_cores < CORES_MIN:
            rule = f"must be at least {CORES_MIN} below cores ({self.cores})"
            yield Mistake("other_cores", rule, f"{self.other_cores:g}")
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
