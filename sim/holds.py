"""How long holds last: distributions with a given mean and spread, or given percentiles.

cv is the coefficient of variation, standard deviation over mean. Fits are exact: a drawn
hold has the mean and cv, or the median and 99th percentile, that were asked for.
Sources: Allen, Probability, Statistics and Queueing Theory (1990), sec. 3.2 (gamma, balanced
hyperexponential); Arnold, Pareto Distributions (2015), ch. 3.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# The 99th percentile of the standard normal distribution.
Z99 = 2.3263478740408408
CV_MIN = 1e-3
_HALVINGS = 60
_LOG_LEAST = -700.0


class Holds(Protocol):
    """A distribution of holds, in seconds."""

    @property
    def mean_s(self) -> float:
        """The mean."""

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw that many, independently."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same."""

    mean_s: float

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Return that many; takes nothing from the stream."""
        del rng
        return np.full(count, self.mean_s)


@dataclass(frozen=True, slots=True)
class Exponential:
    """No memory: cv is 1."""

    mean_s: float

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw that many."""
        return rng.exponential(self.mean_s, count)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """The usual shape of service times: few short, a long tail. `mu` and `sigma` of the log."""

    mu: float
    sigma: float

    @property
    def mean_s(self) -> float:
        """The mean."""
        return math.exp(self.mu + self.sigma * self.sigma / 2.0)

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw that many."""
        return rng.lognormal(self.mu, self.sigma, count)


@dataclass(frozen=True, slots=True)
class Gamma:
    """A lighter tail than the lognormal's; an Erlang distribution where the shape is whole."""

    shape: float
    mean_s: float

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw that many."""
        return rng.gamma(self.shape, self.mean_s / self.shape, count)


@dataclass(frozen=True, slots=True)
class Hyperexponential:
    """A share of short holds and the rest long ones, each exponential, with balanced means."""

    share: float
    mean_s: float

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw that many."""
        is_first = rng.random(count) < self.share
        means = np.where(is_first, self.share, 1.0 - self.share)
        return rng.exponential(1.0, count) * self.mean_s / (2.0 * means)


@dataclass(frozen=True, slots=True)
class Pareto:
    """A tail that falls as a power, cut at `cap_s`: what would be longer ends there."""

    shape: float
    low_s: float
    cap_s: float

    @property
    def mean_s(self) -> float:
        """The mean."""
        return self.cap_s * _capped_mean(self.shape, self.low_s / self.cap_s)

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw that many."""
        longer = np.exp(-np.log1p(-rng.random(count)) / self.shape)
        return np.minimum(self.low_s * longer, self.cap_s)


@dataclass(frozen=True, slots=True)
class Empirical:
    """One of the given values, each as likely."""

    values_s: tuple[float, ...]

    @property
    def mean_s(self) -> float:
        """The mean."""
        return math.fsum(self.values_s) / len(self.values_s)

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw that many, with replacement."""
        return np.asarray(self.values_s)[rng.integers(len(self.values_s), size=count)]


@lru_cache(maxsize=256)
def by_mean(name: str, mean_s: float, cv: float, cap_s: float) -> Holds:
    """Return the distribution of that name with that mean and cv.

    `auto` is constant for cv 0, exponential for 1, else lognormal. Only pareto is cut at
    `cap_s`, and has its mean and cv after the cut (cv at most `pareto_cv_max`).
    """
    if name == "auto":
        name = {0.0: "constant", 1.0: "exponential"}.get(cv, "lognormal")
    elif cv < CV_MIN:
        name = "exponential" if name == "exponential" else "constant"
    return _BY_MEAN[name](mean_s, cv, cap_s)


def by_percentiles(name: str, p50_s: float, p99_s: float, cap_s: float) -> Holds:
    """Return the lognormal (or `auto`) or pareto distribution with that median and p99."""
    ratio = math.log(p99_s / p50_s)
    if name == "pareto":
        shape = math.log(50.0) / ratio
        return Pareto(shape, p50_s * math.exp(-math.log(2.0) / shape), cap_s)
    return Lognormal(math.log(p50_s), ratio / Z99)


def empirical(values_s: Sequence[float]) -> Holds:
    """Return the distribution of values that were measured."""
    return Empirical(tuple(values_s))


def pareto_cv_max(mean_s: float, cap_s: float) -> float:
    """Return the largest cv that is offered for a capped Pareto.

    Nothing between 0 and cap_s can have more than sqrt(cap_s / mean_s - 1).
    """
    return 0.9 * math.sqrt(max(0.0, cap_s / mean_s - 1.0))


def _lognormal(mean_s: float, cv: float, _: float) -> Holds:
    variance = math.log1p(cv * cv)
    return Lognormal(math.log(mean_s) - variance / 2.0, math.sqrt(variance))


def _gamma(mean_s: float, cv: float, _: float) -> Holds:
    return Gamma(1.0 / (cv * cv), mean_s)


def _hyperexponential(mean_s: float, cv: float, _: float) -> Holds:
    squared = cv * cv
    return Hyperexponential((1.0 + math.sqrt((squared - 1.0) / (squared + 1.0))) / 2.0, mean_s)


def _pareto(mean_s: float, cv: float, cap_s: float) -> Holds:
    """Find the shape whose cv is right among those whose mean is."""
    mean, second = mean_s / cap_s, (1.0 + cv * cv) * (mean_s / cap_s) ** 2

    def low_of(shape: float) -> float:
        def is_enough(log_low: float) -> bool:
            return _capped_mean(shape, math.exp(log_low)) >= mean

        return math.exp(_where(is_enough, _LOG_LEAST, math.log(mean)))

    def is_steep(log_shape: float) -> bool:
        shape = math.exp(log_shape)
        return _capped_second(shape, low_of(shape)) <= second

    shape = math.exp(_where(is_steep, math.log(1e-3), math.log(4.0 / CV_MIN)))
    return Pareto(shape, low_of(shape) * cap_s, cap_s)


_BY_MEAN: dict[str, Callable[[float, float, float], Holds]] = {
    "constant": lambda mean_s, _cv, _cap_s: Constant(mean_s),
    "exponential": lambda mean_s, _cv, _cap_s: Exponential(mean_s),
    "lognormal": _lognormal,
    "gamma": _gamma,
    "hyperexponential": _hyperexponential,
    "pareto": _pareto,
}


def _capped_mean(shape: float, low: float) -> float:
    """Return the mean of min(X, 1) for a Pareto X from `low` on."""
    return low + low * _integral(shape - 1.0, low)


def _capped_second(shape: float, low: float) -> float:
    """Return the second moment of min(X, 1)."""
    return low * low + 2.0 * low * low * _integral(shape - 2.0, low)


def _integral(excess: float, low: float) -> float:
    """Return (1 - low ** excess) / excess, which is -log(low) for excess 0."""
    exponent = excess * math.log(low)
    return -math.log(low) if exponent == 0.0 else -math.expm1(exponent) / excess


def _where(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return where a condition begins to hold between two points, by halving."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
