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
from sim.estimate import Groups, mean_of
from sim.kernel.batch import Draws
from sim.kernel.coverage import uncovered
from sim.kernel.keep import is_compiled
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

    Waits and latencies in s of the requests asked after the warm-up; shares in 0..1.
    """

    wait_s: Array
    latency_s: Array
    timeout_ratio: float
    failure_ratio: float
    in_use_mean: float
    throughput_per_s: float
    opened_per_s: float


@dataclass(frozen=True, slots=True)
class Runs:
    """All replications of a cell, and how many connections it may have."""

    runs: Sequence[Run]
    capacity: float
    wait_s: Groups
    latency_s: Groups

    @classmethod
    def of(cls, runs: Sequence[Run], capacity: float) -> "Runs":
        """Put replications together."""
        waits, latencies = (run.wait_s for run in runs), (run.latency_s for run in runs)
        return cls(runs, capacity, Groups.of(waits), Groups.of(latencies))

    def mean_of(self, number: str, of: float = 1.0) -> Estimate:
        """Return the mean of a number of each replication, as a share of `of`."""
        return mean_of([getattr(run, number) / of for run in self.runs])


@dataclass(frozen=True, slots=True)
class Metric:
    """Something a cell can be coloured by: its name in words, its unit, how it is found."""

    title: str
    unit: str
    scale: float
    of: Callable[[Runs], Estimate]


METRICS: Mapping[str, Metric] = {
    "wait_p99": Metric("Wait, p99", "ms", 1e-3, lambda runs: runs.wait_s.percentile(99)),
    "wait_p95": Metric("Wait, p95", "ms", 1e-3, lambda runs: runs.wait_s.percentile(95)),
    "wait_p50": Metric("Wait, p50", "ms", 1e-3, lambda runs: runs.wait_s.percentile(50)),
    "wait_mean": Metric("Wait, mean", "ms", 1e-3, lambda runs: runs.wait_s.mean()),
    "latency_p99": Metric("Latency, p99", "ms", 1e-3, lambda runs: runs.latency_s.percentile(99)),
    "timeouts": Metric("Timeouts", "%", 1e-2, lambda runs: runs.mean_of("timeout_ratio")),
    "failures": Metric("Failed requests", "%", 1e-2, lambda runs: runs.mean_of("failure_ratio")),
    "utilisation": Metric(
        "Utilisation", "%", 1e-2, lambda runs: runs.mean_of("in_use_mean", runs.capacity)
    ),
    "throughput": Metric("Throughput", "/s", 1.0, lambda runs: runs.mean_of("throughput_per_s")),
    "opened": Metric("Connections opened", "/s", 1.0, lambda runs: runs.mean_of("opened_per_s")),
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
    fell_back = uncovered(scenario)
    play = _compiled if not fell_back and is_compiled() else _interpreted
    seen = [play(scenario, number) for number in range(scenario.replications)]
    start_s = settled_s(scenario, seen)
    runs = [_run_of(one, start_s, scenario.duration_s) for one in seen]
    capacity = float(scenario.capacity or math.nan)
    together = Runs.of(runs, capacity)
    return Cell(
        query,
        scenario.replications,
        sum(len(run.wait_s) for run in runs),
        {name: metric.of(together) for name, metric in METRICS.items()},
        grows=not scenario.workload.is_closed and scenario.offered_load >= capacity,
        truncated=any(one.truncated for one in seen),
        fell_back=fell_back,
    )


def evaluate_all(queries: Sequence[str], replications: int) -> list[Cell]:
    """Simulate some cells, one after the other."""
    return [evaluate(query, replications) for query in queries]


def _within_limits(scenario: Scenario, replications: int) -> Scenario:
    """Ask for so many replications, or as many as a scenario may have."""
    most = min(REQUESTS_MAX / max(1.0, scenario.requests_expected), _REPLICATIONS_MAX)
    return replace(scenario, replications=max(1, min(replications, int(most))))


def _compiled(scenario: Scenario, replication: int) -> Columns:
    # Late, because numba alone takes as long to import as a page to show.
    from sim.kernel.simulate import seen_in  # noqa: PLC0415

    return seen_in(scenario, replication, _DRAWS.of(scenario, replication))


def _interpreted(scenario: Scenario, replication: int) -> Columns:
    """As `_compiled`, to the last bit."""
    return Columns.of(simulate(scenario, replication))


def _run_of(seen: Columns, start_s: float, end_s: float) -> Run:
    first, last = np.searchsorted(seen.asked_s, (start_s, end_s))
    counted = slice(int(first), int(last))
    asked_s, granted_s = seen.asked_s[counted], seen.granted_s[counted]
    released_s, outcome = seen.released_s[counted], seen.outcome[counted]
    wait_s = np.where(np.isnan(granted_s), released_s, granted_s) - asked_s
    served = outcome == Outcome.OK
    ended_s = seen.released_s[seen.outcome == Outcome.OK]
    opened_s = seen.opened_s[~np.isnan(seen.opening_s)]
    length_s = end_s - start_s
    return Run(
        wait_s=_known(wait_s),
        latency_s=(released_s - asked_s)[served],
        timeout_ratio=_share(outcome == Outcome.ACQUIRE_TIMEOUT),
        failure_ratio=_share(~served),
        in_use_mean=time_average(seen.granted_s, seen.returned_s, start_s, end_s),
        throughput_per_s=_count_within(ended_s, start_s, end_s) / length_s,
        opened_per_s=_count_within(opened_s, start_s, end_s) / length_s,
    )


def _known(values: Array) -> Array:
    """Return the values that are numbers."""
    unknown = np.isnan(values)
    return values[~unknown] if unknown.any() else values


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if len(which) else math.nan


def _count_within(times_s: Array, start_s: float, end_s: float) -> int:
    return int(np.count_nonzero((times_s >= start_s) & (times_s < end_s)))
