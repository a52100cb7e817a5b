"""Intervals: how sure a number is, judged by how far independent replications differ."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.result import Estimate
from sim.theory import student_t

Array = NDArray[np.float64]
# Fewer values beyond a percentile than this, and the percentile is mostly luck.
BEYOND_MIN = 10


def mean_of(values: Sequence[float]) -> Estimate:
    """Return the mean of one value per replication, with its t interval."""
    usable = np.asarray([value for value in values if not math.isnan(value)])
    if not len(usable):
        return Estimate(None)
    mean = float(usable.mean())
    if len(usable) == 1:
        return Estimate(mean)
    error = float(usable.std(ddof=1)) / math.sqrt(len(usable))
    return _around(mean, error, len(usable) - 1)


def pooled(groups: Sequence[Array], statistic: Callable[[Array], float]) -> Estimate:
    """Return a statistic of all values together, with its delete-one-group jackknife interval.

    Each group is one replication. Source: Shao and Tu, The Jackknife and Bootstrap (1995),
    sec. 2.3.
    """
    usable = [group for group in groups if len(group)]
    if not usable:
        return Estimate(None)
    whole = statistic(np.concatenate(usable))
    count = len(usable)
    if count == 1:
        return Estimate(whole)
    without = np.asarray(
        [statistic(np.concatenate(usable[:k] + usable[k + 1 :])) for k in range(count)]
    )
    spread = float(((without - without.mean()) ** 2).sum())
    error = math.sqrt((count - 1) / count * spread)
    return _around(whole, error, count - 1)


def percentile_of(groups: Sequence[Array], percentile: float) -> Estimate:
    """Return a percentile of waits or latencies, or no value if too few lie beyond it."""
    total = sum(len(group) for group in groups)
    if total * (100.0 - percentile) / 100.0 < BEYOND_MIN:
        return Estimate(None)
    return pooled(groups, lambda values: float(np.percentile(values, percentile)))


def largest_of(groups: Sequence[Array]) -> Estimate:
    """Return the largest value seen, and the span of the replications' largest."""
    largest = [float(group.max()) for group in groups if len(group)]
    if not largest:
        return Estimate(None)
    if len(largest) == 1:
        return Estimate(largest[0])
    return Estimate(max(largest), min(largest), max(largest))


def _around(value: float, error: float, freedom: int) -> Estimate:
    half = student_t(freedom) * error
    return Estimate(value, max(0.0, value - half), value + half)
