"""The tables of a run, filled from a scenario."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pools.kinds import AiohttpConnector, AsyncpgPool, Pool, SqlalchemyQueue
from pools.trace import Cause
from sim import limits
from sim.kernel.agenda import NEAR_MAX
from sim.kernel.demand import Demand
from sim.kernel.room import Room
from sim.kernel.state import (
    AIOHTTP,
    ASYNCPG,
    EVENT,
    LINK,
    NEVER,
    NONE,
    NULL_POOL,
    NUMBER,
    POOL,
    QUEUE_POOL,
    REQUEST,
    RUN,
    SLOT,
    TABLES,
    TRACED,
)
from sim.scenario import REQUESTS_MAX, Scenario
from sim.worker import LOOP_VISITS

Values = dict[str, float]


class Tables(NamedTuple):
    """A run and its tables; waits and latencies are filled when it is over."""

    run: NDArray[np.void]
    requests: NDArray[np.void]
    traced: NDArray[np.void]
    links: NDArray[np.void]
    slots: NDArray[np.void]
    pools: NDArray[np.void]
    near: NDArray[np.void]
    far: NDArray[np.void]
    jobs: NDArray[np.void]
    speeds: NDArray[np.void]
    asks: NDArray[np.float64]
    holds: NDArray[np.float64]
    owners: NDArray[np.int64]
    thinks: NDArray[np.float64]
    waits: NDArray[np.float64]
    latencies: NDArray[np.float64]

    def introduce(self) -> None:
        """Tell the run where its tables are, and how many rows they have."""
        tables = [getattr(self, name) for name in TABLES]
        row = self.run.view(np.int64)
        row[: len(tables)] = [table.ctypes.data for table in tables]
        row[len(tables) : 2 * len(tables)] = [len(table) for table in tables]


def tables_for(scenario: Scenario, demand: Demand, room: Room, factor: int) -> Tables:
    """Return tables for a run, in that room: `factor` times what it probably needs."""
    count, pools = len(demand.hold_s), scenario.fleet.pools
    guess = factor * (2 * count if _always_opens(scenario.pool) else count // 4)
    held = pools * (scenario.warm_connections + getattr(scenario.pool, "max_size", 0))
    made = Tables(
        run=_before(scenario).copy().view(RUN),
        requests=room.table("requests", count, REQUEST),
        traced=room.table("traced", count, TRACED),
        links=room.table("links", guess + factor * (held + 64), LINK),
        slots=room.table("slots", guess + factor * (held + 64), SLOT),
        pools=_pool_rows(pools),
        near=room.table("near", NEAR_MAX, EVENT),
        far=room.table("far", guess + factor * (held + 8 * pools + 64), EVENT),
        jobs=room.table("jobs", guess + 64, EVENT),
        speeds=room.table("speeds", guess + 65, NUMBER),
        asks=demand.asked_s,
        holds=demand.hold_s,
        owners=demand.pool,
        thinks=demand.thinks_s,
        waits=room.table("waits", count, np.dtype(np.float64)),
        latencies=room.table("latencies", count, np.dtype(np.float64)),
    )
    made.speeds[0] = 0.0
    row = made.run[0]
    row["events_most"], row["in_progress_most"] = limits.EVENTS_MAX, limits.IN_PROGRESS_MAX
    made.introduce()
    return made


def _always_opens(pool: Pool) -> bool:
    """Whether each request connects, so that there are as many connections as requests."""
    return pool.capacity is None or getattr(pool, "force_close", False)


def _pool_rows(count: int) -> NDArray[np.void]:
    rows = np.zeros(count, POOL)
    for name in ("waiters", "last_waiter", "alarms", "last_alarm"):
        rows[name] = NONE
    for name in ("idle", "last_idle", "mutex", "last_in_mutex"):
        rows[name] = NONE
    return rows


@lru_cache(maxsize=64)
def _before(scenario: Scenario) -> NDArray[np.uint8]:
    """Return a run before it begins, the same for every replication, as bytes: fast to copy."""
    return _run_row(scenario).view(np.uint8)


def _run_row(scenario: Scenario) -> NDArray[np.void]:
    row = np.zeros(1, RUN)
    pool, server, worker = scenario.pool, scenario.server, scenario.worker
    values: Values = {
        "pools": scenario.fleet.pools,
        "expects_more": 1,
        "runs_on": NONE,
        "asks_now": NONE,
        "next_arrival_s": NEVER,
        "rtt_s": server.rtt_s,
        "connect_s": server.connect_s,
        "use_s": pool.use_round_trips * server.rtt_s + worker.overhead_s,
        "cpu": server.cpu_fraction,
        "cores": server.capacity.cores,
        "contention": server.capacity.contention,
        "serial": server.capacity.serial,
        "crosstalk": server.capacity.crosstalk,
        "connect_cpu_s": server.connect_cpu_s,
        "slots_free": _free_slots(scenario),
        "due_s": NEVER,
        "speeds": 1,
        "has_loop": worker.loop_cpu_s > 0.0,
        "visit_s": worker.loop_cpu_s / LOOP_VISITS,
        "entry_s": worker.entry_s,
        "handover_s": worker.handover_s,
    }
    values |= _user_values(scenario) | _limit_values(scenario) | _pool_values(pool)
    for name, value in values.items():
        row[name] = value
    return row


def _user_values(scenario: Scenario) -> Values:
    """As sim.engine's _Users."""
    users = scenario.workload.users if scenario.workload.is_closed else 0
    return {
        "users": users,
        "users_left": users,
        "hops": scenario.pool.release_hops(explicit=False),
        "until_s": scenario.duration_s,
        "asks_left": REQUESTS_MAX // scenario.replications,
        "stopped_asking_s": math.nan,
    }


