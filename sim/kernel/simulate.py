"""One replication by the kernel: a Trace equal to the engine's to the last bit."""

import math
from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pools.kinds import SqlalchemyNull, SqlalchemyQueue
from pools.trace import Cause, Trace
from sim.kernel.loop import play
from sim.kernel.state import (
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
)
from sim.kernel.summary import Columns
from sim.scenario import Scenario
from sim.worker import LOOP_VISITS
from sim.workload import Arrivals, draw


class Played(NamedTuple):
    """A run and its tables."""

    run: NDArray[np.void]
    requests: NDArray[np.void]
    links: NDArray[np.void]
    slots: NDArray[np.void]
    pools: NDArray[np.void]
    events: NDArray[np.void]
    jobs: NDArray[np.void]
    speeds: NDArray[np.void]

    def introduce(self) -> None:
        """Tell the run where its tables are."""
        row = self.run[0]
        for name in self._fields[1:]:
            row[f"{name}_at"] = getattr(self, name).ctypes.data
        for name in ("links", "slots", "events", "jobs"):
            row[f"{name}_max"] = len(getattr(self, name))
        row["pools"] = len(self.pools)


def simulate_arrays(
    scenario: Scenario, replication: int = 0, arrivals: Arrivals | None = None
) -> Trace:
    """Run one replication of a scenario that `covers` accepts."""
    drawn = draw(scenario, replication) if arrivals is None else arrivals
    return trace_of(played(scenario, drawn))


def played(scenario: Scenario, arrivals: Arrivals) -> Played:
    """Run an open workload to its end; start over with larger tables if one was too small."""
    factor = 1
    while True:
        tables = _tables(scenario, arrivals, factor)
        play(tables.run, scenario.warm_connections)
        if not tables.run[0]["is_full"]:
            return tables
        factor *= 4


def _tables(scenario: Scenario, arrivals: Arrivals, factor: int) -> Played:
    """Return tables for a run. Memory that is not used costs nothing."""
    count, pools = len(arrivals.asked_s), scenario.fleet.pools
    warm = scenario.warm_connections * pools
    made = Played(
        run=_run_row(scenario, count),
        requests=_request_rows(arrivals),
        links=np.empty(factor * (2 * count + warm + 1), LINK),
        slots=np.empty(factor * (count + warm + 1), SLOT),
        pools=_pool_rows(pools),
        events=np.empty(factor * (count + 8 * pools + 64), EVENT),
        jobs=np.empty(factor * (2 * count + 1), EVENT),
        speeds=_speed_rows(factor * (2 * count + 2)),
    )
    made.introduce()
    return made


def _request_rows(arrivals: Arrivals) -> NDArray[np.void]:
    rows = np.empty(len(arrivals.asked_s), REQUEST)
    rows["asked_s"], rows["hold_s"] = arrivals.asked_s, arrivals.hold_s
    rows["pool"] = arrivals.pool
    return rows


def _speed_rows(count: int) -> NDArray[np.void]:
    """Return room for the speeds by number of jobs. Of nobody, none."""
    rows = np.empty(count, NUMBER)
    rows[0] = 0.0
    return rows


def _pool_rows(count: int) -> NDArray[np.void]:
    rows = np.zeros(count, POOL)
    for name in ("waiters", "last_waiter", "alarms", "last_alarm"):
        rows[name] = NONE
    for name in ("idle", "last_idle", "mutex", "last_in_mutex"):
        rows[name] = NONE
    return rows


def _run_row(scenario: Scenario, requests: int) -> NDArray[np.void]:
    row = np.zeros(1, RUN)
    pool, server, worker = scenario.pool, scenario.server, scenario.worker
    values: dict[str, float] = {
        "requests": requests,
        "expects_more": 1,
        "runs_on": NONE,
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
    if isinstance(pool, SqlalchemyQueue):
        values |= {
            "kind": QUEUE_POOL,
            "size": pool.pool_size,
            "overflow_max": -1 if pool.pool_size == 0 else pool.max_overflow,
            "timeout_s": pool.pool_timeout,
            "recycle_s": pool.pool_recycle,
            "pre_ping": pool.pool_pre_ping,
            "lifo": pool.pool_use_lifo,
            "surplus": Cause.OVERFLOW,
        }
    elif isinstance(pool, SqlalchemyNull):
        values |= {
            "kind": NULL_POOL,
            "overflow_max": -1,
            "recycle_s": -1.0,
            "surplus": Cause.NOT_POOLED,
        }
    for name, value in values.items():
        row[name] = value
    return row


def _free_slots(scenario: Scenario) -> float:
    if scenario.pool.serves != "database":
        return math.inf
    return max(0, scenario.server.slots - scenario.fleet.other_connections)


def columns_of(tables: Played) -> Columns:
    """Return what happened, as views of the tables."""
    requests, links = tables.requests, tables.links[: int(tables.run[0]["links"])]
    return Columns(
        requests["asked_s"],
        requests["granted_s"],
        requests["released_s"],
        requests["returned_s"],
        requests["outcome"],
        links["opening_s"],
        links["opened_s"],
        truncated_of(tables),
    )


def truncated_of(tables: Played) -> str:
    """Say that requests were left over, as the engine does."""
    left = int(tables.run[0]["outstanding"])
    return f"{left} requests could never be served" if left else ""


def trace_of(tables: Played) -> Trace:
    """Return what happened."""
    requests, links = tables.requests, tables.links[: int(tables.run[0]["links"])]
    return Trace(
        asked_s=_doubles(requests["asked_s"]),
        granted_s=_doubles(requests["granted_s"]),
        released_s=_doubles(requests["released_s"]),
        returned_s=_doubles(requests["returned_s"]),
        outcome=_ints(requests["outcome"]),
        connection=_ints(requests["connection"]),
        pool=_ints(requests["pool"]),
        opening_s=_doubles(links["opening_s"]),
        opened_s=_doubles(links["opened_s"]),
        closed_s=_doubles(links["closed_s"]),
        cause=_ints(links["cause"]),
        owner=_ints(links["owner"]),
        truncated=truncated_of(tables),
    )


def _doubles(column: NDArray[np.float64]) -> "array[float]":
    return array("d", column.tobytes())


def _ints(column: NDArray[np.int32]) -> "array[int]":
    return array("q", column.astype(np.int64).tobytes())
