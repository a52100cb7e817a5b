"""Scenarios to start from, each with when it is yours and where its numbers come from.

Sizes named small, medium and high load are those commonly given in pooling guides for async
Python services; the load beside them is the one they are meant for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A named scenario: when to start from it, its source, and its query."""

    name: str
    when: str
    source: str
    query: str


_GUIDES = "sizes commonly given in pooling guides; load chosen to fit"
PRESETS: tuple[Preset, ...] = (
    Preset(
        name="Defaults",
        when="A SQLAlchemy engine as it comes, under 200 requests a second.",
        source="SQLAlchemy's defaults; PostgreSQL's defaults",
        query="",
    ),
    Preset(
        name="Small service",
        when="An internal API or admin backend: tens of requests a second.",
        source=_GUIDES,
        query="pool_size=5&max_overflow=5&pool_pre_ping=true&pool_recycle=3600&rate=60&hold_ms=30",
    ),
    Preset(
        name="Medium service",
        when="A public API with a steady few hundred requests a second.",
        source=_GUIDES,
        query=(
            "pool_size=20&max_overflow=10&pool_timeout=15&pool_pre_ping=true&pool_recycle=1800"
            "&rate=300&hold_ms=50&cores=8"
        ),
    ),
    Preset(
        name="High load",
        when="A busy API near the server's limit, where pre-ping is worth a second thought.",
        source=_GUIDES,
        query=(
            "pool_size=50&max_overflow=30&pool_timeout=5&pool_recycle=900"
            "&rate=1000&hold_ms=50&cores=16&duration_s=20&replications=3"
        ),
    ),
    Preset(
        name="asyncpg service",
        when="asyncpg without an ORM: a floor of warm connections and a timeout on acquire().",
        source="asyncpg's defaults, with the acquire timeout that it leaves out",
        query="kind=asyncpg&acquire_timeout=2&rate=400&hold_ms=15",
    ),
    Preset(
        name="aiohttp limit too low",
        when="A client that fans out to one API through far fewer connections than it has calls.",
        source="khora issues 511 and 544: 10 connections to a host under 200 concurrent calls",
        query=(
            "kind=aiohttp&limit=10&pattern=closed&users=200&think_ms=50&hold_ms=100"
            "&hold_cv=0.5&connect_ms=20&rtt_ms=10&cores=64&cpu_fraction=0.05"
        ),
    ),
    Preset(
        name="HikariCP's spike",
        when="Fifty requests at once meet five idle connections, and connecting is slow.",
        source="HikariCP wiki, Welcome To The Jungle: 150 ms to connect, 2 ms of work",
        query=(
            "max_overflow=45&pattern=spike&rate=0&spike_requests=50&spike_at_s=0.5&hold_ms=2"
            "&hold_cv=0&connect_ms=150&rtt_ms=0&cores=64&cpu_fraction=0&warm_connections=5"
            "&duration_s=1&warm_up_s=0&replications=20"
        ),
    ),
    Preset(
        name="Looping workers",
        when="A hundred workers that ask again at once, on a pool of ten.",
        source="asyncpg issue 1247: pool of 10, hold 200 ms, no pause between",
        query=(
            "kind=asyncpg&acquire_timeout=10&pattern=looping&users=100&hold_ms=200"
            "&hold_cv=0&cpu_fraction=0&duration_s=20"
        ),
    ),
    Preset(
        name="Bursts",
        when="Ten times the traffic for a second at a time, and quiet between.",
        source=_GUIDES,
        query="pattern=bursty&rate=150&burst_factor=10&burst_share=0.1&hold_ms=30",
    ),
    Preset(
        name="Nested checkouts",
        when="Requests that hold one connection while they ask for a second: the pool locks up.",
        source="fastapi issue 3205: a dependency's session, and another in the endpoint",
        query="kind=asyncpg&classes=1:2n20&rate=150&duration_s=5&warm_up_s=0",
    ),
    Preset(
        name="Held across an LLM call",
        when="The session of the request stays open while a language model answers.",
        source="mem0 issue 6236: 1 ms of queries, 20 to 40 s of model",
        query=(
            "rate=2&hold_ms=1&await_ms=30000&pool_timeout=10&duration_s=120&warm_up_s=30"
            "&replications=5"
        ),
    ),
    Preset(
        name="Retry storm",
        when="Clients give up after a second and ask again: a short burst keeps the service down.",
        source="Bronson and others, Metastable Failures in Distributed Systems (HotOS 2021)",
        query=(
            "kind=asyncpg&max_size=10&acquire_timeout=5&pattern=spike&rate=350&spike_requests=1500"
            "&client_timeout_ms=1000&abandoned=carried_on&retries=3&duration_s=20&replications=3"
        ),
    ),
    Preset(
        name="NullPool",
        when="Serverless, or PgBouncer in front: every checkout connects anew.",
        source="SQLAlchemy, Using Connection Pools with Multiprocessing; PgBouncer set-ups",
        query="kind=sqlalchemy-null&rate=100&hold_ms=20",
    ),
)
