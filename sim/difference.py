"""Two scenarios under the same load: what changes, and how sure that is.

Both see the same arrivals and holds (common random numbers), so that what they share falls out
of the difference. Its interval is a delete-one-pair jackknife over pairs of replications.
Sources: Law, Simulation Modeling and Analysis (2015), sec. 11.2; Shao and Tu (1995), sec. 2.3.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pools.trace import Outcome, Trace
from sim.curves import time_average
from sim.engine import simulate
from sim.estimate import BEYOND_MIN
from sim.measure import Window
from sim.result import Estimate
from sim.scenario import Scenario
from sim.theory import student_t
from sim.warm_up import settles, settling_s

Array = NDArray[np.float64]
Play = Callable[[Scenario, int], Trace]
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Seen:
    """One replication, as far as two are compared: times in s, the rest per replication."""

    wait_s: Array
    latency_s: Array
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """The other scenario's number less the first one's; `one` and `other` are the values."""

    one: float
    other: float
    change: Estimate

    @property
    def is_sure(self) -> bool:
        """Whether the interval of the change leaves out 0."""
        low, high = self.change.low, self.change.high
        return low is not None and high is not None and (low > 0.0 or high < 0.0)


def difference(
    one: Scenario,
    other: Scenario,
    tick: Callable[[], None] | None = None,
    play: Play | None = None,
) -> dict[str, Difference]:
    """Return by name what the other scenario changes: waits, latencies, ratios, rates.

    Names: wait_s_mean, wait_s_p50, ..., latency_s_p99, timeout_ratio, failed_ratio,
    in_use_mean, throughput_per_s, opened_per_s. A number that too few requests show is left
    out. Both run with the first one's seed and are counted over the same time.
    """
    window, count = common_window(one, other), min(one.replications, other.replications)
    run = play or (lambda made, number: simulate(made, number, tick=tick))
    seen = [
        [seen_in(run(made, number), window) for number in range(count)]
        for made in (one, replace(other, seed=one.seed))
    ]
    return compared(*seen)


def common_window(one: Scenario, other: Scenario) -> Window:
    """Return what is counted of both: from when both have settled, until the first ends."""
    end_s = min(one.duration_s, other.duration_s)
    least_s = max(one.warm_up_s, other.warm_up_s)
    settled_s = max(settling_s(made) if settles(made) else 0.0 for made in (one, other))
    return Window(max(least_s, min(settled_s, end_s / 2.0)), end_s)


def compared(one: Sequence[Seen], other: Sequence[Seen]) -> dict[str, Difference]:
    """Return the differences between two sets of replications, paired."""
    found: dict[str, Difference] = {}
    for field in ("wait_s", "latency_s"):
        groups = [[getattr(seen, field) for seen in side] for side in (one, other)]
        for name, statistic, least in _STATISTICS:
            if all(sum(map(len, side)) >= least for side in groups):
                found[f"{field}_{name}"] = paired(groups[0], groups[1], statistic)
    for name in one[0].numbers:
        values = [[np.asarray([seen.numbers[name]]) for seen in side] for side in (one, other)]
        found[name] = paired(values[0], values[1], _mean)
    return found


def paired(
    one: Sequence[Array], other: Sequence[Array], statistic: Callable[[Array], float]
) -> Difference:
    """Return the change of a statistic of all values, with its paired jackknife interval."""
    values = [statistic(np.concatenate(side)) for side in (one, other)]
    change = values[1] - values[0]
    count = len(one)
    if count < 2:
        return Difference(values[0], values[1], Estimate(change))
    without = np.asarray(
        [_without(other, k, statistic) - _without(one, k, statistic) for k in range(count)]
    )
    spread = float(((without - without.mean()) ** 2).sum())
    half = student_t(count - 1) * math.sqrt((count - 1) / count * spread)
    return Difference(values[0], values[1], Estimate(change, change - half, change + half))


def _without(side: Sequence[Array], k: int, statistic: Callable[[Array], float]) -> float:
    return statistic(np.concatenate([*side[:k], *side[k + 1 :]]))


def _mean(values: Array) -> float:
    return float(values.mean())


def _percentile(percentile: int) -> Callable[[Array], float]:
    return lambda values: float(np.percentile(values, percentile))


# Name, what it is of all values, the least number of values.
_STATISTICS: tuple[tuple[str, Callable[[Array], float], float], ...] = (
    ("mean", _mean, 1),
    *((f"p{p}", _percentile(p), BEYOND_MIN * 100.0 / (100 - p)) for p in PERCENTILES),
)


def seen_in(trace: Trace, window: Window) -> Seen:
    """Keep of one replication what two scenarios are compared by."""
    asked, granted, released, returned = (
        np.asarray(column)
        for column in (trace.asked_s, trace.granted_s, trace.released_s, trace.returned_s)
    )
    counted = (asked >= window.start_s) & (asked < window.end_s)
    outcome = np.asarray(trace.outcome)
    wait = (np.where(np.isnan(granted), released, granted) - asked)[counted]
    ok = outcome == Outcome.OK
    opened = np.asarray(trace.opened_s)[~np.isnan(np.asarray(trace.opening_s))]
    in_window = (released >= window.start_s) & (released < window.end_s)
    numbers = {
        "timeout_ratio": _share(outcome[counted] == Outcome.ACQUIRE_TIMEOUT),
        "failed_ratio": _share(~ok[counted]),
        "in_use_mean": time_average(granted, returned, window.start_s, window.end_s),
        "throughput_per_s": float((ok & in_window).sum()) / window.length_s,
        "opened_per_s": float(((opened >= window.start_s) & (opened < window.end_s)).sum())
        / window.length_s,
    }
    return Seen(wait[~np.isnan(wait)], (released - asked)[counted & ok], numbers)


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if len(which) else 0.0
