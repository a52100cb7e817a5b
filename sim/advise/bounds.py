"""How sure a share is: one-sided bounds from replications that differ, and from counts alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sim.theory import student_t

Array = NDArray[np.float64]
# Below this Hall's cubic would turn back: so skewed a sample knows no upper bound of its own.
_CUBE_MIN = 0.01


class Says(Enum):
    """What a share says about its limit."""

    MEETS = "meets"
    FAILS = "fails"
    UNSURE = "not sure"


@dataclass(frozen=True, slots=True)
class Share:
    """A share of requests (0..1) with a bound on each side, each sure to `confidence`."""

    ratio: float
    low: float
    high: float

    def says(self, ratio_max: float) -> Says:
        """Judge it by its bounds: above the limit for sure, below it for sure, or neither."""
        if self.high <= ratio_max:
            return Says.MEETS
        return Says.FAILS if self.low > ratio_max else Says.UNSURE


def share(misses: Sequence[int], requests: Sequence[int], confidence: float) -> Share:
    """Return a share with the wider of two one-sided bounds on each side.

    One comes from how far replications differ (a ratio estimator: Cochran, Sampling Techniques,
    1977, sec. 6.3; corrected for skewness: Hall, J. R. Stat. Soc. B 54, 1992). The other is
    Wilson's (1927), right if requests were independent, and of use where none or all missed.
    """
    missed, asked = np.asarray(misses, dtype=float), np.asarray(requests, dtype=float)
    total = float(asked.sum())
    if not total:
        return Share(math.nan, 0.0, 1.0)
    ratio = float(missed.sum()) / total
    low, high = _wilson(ratio, total, confidence)
    if len(missed) < 2:
        return Share(ratio, 0.0, 1.0)
    below, above = _between_replications(missed - ratio * asked, total, confidence)
    return Share(ratio, max(0.0, min(low, ratio - below)), min(1.0, max(high, ratio + above)))


def _between_replications(residuals: Array, total: float, confidence: float) -> tuple[float, float]:
    """Return how far the truth may be below and above the ratio."""
    count = len(residuals)
    spread = math.sqrt(float((residuals**2).mean()))
    if spread == 0.0:
        return 0.0, 0.0
    error = spread * count / math.sqrt(count - 1) / total
    skew = float((residuals**3).mean()) / spread**3 / math.sqrt(count)
    t = student_t(count - 1, 2.0 * confidence - 1.0)
    return error * _hall(t, skew), -error * _hall(-t, skew)


def _hall(t: float, skew: float) -> float:
    """Return the quantile that a t quantile becomes when means are skewed by `skew`."""
    if abs(skew) < 1e-6:
        return t
    inner = max(_CUBE_MIN, 1.0 + skew * (t - skew / 6.0))
    return 3.0 / skew * (math.cbrt(inner) - 1.0)


def _wilson(ratio: float, total: float, confidence: float) -> tuple[float, float]:
    z = NormalDist().inv_cdf(confidence)
    spread = z * math.sqrt(ratio * (1.0 - ratio) / total + (z / (2.0 * total)) ** 2)
    middle, scale = ratio + z * z / (2.0 * total), 1.0 + z * z / total
    return (middle - spread) / scale, (middle + spread) / scale
