"""A queue that grows for as long as load comes: then there is no mean wait, but a growth.

Known without a run where offered load reaches capacity and nobody gives up; otherwise seen in
the run: cores, the event loop, retries or failures may be what cannot keep up. Counted are all
requests that have not ended, so that a pool without a limit is seen to grow, too.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pools.trace import Trace
from sim.curves import averages
from sim.estimate import mean_of
from sim.measure import Window
from sim.result import Distribution, Estimate, SimulationResult
from sim.scenario import Scenario
from sim.warm_up import STEADY

# Less than this share of the arrivals left over is a queue that has not settled yet.
GROWTH_RATIO_MIN = 0.01
# Quarters of the window between whose means it must grow: the second half, at its start and end.
_EDGES = (0.5, 0.75, 1.0)


def growth_per_s(scenario: Scenario, traces: Sequence[Trace], window: Window) -> Estimate:
    """Return by how many requests the queue grows each second; no value if it does not."""
    if scenario.workload.is_closed or scenario.workload.pattern not in STEADY:
        return Estimate(None)
    over_s = max((mark.end_s for mark in scenario.failures.marks(scenario.duration_s)), default=0.0)
    if over_s > window.start_s + _EDGES[0] * window.length_s:
        return Estimate(None)  # it grows while something fails, which says nothing of later
    known = is_known_to_grow(scenario)
    if not known and not _may_grow(traces, window):
        return Estimate(None)
    grown = mean_of([_growth(trace, window) for trace in traces], least=-np.inf)
    if grown.value is None:
        return grown
    if known:
        return _not_below_zero(grown)
    enough = GROWTH_RATIO_MIN * _arrivals(traces, window) / window.length_s / len(traces)
    grows = grown.low is not None and grown.low > 0.0 and grown.value >= enough
    return grown if grows else Estimate(None)


def is_known_to_grow(scenario: Scenario) -> bool:
    """Whether more comes than the pools can ever serve, and nobody gives up within the run."""
    capacity, patience_s = scenario.capacity, scenario.pool.wait_s_max
    if scenario.workload.is_closed or capacity is None or scenario.offered_load < capacity:
        return False
    bounded = getattr(scenario.pool, "max_waiting", 0) > 0
    return not bounded and (patience_s is None or patience_s >= scenario.duration_s)


def without_steady_state(
    scenario: Scenario, result: SimulationResult, growth: Estimate
) -> SimulationResult:
    """Return a result of a growing queue: its growth instead of means that say nothing.

    Where the pool has no limit, the queue is behind it, and waits for the pool keep theirs.
    """
    if growth.value is None:
        return result
    return replace(
        result,
        growth_per_s=growth,
        wait_s=result.wait_s if scenario.capacity is None else _only_largest(result.wait_s),
        latency_s=_only_largest(result.latency_s),
        waiting_mean=result.waiting_mean if scenario.capacity is None else Estimate(None),
        notes=(*result.notes, _note(growth)),
    )


def _note(growth: Estimate) -> str:
    sure = "" if growth.low is None else f" ({growth.low:.3g} to {growth.high:.3g})"
    return (
        f"The queue grows by {growth.value:.3g} requests each second{sure}: times have no mean"
        " and no percentiles, they grow for as long as this lasts."
    )


def _only_largest(times: Distribution) -> Distribution:
    none = Estimate(None)
    return Distribution(none, none, none, none, none, times.max)


def _may_grow(traces: Sequence[Trace], window: Window) -> bool:
    """Whether so many are left at the end that growth is worth a closer look."""
    left = sum(_present_at(trace, window.end_s) for trace in traces)
    return left >= 0.5 * GROWTH_RATIO_MIN * _arrivals(traces, window)


def _arrivals(traces: Sequence[Trace], window: Window) -> int:
    asked = (np.asarray(trace.asked_s) for trace in traces)
    return sum(int(np.count_nonzero((a >= window.start_s) & (a < window.end_s))) for a in asked)


def _present_at(trace: Trace, at_s: float) -> int:
    asked_s, released_s = np.asarray(trace.asked_s), np.asarray(trace.released_s)
    return int(np.count_nonzero((asked_s < at_s) & ~(released_s <= at_s)))


def _growth(trace: Trace, window: Window) -> float:
    edges = window.start_s + window.length_s * np.asarray(_EDGES)
    asked_s, released_s = np.asarray(trace.asked_s), np.asarray(trace.released_s)
    before, after = averages(asked_s, released_s, edges).tolist()
    return float(after - before) / (window.length_s / 4.0)


def _not_below_zero(one: Estimate) -> Estimate:
    low, high = (None if end is None else max(0.0, end) for end in (one.low, one.high))
    return Estimate(max(0.0, one.value or 0.0), low, high)
