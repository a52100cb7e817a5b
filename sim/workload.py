"""What arrives: requests drawn in advance from independent random streams.

Stream k of replication r is SeedSequence([seed, r]).spawn(...)[k]: a change of pool settings
leaves arrivals and holds as they were (common random numbers).
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.scenario import Scenario, Workload

Array = NDArray[np.float64]
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests in order of arrival: when (s), for how long (s), in which pool, to which host."""

    asked_s: Array
    hold_s: Array
    pool: NDArray[np.int64]
    host: NDArray[np.int64]


class Streams:
    """The independent random streams of one replication."""

    def __init__(self, seed: int, replication: int) -> None:
        """Derive all streams from the seed and the number of the replication."""
        children = np.random.SeedSequence([seed, replication]).spawn(6)
        made = [np.random.Generator(np.random.PCG64(child)) for child in children]
        self.arrivals, self.holds, self.pools, self.hosts, self.thinks, self._logic = made

    def logic(self) -> random.Random:
        """Return the stream for a pool's own random choices."""
        return random.Random(int(self._logic.integers(2**63)))


def draw(scenario: Scenario, replication: int = 0) -> Arrivals:
    """Draw all requests of one replication of an open workload."""
    load, streams = scenario.workload, Streams(scenario.seed, replication)
    asked_s = _arrival_times(load, scenario.duration_s, streams.arrivals)
    count = len(asked_s)
    return Arrivals(
        asked_s=asked_s,
        hold_s=draw_holds(load, count, streams.holds),
        pool=streams.pools.integers(scenario.fleet.pools, size=count),
        host=streams.hosts.integers(load.hosts, size=count),
    )


def draw_holds(load: Workload, count: int, rng: np.random.Generator) -> Array:
    """Draw holds in seconds: constant (cv 0), exponential (cv 1) or lognormal."""
    mean_s, cv = load.hold_s_mean, load.hold_cv
    if cv == 0.0:
        return np.full(count, mean_s)
    if cv == 1.0:
        return rng.exponential(mean_s, count)
    variance = math.log1p(cv * cv)
    return rng.lognormal(math.log(mean_s) - variance / 2.0, math.sqrt(variance), count)


def endless_holds(load: Workload, rng: np.random.Generator) -> Iterator[float]:
    """Yield holds for ever, drawn in blocks."""
    while True:
        yield from draw_holds(load, _CHUNK, rng).tolist()


def endless_thinks(load: Workload, rng: np.random.Generator) -> Iterator[float]:
    """Yield think times for ever: exponential, or always 0."""
    while True:
        if load.think_s_mean == 0.0:
            yield 0.0
        else:
            yield from rng.exponential(load.think_s_mean, _CHUNK).tolist()


def _arrival_times(load: Workload, duration_s: float, rng: np.random.Generator) -> Array:
    asked_s = _poisson(load.rate_per_s, duration_s, rng)
    if load.pattern == "spike":
        burst = np.full(load.spike_requests, load.spike_at_s)
        asked_s = np.sort(np.concatenate([asked_s, burst]), kind="stable")
    return asked_s


def _poisson(rate_per_s: float, duration_s: float, rng: np.random.Generator) -> Array:
    if rate_per_s == 0.0:
        return np.empty(0)
    expected = rate_per_s * duration_s
    gaps = [rng.exponential(1.0 / rate_per_s, int(expected + 6.0 * math.sqrt(expected)) + 16)]
    while sum(float(block.sum()) for block in gaps) < duration_s:
        gaps.append(rng.exponential(1.0 / rate_per_s, _CHUNK))
    times = np.cumsum(np.concatenate(gaps))
    return times[times < duration_s]
