"""Intervals: how sure a number is, judged by how far independent replications differ."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Groups:
    """Values of some replications, a group each, and all of them together, ascending."""

    groups: Sequence[Array]
    ordered: Array

    @classmethod
    def of(cls, groups: Iterable[Array]) -> "Groups":
        """Put them together; groups without a value count for nothing."""
        usable = [group for group in groups if len(group)]
        return cls(usable, np.sort(np.concatenate(usable)) if usable else np.empty(0))

    def mean(self) -> Estimate:
        """Return the mean of all values, with its delete-one-group jackknife interval.

        Source: Shao and Tu, The Jackknife and Bootstrap (1995), sec. 2.3.
        """
        if not self.groups:
            return Estimate(None)
        sums = np.asarray([float(group.sum()) for group in self.groups])
        whole = float(sums.sum()) / len(self.ordered)
        count = len(self.groups)
        if count == 1:
            return Estimate(whole)
        without = (sums.sum() - sums) / (len(self.ordered) - self._counts)
        spread = float(((without - without.mean()) ** 2).sum())
        return _around(whole, math.sqrt((count - 1) / count * spread), count - 1)

    def percentile(self, percentile: float) -> Estimate:
        """Return a percentile of all values, or no value if too few lie beyond it.

        Too few: fewer than ten values, or so few that are independent that the interval has no
        upper end. The interval is Woodruff's: how far replications differ in the share of values
        beyond the percentile says how far its level may be off; its ends are the percentiles at
        those levels. Values of one replication hang together, which this counts in. Sources:
        Woodruff, Confidence intervals for medians, JASA 47 (1952); Francisco and Fuller, Annals
        of Statistics 19 (1991), for groups.
        """
        beyond = (100.0 - percentile) / 100.0
        if len(self.ordered) * beyond < BEYOND_MIN:
            return Estimate(None)
        (value,) = percentiles(self.ordered, [percentile])
        if len(self.groups) == 1:
            return Estimate(value)
        margin = student_t(len(self.groups) - 1) * self._error_of_share(value)
        if margin >= beyond:
            return Estimate(None)
        levels = [max(0.0, percentile - 100.0 * margin), percentile + 100.0 * margin]
        low, high = percentiles(self.ordered, levels)
        return Estimate(value, min(low, value), max(high, value))

    def largest(self) -> Estimate:
        """Return the largest value seen, and the span of the replications' largest."""
        largest = [float(group.max()) for group in self.groups]
        if not largest:
            return Estimate(None)
        if len(largest) == 1:
            return Estimate(largest[0])
        return Estimate(max(largest), min(largest), max(largest))

    @property
    def _counts(self) -> NDArray[np.int64]:
        return np.asarray([len(group) for group in self.groups])

    def _error_of_share(self, value: float) -> float:
        """Return the standard error of the share of values above `value`, over whole groups."""
        counts, total = self._counts, len(self.ordered)
        above = np.asarray([np.count_nonzero(group > value) for group in self.groups])
        off = above - above.sum() / total * counts
        fewer = len(counts) / (len(counts) - 1)
        return math.sqrt(fewer * float(off @ off)) / total


def percentiles(ordered: Array, levels: Sequence[float], zeros: int = 0) -> list[float]:
    """Return percentiles of ascending values behind so many zeros.

    To the last bit those of numpy's default.
    """
    return [_percentile(ordered, level, zeros) for level in levels]


def _percentile(ordered: Array, level: float, zeros: int) -> float:
    last = zeros + len(ordered) - 1
    place = last * (level / 100.0)
    below = int(place)
    above = min(below + 1, last)
    low = float(ordered[below - zeros]) if below >= zeros else 0.0
    high = float(ordered[above - zeros]) if above >= zeros else 0.0
    part, step = place - below, high - low
    return low + step * part if part < 0.5 else high - step * (1.0 - part)


def _around(value: float, error: float, freedom: int, least: float = 0.0) -> Estimate:
    half = student_t(freedom) * error
    return Estimate(value, max(least, value - half), value + half)
