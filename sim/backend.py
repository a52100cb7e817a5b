"""What stands behind the pools, and how many pools there are."""

from collections.abc import Iterator
from dataclasses import dataclass

from pools.setting import Mistake, Settings, setting
from sim.demand import OUR_CHOICE


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
