"""From a Scenario to what a live check may really do: every cap is applied and said here.

The bounds keep a check short and small enough for a laptop; docs/live-check.md lists them.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pools.kinds import AiohttpConnector, AsyncpgPool, HttpxPool, Pool, PsycopgPool, SqlalchemyQueue
from pools.live import own_problems
from pools.live.preflight import Facts, HttpFacts, PostgresFacts
from pools.live.problems import LiveCheckFailed
from pools.setting import settings_of
from sim.scenario import Fleet, Scenario, Server, Workload

DURATION_S_MAX = 10.0
WARM_UP_SHARE_MAX = 0.25
RATE_PER_S_MIN, RATE_PER_S_MAX = 0.1, 200.0
PATTERNS = ("steady", "spike")
HOLD_S_MEAN_MAX = 0.5
HOLD_S_MAX = 5.0
CAPACITY_MAX = 50
SPIKE_REQUESTS_MAX = 500
SPIKE_REQUESTS_MAX_UNLIMITED = 60
OFFERED_LOAD_MAX = 30.0
CONNECT_S = 0.02
MAX_CONNECTIONS_LOW, MAX_CONNECTIONS_HIGH = 10, 500
OWN_SLOTS = 2
DRAIN_S = 8.0
OWN_HOLD_S_MAX = 0.5
OWN_REQUESTS_MAX = 410  # 500 lie more than four standard deviations above
OWN_RATE_MAX_UNPOOLED = 5.0
SET_UP_S = 30.0
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "sqlalchemy": (
        "pool_size",
        "max_overflow",
        "pool_timeout",
        "pool_recycle",
        "pool_pre_ping",
        "pool_use_lifo",
    ),
    "sqlalchemy-null": (),
    "asyncpg": (
        "min_size",
        "init_size",
        "max_size",
        "max_queries",
        "max_inactive_connection_lifetime",
        "acquire_timeout",
    ),
    "psycopg": (
        "min_size",
        "max_size",
        "timeout",
        "max_waiting",
        "max_lifetime",
        "max_idle",
        "reconnect_timeout",
        "num_workers",
        "check",
        "reset",
    ),
    "httpx": (
        "max_connections",
        "max_keepalive_connections",
        "keepalive_expiry",
        "pool_timeout",
        "connect_timeout",
    ),
    "aiohttp": ("limit", "limit_per_host", "keepalive_timeout", "force_close", "connect_timeout"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What will run: the scenario within the bounds, and in words what was changed."""

    scenario: Scenario
    notes: tuple[str, ...]
    hold_s_max: float = HOLD_S_MAX

    @property
    def deadline_s(self) -> float:
        """The time after which the check ends itself: set-up, load and drain."""
        return SET_UP_S + self.scenario.duration_s + DRAIN_S

    @property
    def server_max_connections(self) -> int:
        """The scenario's max_connections, and slots of its own for the check's observer."""
        return self.scenario.server.max_connections + OWN_SLOTS

    @property
    def server_reserved(self) -> int:
        """The scenario's reserved slots, and the observer's."""
        return self.scenario.server.reserved + OWN_SLOTS

    @property
    def role_limit(self) -> int:
        """The CONNECTION LIMIT of the role: what others on the server leave free."""
        others = self.scenario.fleet.other_connections
        return max(1, self.scenario.server.slots - others) if others else -1


def plan(
    scenario: Scenario, own: Facts | None = None, *, duration_s_max: float = DURATION_S_MAX
) -> Plan:
    """Cap a scenario to what one live check may do; one note in words for each change.

    `own` is what was found about a server that a person named; without it, the check makes
    one. Raises LiveCheckFailed for a kind whose library is not driven live, or if that server
    has no room.
    """
    notes: list[str] = []
    duration_s = _cap(scenario.duration_s, duration_s_max, "Duration", "s", notes)
    warm_up_s = _cap(scenario.warm_up_s, duration_s * WARM_UP_SHARE_MAX, "Warm-up", "s", notes)
    most = CAPACITY_MAX if own is None else _room(scenario.pool, own)
    pool = _pool(scenario.pool, most, notes)
    workload = _workload(scenario, pool, duration_s, notes)
    if own is None:
        server = _server(scenario, notes)
        fleet = _fleet(scenario, server, notes)
        warm = min(scenario.warm_connections, pool.capacity or CAPACITY_MAX)
    else:
        workload = _gentle(workload, pool, own, duration_s, notes)
        server, fleet = _own_server(most, notes), Fleet(replicas=1, workers=1)
        warm = _opened_before(pool, notes)
    made = Scenario(
        pool=pool,
        workload=workload,
        server=server,
        fleet=fleet,
        duration_s=duration_s,
        warm_up_s=warm_up_s,
        warm_connections=warm,
        replications=1,
        seed=scenario.seed,
    )
    return Plan(made, tuple(notes), HOLD_S_MAX if own is None else OWN_HOLD_S_MAX)


