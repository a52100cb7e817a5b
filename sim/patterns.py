"""When requests of an open workload arrive: one function for each pattern.

A rate that changes is a change of clock: requests are a Poisson process of rate 1 in the time
that the expected number of arrivals keeps (Cinlar, Introduction to Stochastic Processes
(1975), sec. 4.7). `states` is the stream of what the traffic itself does, such as its bursts.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.demand import Workload

Array = NDArray[np.float64]
Pattern = Callable[[Workload, float, np.random.Generator, np.random.Generator], Array]
_CHUNK = 4096
_DAY_POINTS = 20_001


def steady(
    load: Workload, duration_s: float, rng: np.random.Generator, _states: np.random.Generator
) -> Array:
    """Arrive at one rate."""
    return poisson(load.rate_per_s, duration_s, rng)


def spike(
    load: Workload, duration_s: float, rng: np.random.Generator, _states: np.random.Generator
) -> Array:
    """Arrive at one rate, and many at once on top."""
    burst = np.full(load.spike_requests, load.spike_at_s)
    asked_s = np.concatenate([poisson(load.rate_per_s, duration_s, rng), burst])
    return np.sort(asked_s, kind="stable")


def ramp(
    load: Workload, duration_s: float, rng: np.random.Generator, _states: np.random.Generator
) -> Array:
    """Arrive at a rate that changes evenly from one to another."""
    first, last = load.rate_per_s, load.ramp_rate_per_s
    expected = poisson(1.0, (first + last) / 2.0 * duration_s, rng)
    slope = (last - first) / duration_s
    root = np.sqrt(np.maximum(0.0, first * first + 2.0 * slope * expected))
    return _before(2.0 * expected / (first + root), duration_s)


def day(
    load: Workload, duration_s: float, rng: np.random.Generator, _states: np.random.Generator
) -> Array:
    """Arrive as over a day: fewest at midnight, most at noon."""
    at_s = np.linspace(0.0, duration_s, _DAY_POINTS)
    turn = 2.0 * math.pi / duration_s
    expected = load.rate_per_s * (at_s - (load.day_peak - 1.0) * np.sin(turn * at_s) / turn)
    return _clocked(expected, at_s, rng)


def bursty(
    load: Workload, duration_s: float, rng: np.random.Generator, states: np.random.Generator
) -> Array:
    """Arrive at two rates in turn, each for an exponential time."""
    changes_s, is_burst = _bursts(load, duration_s, states)
    calm = load.calm_rate_per_s
    rates = np.where(is_burst, calm * load.burst_factor, calm)
    expected = np.concatenate([[0.0], np.cumsum(np.diff(changes_s) * rates)])
    return _clocked(expected, changes_s, rng)


def recorded(
    _load: Workload, _duration_s: float, _rng: np.random.Generator, _states: np.random.Generator
) -> Array:
    """Bring nobody: what a file recorded is not drawn (`sim.recorded`)."""
    return np.empty(0)


PATTERNS: dict[str, Pattern] = {
    "steady": steady,
    "bursty": bursty,
    "spike": spike,
    "ramp": ramp,
    "day": day,
    "recorded": recorded,
}


def poisson(rate_per_s: float, duration_s: float, rng: np.random.Generator) -> Array:
    """Return the times of a Poisson process before `duration_s`."""
    if rate_per_s == 0.0:
        return np.empty(0)
    expected = rate_per_s * duration_s
    gaps = [rng.exponential(1.0 / rate_per_s, int(expected + 6.0 * math.sqrt(expected)) + 16)]
    while sum(float(block.sum()) for block in gaps) < duration_s:
        gaps.append(rng.exponential(1.0 / rate_per_s, _CHUNK))
    return _before(np.cumsum(np.concatenate(gaps)), duration_s)


def _bursts(
    load: Workload, duration_s: float, states: np.random.Generator
) -> tuple[Array, NDArray[np.bool_]]:
    """Return when bursts begin and end, 0 and `duration_s` included, and which parts are bursts."""
    calm_s = load.burst_s * (1.0 - load.burst_share) / load.burst_share
    begins_in_burst = states.random() < load.burst_share
    lengths = [np.empty(0)]
    total_s = 0.0
    while total_s < duration_s:
        means = (load.burst_s, calm_s) if begins_in_burst else (calm_s, load.burst_s)
        lengths.append(states.exponential(1.0, 64) * np.tile(means, 32))
        total_s += float(lengths[-1].sum())
    ends_s = np.minimum(np.cumsum(np.concatenate(lengths)), duration_s)
    is_burst = np.arange(len(ends_s)) % 2 == (0 if begins_in_burst else 1)
    return np.concatenate([[0.0], ends_s]), is_burst


def _clocked(expected: Array, at_s: Array, rng: np.random.Generator) -> Array:
    """Return arrivals whose expected number by `at_s` is `expected`."""
    counts = poisson(1.0, float(expected[-1]), rng)
    return _before(np.interp(counts, expected, at_s), float(at_s[-1]))


def _before(times_s: Array, end_s: float) -> Array:
    return times_s[times_s < end_s]