def _limit_values(scenario: Scenario) -> Values:
    """As sim.limits' Limits."""
    return {
        "look_s": scenario.duration_s / limits.LOOKS,
        "ends_s": scenario.duration_s + limits.AFTER_S,
        "cut_s": math.nan,
    }


def _pool_values(pool: Pool) -> Values:
    """As the constructors of the pools' logic."""
    match pool:
        case SqlalchemyQueue():
            return {
                "kind": QUEUE_POOL,
                "size": pool.pool_size,
                "overflow_max": -1 if pool.pool_size == 0 else pool.max_overflow,
                "timeout_s": pool.pool_timeout,
                "recycle_s": pool.pool_recycle,
                "pre_ping": pool.pool_pre_ping,
                "lifo": pool.pool_use_lifo,
                "surplus": Cause.OVERFLOW,
            }
        case AsyncpgPool():
            return {
                "kind": ASYNCPG,
                "size": pool.max_size,
                "least": pool.min_size if pool.has_floor else 0,
                "at_start": pool.connections_at_start,
                "timeout_s": pool.acquire_timeout or NEVER,
                "max_queries": pool.max_queries,
                "idle_s": pool.max_inactive_connection_lifetime,
                "prefers_live": pool.has_floor,
            }
        case AiohttpConnector():
            return {
                "kind": AIOHTTP,
                "size": pool.limit,
                "host_limit": pool.limit_per_host,
                "timeout_s": pool.connect_timeout or NEVER,
                "idle_s": pool.keepalive_timeout,
                "force_close": pool.force_close,
                "never_overtakes": pool.version == "3.10",
                "lifo": pool.version != "3.11",
            }
        case _:
            return {
                "kind": NULL_POOL,
                "overflow_max": -1,
                "recycle_s": -1.0,
                "surplus": Cause.NOT_POOLED,
            }


def _free_slots(scenario: Scenario) -> float:
    if scenario.pool.serves != "database":
        return math.inf
    return max(0, scenario.server.slots - scenario.fleet.other_connections)
