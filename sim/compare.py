"""Two scenarios side by side: how far each number differs, with an interval for the difference.

Replication k of both draws from the same random streams (common random numbers), so what only
the load brought cancels out, and a small difference shows where two intervals would overlap.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pools.setting import Value
from pools.trace import Outcome, Trace
from sim.engine import simulate
from sim.estimate import BEYOND_MIN, mean_of
from sim.measure import Window, measure
from sim.query import to_values
from sim.result import Estimate, SimulationResult
from sim.run import settled_window
from sim.scenario import Scenario
from sim.theory import student_t

Array = NDArray[np.float64]
TIMES = ("mean", "p50", "p90", "p95", "p99")
_PERCENTILES = tuple(float(name.removeprefix("p")) for name in TIMES[1:])


@dataclass(frozen=True, slots=True)
class Seen:
    """A scenario and all its replications."""

    scenario: Scenario
    traces: tuple[Trace, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class Delta:
    """One number of A and of B, and B - A. `unit` is s, ratio, /s or connections."""

    name: str
    unit: str
    before: Estimate
    after: Estimate
    change: Estimate

    @property
    def is_sure(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        low, high = self.change.low, self.change.high
        return low is not None and high is not None and (low > 0.0 or high < 0.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A beside B, both counted over the same part of the run; `replications` are those of both."""

    a: SimulationResult
    b: SimulationResult
    deltas: tuple[Delta, ...]
    settings: dict[str, tuple[Value | None, Value | None]]
    replications: int
    window: Window


def seen(scenario: Scenario, tick: Callable[[], None] | None = None) -> Seen:
    """Simulate all replications of a scenario."""
    numbers = range(scenario.replications)
    traces = tuple(simulate(scenario, number, tick=tick) for number in numbers)
    return Seen(scenario, traces, settled_window(scenario, traces))


def compare(a: Seen, b: Seen) -> Comparison:
    """Measure how B differs from A."""
    window = _common(a.window, b.window)
    count = min(len(a.traces), len(b.traces))
    both = [_Measured(one, window, count) for one in (a, b)]
    return Comparison(
        a=both[0].whole,
        b=both[1].whole,
        deltas=tuple(_deltas(*both)),
        settings=differing(a.scenario, b.scenario),
        replications=count,
        window=window,
    )


def differing(a: Scenario, b: Scenario) -> dict[str, tuple[Value | None, Value | None]]:
    """Return the settings that differ, by query name; None where a kind does not have it."""
    before, after = to_values(a.without_goal), to_values(b.without_goal)
    names = [*before, *(name for name in after if name not in before)]
    pairs = ((name, before.get(name), after.get(name)) for name in names)
    return {name: (old, new) for name, old, new in pairs if old != new}


def _common(a: Window, b: Window) -> Window:
    """Return the part of the run in which both count; of A alone if there is none."""
    start_s, end_s = max(a.start_s, b.start_s), min(a.end_s, b.end_s)
    return Window(start_s, end_s) if start_s < end_s else a


class _Measured:
    """A scenario measured as a whole and replication by replication."""

    def __init__(self, one: Seen, window: Window, count: int) -> None:
        traces, capacity = one.traces[:count], one.scenario.capacity
        self.whole = measure(traces, window, capacity)
        self.each = [measure([trace], window, capacity) for trace in traces]
        self.wait_s, self.latency_s = zip(*(_times(t, window) for t in traces), strict=True)


def _times(trace: Trace, window: Window) -> tuple[Array, Array]:
    """Return waits, and latencies of the requests that were served."""
    asked = np.asarray(trace.asked_s)
    counted = (asked >= window.start_s) & (asked < window.end_s)
    granted, released = np.asarray(trace.granted_s), np.asarray(trace.released_s)
    wait = (np.where(np.isnan(granted), released, granted) - asked)[counted]
    served = counted & (np.asarray(trace.outcome) == Outcome.OK)
    return wait[~np.isnan(wait)], (released - asked)[served]


def _deltas(a: _Measured, b: _Measured) -> Iterator[Delta]:
    for title, which in (("Wait", "wait_s"), ("Latency", "latency_s")):
        changes = _paired(getattr(a, which), getattr(b, which))
        for name, change in zip(TIMES, changes, strict=True):
            before, after = (getattr(getattr(one.whole, which), name) for one in (a, b))
            known = before.value is not None and after.value is not None
            yield Delta(f"{title}, {name}", "s", before, after, change if known else Estimate(None))
    for title, unit, which in (
        ("Timeouts", "ratio", "timeout_ratio"),
        ("Utilisation", "ratio", "utilisation"),
        ("Throughput", "/s", "throughput_per_s"),
        ("Opened", "/s", "opened_per_s"),
        ("In use, mean", "connections", "in_use_mean"),
        ("Waiting, mean", "requests", "waiting_mean"),
    ):
        before, after = (getattr(one.whole, which) for one in (a, b))
        values = [[getattr(each, which).value for each in one.each] for one in (a, b)]
        yield Delta(title, unit, before, after, _mean_difference(*values))


def _mean_difference(a: Sequence[float | None], b: Sequence[float | None]) -> Estimate:
    pairs = zip(a, b, strict=True)
    differences = [new - old for old, new in pairs if old is not None and new is not None]
    return mean_of(differences, least=-math.inf)


def _paired(a: Sequence[Array], b: Sequence[Array]) -> list[Estimate]:
    """Return the times of all of B minus those of all of A, with delete-one-pair jackknives.

    Source: Shao and Tu, The Jackknife and Bootstrap (1995), sec. 2.3.
    """
    count = len(a)
    if min(sum(map(len, a)), sum(map(len, b))) < BEYOND_MIN:
        return [Estimate(None)] * len(TIMES)
    whole = _difference(a, b)
    if count == 1:
        return [Estimate(value) for value in whole.tolist()]
    without = np.asarray(
        [_difference([*a[:k], *a[k + 1 :]], [*b[:k], *b[k + 1 :]]) for k in range(count)]
    )
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    half = student_t(count - 1) * np.sqrt((count - 1) / count * spread)
    rows = zip(whole, whole - half, whole + half, strict=True)
    return [Estimate(float(value), float(low), float(high)) for value, low, high in rows]


def _difference(a: Sequence[Array], b: Sequence[Array]) -> Array:
    return _times_of(np.concatenate(b)) - _times_of(np.concatenate(a))


def _times_of(values: Array) -> Array:
    """Return the mean and the percentiles, in the order of TIMES."""
    if not len(values):
        return np.full(len(TIMES), math.nan)
    return np.asarray([values.mean(), *np.percentile(values, _PERCENTILES)])
