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


def mean_of(values: Sequence[float], least: float = 0.0) -> Estimate:
    """Return the mean of one value per replication, with its t interval, cut at `least`."""
    usable = np.asarray([value for value in values if not math.isnan(value)])
    if not len(usable):
        return Estimate(None)
    mean = float(usable.mean())
    if len(usable) == 1:
        return Estimate(mean)
    error = float(usable.std(ddof=1)) / math.sqrt(len(usable))
    return _around(mean, error, len(usable) - 1, least)


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
    """Return a percentile of waits or latencies, or no value if too few lie beyond it.

    Too few: fewer than ten values, or so few that are independent that the interval has no
    upper end. The interval is Woodruff's: how far replications differ in the share of values
    beyond the percentile says how far its level may be off; its ends are the percentiles at
    those levels. Values of one replication hang together, which this counts in. Sources:
    Woodruff, Confidence intervals for medians, JASA 47 (1952); Francisco and Fuller, Annals of
    Statistics 19 (1991), for groups.
    """
    usable = [group for group in groups if len(group)]
    total = sum(len(group) for group in usable)
    beyond = (100.0 - percentile) / 100.0
    if total * beyond < BEYOND_MIN:
        return Estimate(None)
    values = np.concatenate(usable)
    value = float(np.percentile(values, percentile))
    if len(usable) == 1:
        return Estimate(value)
    margin = student_t(len(usable) - 1) * _error_of_share(usable, value)
    if margin >= beyond:
        return Estimate(None)
    levels = [max(0.0, percentile - 100.0 * margin), percentile + 100.0 * margin]
    low, high = np.percentile(values, levels).tolist()
    return Estimate(value, min(low, value), max(high, value))


def largest_of(groups: Sequence[Array]) -> Estimate:
    """Return the largest value seen, and the span of the replications' largest."""
    largest = [float(group.max()) for group in groups if len(group)]
    if not largest:
        return Estimate(None)
    if len(largest) == 1:
        return Estimate(largest[0])
    return Estimate(max(largest), min(largest), max(largest))


def _around(value: float, error: float, freedom: int, least: float = 0.0) -> Estimate:
    half = student_t(freedom) * error
    return Estimate(value, max(least, value - half), value + half)


def _error_of_share(groups: Sequence[Array], value: float) -> float:
    """Return the standard error of the share of values above `value`, over whole groups."""
    counts = np.asarray([len(group) for group in groups])
    above = np.asarray([np.count_nonzero(group > value) for group in groups])
    off = above - above.sum() / counts.sum() * counts
    fewer = len(groups) / (len(groups) - 1)
    return math.sqrt(fewer * float(off @ off)) / int(counts.sum())
