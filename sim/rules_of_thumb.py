"""What rules of thumb say for a workload: pure functions, each with where the rule is from.

Each answers in connections of one pool, as somebody would who follows it; `None` where it says
nothing (a rule about a database for an HTTP client, an open load's rule for a closed loop).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pools.kinds import KINDS
from sim.scenario import Scenario
from sim.theory import smallest_capacity

CONNECTIONS_MAX = 500
WAIT_HOLDS_MAX = 0.5


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of thumb: `says` is its answer, `why` what is right or wrong with it."""

    name: str
    formula: str
    source: str
    why: str
    says: Callable[[Scenario], int | None]


def busy(scenario: Scenario) -> float:
    """Return the connections in use on average in one pool if nobody waits: Little's law."""
    load = scenario.workload
    if not load.is_closed:
        return scenario.offered_load / scenario.fleet.pools
    cycle_s = load.pause_s_mean + scenario.hold_s_mean
    return load.users * scenario.hold_s_mean / cycle_s / scenario.fleet.pools


def little(scenario: Scenario) -> int | None:
    """Return rate times hold, times 1.5."""
    return _whole(1.5 * busy(scenario))


def little_double(scenario: Scenario) -> int | None:
    """Return rate times hold, times 2."""
    return _whole(2.0 * busy(scenario))


def cores_twice(scenario: Scenario) -> int | None:
    """Return cores x 2 + 1 spindle, shared by the pools; it is about active connections."""
    return _of_database(scenario, 2 * scenario.server.cores + 1)


def cores_four_times(scenario: Scenario) -> int | None:
    """Return cores x 4, shared by the pools."""
    return _of_database(scenario, 4 * scenario.server.cores)


def concurrent_by_queries(scenario: Scenario) -> int | None:
    """Return (concurrent requests / queries per request) x 1.5, with one query in each hold.

    Concurrent requests are taken as the rule's own examples do: all requests of a second, or
    all users.
    """
    load = scenario.workload
    concurrent = load.users if load.is_closed else load.rate_per_s_mean
    return _whole(1.5 * concurrent / scenario.fleet.pools)


def erlang_c(scenario: Scenario) -> int | None:
    """Return the smallest M/M/c whose p99 wait is within the goal, or half a hold."""
    if scenario.workload.is_closed:
        return None
    load = busy(scenario)
    if load >= CONNECTIONS_MAX:
        return CONNECTIONS_MAX
    hold_s = scenario.hold_s_mean
    wait_s = scenario.goal.wait_s_p99_max or WAIT_HOLDS_MAX * hold_s
    return smallest_capacity(load / hold_s, hold_s, 99.0, wait_s)


def square_root(scenario: Scenario) -> int | None:
    """Return a + 2 sqrt(a): about 3 in 100 wait at all."""
    load = busy(scenario)
    return _whole(load + 2.0 * math.sqrt(load))


def default(scenario: Scenario) -> int | None:
    """Return what the library has if nothing is set."""
    return KINDS[scenario.pool.name]().capacity


RULES: tuple[Rule, ...] = (
    Rule(
        "Little × 1.5",
        "rate × hold × 1.5",
        "calcsimpler and others",
        "The mean is right; room for chance grows with its root, not in proportion.",
        little,
    ),
    Rule(
        "Little × 2",
        "rate × hold × 2",
        "pooling guides for async Python",
        "As above: short for small pools, long for large ones.",
        little_double,
    ),
    Rule(
        "cores × 2 + 1",
        "cores × 2 + spindles",
        "PostgreSQL wiki; HikariCP wiki",
        "Active connections of the whole database; it knows no rate and no wait.",
        cores_twice,
    ),
    Rule(
        "cores × 4",
        "cores × 4",
        "CockroachDB and TiDB docs",
        "Near the peak of throughput on one published host; it knows no rate and no wait.",
        cores_four_times,
    ),
    Rule(
        "(concurrent ÷ queries) × 1.5",
        "(concurrent requests ÷ queries per request) × 1.5",
        "a widely used pooling guide",
        "Takes requests in a second for requests at once, and divides where it should multiply.",
        concurrent_by_queries,
    ),
    Rule(
        "Erlang C",
        "smallest M/M/c whose p99 wait is within the goal",
        "Kleinrock, Queueing Systems vol. 1 (1975)",
        "Exact for exponential holds and steady arrivals; knows no connect, ping or shared cores.",
        erlang_c,
    ),
    Rule(
        "square root",
        "load + 2 × √load",
        "Halfin and Whitt, Operations Research 29 (1981)",
        "The right shape; how many may wait is fixed, not asked.",
        square_root,
    ),
    Rule(
        "library default",
        "nothing set",
        "the library",
        "Chosen by people who do not know your load.",
        default,
    ),
)


def _whole(connections: float) -> int:
    return min(CONNECTIONS_MAX, max(1, math.ceil(connections)))


def _of_database(scenario: Scenario, connections: int) -> int | None:
    if scenario.pool.serves != "database":
        return None
    return _whole(connections / scenario.fleet.pools)
