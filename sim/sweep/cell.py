"""One cell: a scenario simulated, and what a sweep shows of it, each number with its interval.

Runs in whatever process an executor has: it takes a query and gives plain values.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pools.setting import settings_of
from pools.trace import Outcome
from sim.curves import time_average
from sim.engine import simulate
from sim.estimate import mean_of, percentile_of, pooled
from sim.kernel.batch import Draws
from sim.kernel.coverage import uncovered
from sim.kernel.ready import why_not
from sim.kernel.summary import Columns
from sim.query import parse
from sim.result import Estimate
from sim.scenario import REQUESTS_MAX, Scenario
from sim.warm_up import settled_s

Array = NDArray[np.float64]
# Cells of one column differ in the pool alone: they share their requests.
_DRAWS = Draws()
_REPLICATIONS_MAX = settings_of(Scenario)["replications"].high or math.inf


@dataclass(frozen=True, slots=True)
class Run:
    """One replication, as far as a sweep looks at it.

    Waits and latencies in s of the requests asked after the warm-up, ascending;
    shares in 0..1.
    """

    wait_s: Array
    latency_s: Array
    timeout_ratio: float
    failure_ratio: float
    in_use_mean: float
    throughput_per_s: float
    opened_per_s: float


@dataclass(frozen=True, slots=True)
class Metric:
    """Something a cell can be coloured by: its name in words, its unit, how it is found."""

    title: str
    unit: str
    scale: float
    of: Callable[[Sequence[Run], float], Estimate]


def _wait(percentile: float) -> Callable[[Sequence[Run], float], Estimate]:
    return lambda runs, _: percentile_of([run.wait_s for run in runs], percentile)


def _mean(values: Array) -> float:
    return float(values.mean())


METRICS: Mapping[str, Metric] = {
    "wait_p99": Metric("Wait, p99", "ms", 1e-3, _wait(99)),
    "wait_p95": Metric("Wait, p95", "ms", 1e-3, _wait(95)),
    "wait_p50": Metric("Wait, p50", "ms", 1e-3, _wait(50)),
    "wait_mean": Metric(
        "Wait, mean", "ms", 1e-3, lambda runs, _: pooled([run.wait_s for run in runs], _mean)
    ),
    "latency_p99": Metric(
        "Latency, p99",
        "ms",
        1e-3,
        lambda runs, _: percentile_of([run.latency_s for run in runs], 99),
    ),
    "timeouts": Metric(
        "Timeouts", "%", 1e-2, lambda runs, _: mean_of([run.timeout_ratio for run in runs])
    ),
    "failures": Metric(
        "Failed requests", "%", 1e-2, lambda runs, _: mean_of([run.failure_ratio for run in runs])
    ),
    "utilisation": Metric(
        "Utilisation",
        "%",
        1e-2,
        lambda runs, capacity: mean_of([run.in_use_mean / capacity for run in runs]),
    ),
    "throughput": Metric(
        "Throughput", "/s", 1.0, lambda runs, _: mean_of([run.throughput_per_s for run in runs])
    ),
    "opened": Metric(
        "Connections opened", "/s", 1.0, lambda runs, _: mean_of([run.opened_per_s for run in runs])
    ),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of one cell after so many replications.

    `numbers` holds an Estimate for each of METRICS. `grows` says that offered load reaches
    capacity, so that waits depend on how long the run lasts. `truncated` that a limit cut it,
    `fell_back` why the SimPy engine and not the kernel played it.
    """

    query: str
    replications: int
    requests: int
    numbers: Mapping[str, Estimate]
    grows: bool = False
    truncated: bool = False
    fell_back: str = ""

    def is_known_within(self, metric: str, ratio: float, least: float) -> bool:
        """Whether half its interval is at most that share of the value, or `least`."""
        one = self.numbers[metric]
        if one.value is None or one.low is None or one.high is None:
            return False
        return (one.high - one.low) / 2.0 <= max(ratio * abs(one.value), least)


def evaluate(query: str, replications: int) -> Cell:
    """Simulate a cell. The same query and number give the same cell wherever this runs."""
    scenario = _within_limits(parse(query), replications)
    seen = [_seen(scenario, number) for number in range(scenario.replications)]
    start_s = settled_s(scenario, seen)
    runs = [_run_of(one, start_s, scenario.duration_s) for one in seen]
    capacity = float(scenario.capacity or math.nan)
    return Cell(
        query,
        scenario.replications,
        sum(len(run.wait_s) for run in runs),
        {name: metric.of(runs, capacity) for name, metric in METRICS.items()},
        grows=not scenario.workload.is_closed and scenario.offered_load >= capacity,
        truncated=any(one.truncated for one in seen),
        fell_back=uncovered(scenario),
    )


def evaluate_all(queries: Sequence[str], replications: int) -> list[Cell]:
    """Simulate some cells, one after the other."""
    return [evaluate(query, replications) for query in queries]


def _within_limits(scenario: Scenario, replications: int) -> Scenario:
    """Ask for so many replications, or as many as a scenario may have."""
    most = min(REQUESTS_MAX / max(1.0, scenario.requests_expected), _REPLICATIONS_MAX)
    return replace(scenario, replications=max(1, min(replications, int(most))))


def _seen(scenario: Scenario, replication: int) -> Columns:
    """Simulate one replication, compiled if that is possible: it makes no other difference."""
    if why_not(scenario):
        return Columns.of(simulate(scenario, replication))
    # Late, because numba alone takes as long to import as a page to show.
    from sim.kernel.simulate import seen_in  # noqa: PLC0415

    return seen_in(scenario, replication, _DRAWS.of(scenario, replication))


def _run_of(seen: Columns, start_s: float, end_s: float) -> Run:
    counted = (seen.asked_s >= start_s) & (seen.asked_s < end_s)
    ends = np.where(np.isnan(seen.granted_s), seen.released_s, seen.granted_s)
    wait = (ends - seen.asked_s)[counted]
    served = seen.outcome == Outcome.OK
    in_window = (seen.released_s >= start_s) & (seen.released_s < end_s)
    opened = seen.opened_s[~np.isnan(seen.opening_s)]
    length_s = end_s - start_s
    return Run(
        wait_s=np.sort(wait[~np.isnan(wait)]),
        latency_s=np.sort((seen.released_s - seen.asked_s)[counted & served]),
        timeout_ratio=_share(seen.outcome[counted] == Outcome.ACQUIRE_TIMEOUT),
        failure_ratio=_share(seen.outcome[counted] != Outcome.OK),
        in_use_mean=time_average(seen.granted_s, seen.returned_s, start_s, end_s),
        throughput_per_s=float((served & in_window).sum()) / length_s,
        opened_per_s=float(((opened >= start_s) & (opened < end_s)).sum()) / length_s,
    )


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if len(which) else math.nan