def pool_arguments(pool: Pool) -> dict[str, Any]:
    """Return what the real library is told, under its own names."""
    return {name: getattr(pool, name) for name in PARAMETERS[pool.name]}


def _cap(value: float, most: float, what: str, unit: str, notes: list[str]) -> float:
    if value <= most:
        return value
    notes.append(f"{what} {value:g} {unit} is cut to {most:g} {unit}.")
    return most


def _pool(pool: Pool, most: int, notes: list[str]) -> Pool:
    """Keep the pool to what the real library can be told and within `most` connections."""
    fields = {field.name: field.default for field in dataclasses.fields(pool)}
    for name in settings_of(type(pool)):
        if name not in PARAMETERS[pool.name] and getattr(pool, name) != fields[name]:
            notes.append(f"{name} is left out: the installed library runs as it is.")
            pool = dataclasses.replace(pool, **{name: fields[name]})
    return _smaller(pool, most, notes)


def _smaller(pool: Pool, most: int, notes: list[str]) -> Pool:
    if isinstance(pool, SqlalchemyQueue) and (pool.capacity or 0) > most:
        size = min(pool.pool_size, most)
        overflow = most - size
        notes.append(f"The pool is cut to pool_size={size}, max_overflow={overflow}.")
        return dataclasses.replace(pool, pool_size=size, max_overflow=overflow)
    if isinstance(pool, AsyncpgPool) and pool.max_size > most:
        notes.append(f"The pool is cut to max_size={most}.")
        return dataclasses.replace(
            pool,
            max_size=most,
            min_size=min(pool.min_size, most),
            init_size=min(pool.init_size, most),
        )
    if isinstance(pool, AiohttpConnector) and pool.limit > most:
        notes.append(f"The pool is cut to limit={most}.")
        return dataclasses.replace(pool, limit=most)
    if isinstance(pool, PsycopgPool) and (pool.capacity or 0) > most:
        notes.append(f"The pool is cut to max_size={most}.")
        return dataclasses.replace(pool, max_size=most, min_size=min(pool.min_size, most))
    if isinstance(pool, HttpxPool) and (pool.capacity or 0) > most:
        notes.append(f"The pool is cut to max_connections={most}.")
        return dataclasses.replace(pool, max_connections=most)
    return pool


def _workload(scenario: Scenario, pool: Pool, duration_s: float, notes: list[str]) -> Workload:
    load = scenario.workload
    pattern = load.pattern
    if load.is_closed:
        pattern = "steady"
        notes.append(
            "The closed loop of users is run as steady arrivals at the rate it could reach."
        )
    elif pattern not in PATTERNS:
        pattern = "steady"
        notes.append(f"The {load.pattern} arrivals are run at a steady rate of their mean.")
    hold_s = _cap(load.held_s_mean, HOLD_S_MEAN_MAX, "Mean hold", "s", notes)
    hold_distribution = load.hold_distribution
    if not load.is_hold_by_mean or hold_distribution == "pareto":
        hold_distribution = "auto"
        notes.append("Mean hold and hold_cv are kept, the shape of the holds is not.")
    spike_at_s = load.spike_at_s
    if pattern == "spike" and spike_at_s >= duration_s:
        spike_at_s = duration_s / 2
        notes.append(f"The spike is moved to {spike_at_s:g} s.")
    if not scenario.is_plain:
        notes.append(
            "Each request is one checkout of a patient client, as long as those on average."
        )
    if load.hosts > 1:
        notes.append(f"All requests go to one host instead of {load.hosts}.")
    return dataclasses.replace(
        load,
        pattern=pattern,
        rate_per_s=_rate(scenario, pool, hold_s, notes),
        hold_s_mean=hold_s,
        hold_distribution=hold_distribution,
        hold_given="mean",
        await_s_mean=0.0,
        classes="",
        spike_at_s=spike_at_s,
        spike_requests=_spike(load.spike_requests, pattern, pool, notes),
        hosts=1,
    )


def _spike(requests: int, pattern: str, pool: Pool, notes: list[str]) -> int:
    most = SPIKE_REQUESTS_MAX if pool.capacity else SPIKE_REQUESTS_MAX_UNLIMITED
    if pattern != "spike" or requests <= most:
        return requests
    notes.append(f"The spike of {requests} requests is cut to {most}.")
    return most


