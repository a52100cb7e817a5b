"""One replication by the kernel: a Trace equal to the engine's to the last bit."""

import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from pools.trace import Trace
from sim.kernel.demand import Demand, draw_demand
from sim.kernel.loop import play
from sim.kernel.numbers import summary_of
from sim.kernel.room import borrowed_room
from sim.kernel.setup import Tables, tables_for
from sim.kernel.summary import Columns, Summary
from sim.limits import crowded, unserved
from sim.scenario import Scenario
from sim.workload import Arrivals


def simulate_arrays(
    scenario: Scenario, replication: int = 0, arrivals: Arrivals | None = None
) -> Trace:
    """Run one replication of a scenario that `uncovered` has nothing against."""
    drawn = draw_demand(scenario, replication) if arrivals is None else Demand.of(arrivals)
    with played(scenario, replication, drawn) as tables:
        return trace_of(tables)


def seen_in(scenario: Scenario, replication: int, demand: Demand) -> Columns:
    """Run one replication and return what happened, in columns."""
    with played(scenario, replication, demand) as tables:
        return columns_of(tables)


def summed_up(scenario: Scenario, replication: int, demand: Demand) -> Summary:
    """Run one replication and return its numbers."""
    with played(scenario, replication, demand) as tables:
        return summary_of(scenario, tables, truncated_of(tables))


@contextmanager
def played(scenario: Scenario, replication: int, demand: Demand) -> Iterator[Tables]:
    """Run to the end; start over with larger tables if one was too small.

    The tables are lent: the next run takes the same memory.
    """
    factor = 1
    with borrowed_room() as room:
        while True:
            tables = tables_for(scenario, demand, room, factor)
            play(tables.run, scenario.warm_connections)
            if not tables.run[0]["is_full"]:
                break
            factor *= 4
            if scenario.workload.is_closed:
                demand = draw_demand(scenario, replication, factor)
        yield tables


def columns_of(tables: Tables) -> Columns:
    """Return what happened, in arrays of its own: what follows is then three times as fast."""
    traced, links = _seen(tables)
    return Columns(
        traced["asked_s"].copy(),
        traced["granted_s"].copy(),
        traced["released_s"].copy(),
        traced["returned_s"].copy(),
        traced["outcome"].copy(),
        links["opening_s"].copy(),
        links["opened_s"].copy(),
        truncated_of(tables),
    )


def truncated_of(tables: Tables) -> str:
    """Say that a limit cut the run short, or that requests were left over, as the engine does."""
    run = tables.run[0]
    if not math.isnan(run["cut_s"]):
        return f"stopped at {float(run['cut_s']):.4g} s, after {run['events_most']} events"
    if not math.isnan(run["stopped_asking_s"]):
        why = crowded() if run["is_crowded"] else "at the largest number of requests"
        return f"stopped asking at {float(run['stopped_asking_s']):.4g} s, {why}"
    left = int(run["outstanding"])
    return unserved(left, float(run["now"]), float(run["ends_s"])) if left else ""


def _seen(tables: Tables) -> tuple[NDArray[np.void], NDArray[np.void]]:
    run = tables.run[0]
    return tables.traced[: int(run["asked"])], tables.links[: int(run["links"])]


def trace_of(tables: Tables) -> Trace:
    """Return what happened."""
    traced, links = _seen(tables)
    return Trace(
        asked_s=_doubles(traced["asked_s"]),
        granted_s=_doubles(traced["granted_s"]),
        released_s=_doubles(traced["released_s"]),
        returned_s=_doubles(traced["returned_s"]),
        outcome=_ints(traced["outcome"]),
        connection=_ints(traced["connection"]),
        pool=_ints(tables.requests["pool"][: len(traced)]),
        opening_s=_doubles(links["opening_s"]),
        opened_s=_doubles(links["opened_s"]),
        closed_s=_doubles(links["closed_s"]),
        cause=_ints(links["cause"]),
        owner=_ints(links["owner"]),
        truncated=truncated_of(tables),
    )


def _doubles(column: NDArray[np.float64]) -> "array[float]":
    return array("d", column.tobytes())


def _ints(column: NDArray[np.int64]) -> "array[int]":
    return array("q", column.tobytes())
