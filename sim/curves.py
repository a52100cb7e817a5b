"""Curves for the charts: averages over time, and the survival curve of waits."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pools.trace import Trace
from sim.result import Survival, Timeline

Array = NDArray[np.float64]
BINS = 240
SURVIVAL_POINTS = 200


def time_average(starts_s: ArrayLike, ends_s: ArrayLike, start_s: float, end_s: float) -> float:
    """Return how many intervals are open on average between two times.

    A start of nan is no interval; an end of nan is an interval that never ends.
    """
    open_s = np.fmin(ends_s, end_s) - np.maximum(starts_s, start_s)
    return float(np.nansum(np.maximum(open_s, 0.0))) / (end_s - start_s)


def timeline(trace: Trace, end_s: float, bins: int = BINS) -> Timeline:
    """Return averages over equal bins from 0 to `end_s`."""
    edges = np.linspace(0.0, end_s, bins + 1)
    asked, granted, released, returned = (
        np.asarray(column)
        for column in (trace.asked_s, trace.granted_s, trace.released_s, trace.returned_s)
    )
    opening, opened, closed = (
        np.asarray(column) for column in (trace.opening_s, trace.opened_s, trace.closed_s)
    )
    in_use = averages(granted, returned, edges)
    is_open = averages(opened, closed, edges)
    ready = np.where(np.isnan(opened), closed, opened)
    return Timeline(
        t_s=_rounded((edges[:-1] + edges[1:]) / 2.0),
        in_use=_rounded(in_use),
        idle=_rounded(np.maximum(0.0, is_open - in_use)),
        opening=_rounded(averages(opening, ready, edges)),
        waiting=_rounded(averages(asked, np.where(np.isnan(granted), released, granted), edges)),
    )


def survival(ordered: Array, points: int = SURVIVAL_POINTS) -> Survival:
    """Return the share of waits (ascending) longer than some times, denser in the tail."""
    count = len(ordered)
    if not count:
        return Survival((), ())
    depth = np.geomspace(1.0, 1.0 / count, points)
    rows = np.unique(np.clip(np.round((1.0 - depth) * count).astype(int), 0, count - 1))
    times = np.unique(np.concatenate([[0.0], ordered[rows]]))
    longer = 1.0 - np.searchsorted(ordered, times, side="right") / count
    return Survival(tuple(times.tolist()), tuple(longer.tolist()))


def averages(starts: Array, ends: Array, edges: Array) -> Array:
    """Return how many intervals are open on average between each two of some times."""
    # Differences of large sums can fall short of 0 by a rounding error.
    return np.maximum(0.0, np.diff(_integral(starts, ends, edges))) / np.diff(edges)


def _integral(starts: Array, ends: Array, times: Array) -> Array:
    """Return the integral of the number of open intervals up to each time."""
    begun = ~np.isnan(starts)
    finished = begun & ~np.isnan(ends)
    return _ramp(starts[begun], times) - _ramp(ends[finished], times)


def _ramp(points: Array, times: Array) -> Array:
    ordered = np.sort(points)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    passed = np.searchsorted(ordered, times, side="right")
    return np.asarray(passed * times - sums[passed], dtype=np.float64)


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple((np.round(values, 4) + 0.0).tolist())