def _rate(scenario: Scenario, pool: Pool, hold_s: float, notes: list[str]) -> float:
    """One worker's share of the fleet's rate, within what one client can drive."""
    load, pools = scenario.workload, scenario.fleet.pools
    fleet_rate = load.rate_per_s_mean
    if load.is_closed:
        fleet_rate = load.users / (load.pause_s_mean + scenario.hold_s_mean)
    rate = fleet_rate / pools
    if pools > 1:
        notes.append(
            f"One worker of {pools} is run, with its share of the rate:"
            f" {rate:g} of {fleet_rate:g} /s."
        )
    rate = _cap(rate, RATE_PER_S_MAX, "Rate", "/s", notes)
    if pool.capacity is None:
        within = OFFERED_LOAD_MAX / (hold_s + CONNECT_S)
        rate = _cap(rate, round(within, 1), "Without a pool limit, rate", "/s", notes)
    if not rate and load.pattern != "spike":
        rate = RATE_PER_S_MIN
        notes.append(f"Rate 0 /s is raised to {rate:g} /s: a check needs requests.")
    return rate


def _server(scenario: Scenario, notes: list[str]) -> Server:
    server = scenario.server
    most = min(max(server.max_connections, MAX_CONNECTIONS_LOW), MAX_CONNECTIONS_HIGH)
    if scenario.pool.serves == "database" and most != server.max_connections:
        notes.append(f"max_connections {server.max_connections} is run as {most}.")
    notes.append(
        "The server is on this machine: the scenario's round trip and connect time are not"
        " imposed but measured, and holds are sleeps, which need no processor of the server."
    )
    reserved = min(server.reserved, most - 1)
    return dataclasses.replace(server, max_connections=most, reserved=reserved, cpu_fraction=0.0)


def _fleet(scenario: Scenario, server: Server, notes: list[str]) -> Fleet:
    others = min(scenario.fleet.other_connections, server.slots - 1)
    if others and scenario.pool.serves == "database":
        notes.append(f"The {others} connections of others are left free by a CONNECTION LIMIT.")
    return Fleet(replicas=1, workers=1, other_connections=others)


def _room(pool: Pool, own: Facts) -> int:
    """Return how many connections a pool may have at a server that a person named."""
    if (pool.serves == "database") != isinstance(own, PostgresFacts):
        raise LiveCheckFailed(own_problems.wrong_kind(pool.serves))
    if isinstance(own, HttpFacts):
        return CAPACITY_MAX
    if own.pool_most < 1:
        raise LiveCheckFailed(own_problems.too_few(own, 1))
    return min(CAPACITY_MAX, own.pool_most)


def _own_server(most: int, notes: list[str]) -> Server:
    """Model what the check may use of a server as all there is: it takes no more."""
    notes.append(f"The check takes at most {most} connections for the pool, and one to watch.")
    notes.append("The scenario's round trip and connect time are not imposed but measured.")
    return Server(max_connections=most, reserved=0, cpu_fraction=0.0)


def _gentle(
    load: Workload, pool: Pool, own: Facts, duration_s: float, notes: list[str]
) -> Workload:
    """Lower the load to what is fair to somebody's server."""
    rate, spike = load.rate_per_s, load.spike_requests
    if isinstance(own, HttpFacts):
        spike = min(spike, OWN_REQUESTS_MAX // 2)
        burst = spike if load.pattern == "spike" else 0
        rate = _cap(rate, (OWN_REQUESTS_MAX - burst) / duration_s, "Rate", "/s", notes)
        return _as_long_as_it_takes(load, own, rate, spike, notes)
    if pool.capacity is None:
        rate = _cap(rate, OWN_RATE_MAX_UNPOOLED, "Without a pool, rate", "/s", notes)
        spike = min(spike, int(OWN_RATE_MAX_UNPOOLED))
    return dataclasses.replace(load, rate_per_s=rate, spike_requests=spike)


def _as_long_as_it_takes(
    load: Workload, own: HttpFacts, rate: float, spike: int, notes: list[str]
) -> Workload:
    mean_s = min(max(own.answers.mean_s, 0.0001), HOLD_S_MAX)
    notes.append(
        f"Each request takes as long as the server takes: {mean_s * 1e3:.3g} ms when asked alone."
    )
    return dataclasses.replace(
        load,
        rate_per_s=rate,
        spike_requests=spike,
        hold_s_mean=round(mean_s, 7),
        hold_cv=round(min(own.answers.cv, 5.0), 3),
    )


def _opened_before(pool: Pool, notes: list[str]) -> int:
    """Return how many connections are opened before the load, gently."""
    capacity = pool.capacity or 0
    if capacity:
        notes.append(
            f"The pool's {capacity} connections are opened before the load, at most 10 a second."
        )
    return capacity
