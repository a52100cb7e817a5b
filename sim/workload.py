"""What arrives: requests drawn in advance from independent random streams.

Stream k of replication r is SeedSequence([seed, r]).spawn(...)[k]: a change of pool settings
leaves arrivals and holds as they were (common random numbers).
"""

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.backend import Server
from sim.holds import by_mean
from sim.patterns import PATTERNS
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
        children = np.random.SeedSequence([seed, replication]).spawn(15)
        made = [np.random.Generator(np.random.PCG64(child)) for child in children]
        self.arrivals, self.holds, self.pools, self.hosts, self.thinks, self._logic = made[:6]
        self.states, self.kinds, self.more_holds, self.awaits = made[6:10]
        self.cancels, self.cancel_times, self.leaks, self.jitter = made[10:14]
        self.connects = made[14]

    def logic(self) -> random.Random:
        """Return the stream for a pool's own random choices."""
        return random.Random(int(self._logic.integers(2**63)))


def draw(scenario: Scenario, replication: int = 0) -> Arrivals:
    """Draw all requests of one replication of an open workload."""
    load, streams = scenario.workload, Streams(scenario.seed, replication)
    arrive = PATTERNS[load.pattern]
    asked_s = arrive(load, scenario.duration_s, streams.arrivals, streams.states)
    count = len(asked_s)
    return Arrivals(
        asked_s=asked_s,
        hold_s=load.holds.draw(count, streams.holds),
        pool=streams.pools.integers(scenario.fleet.pools, size=count),
        host=streams.hosts.integers(load.hosts, size=count),
    )


def endless_holds(load: Workload, rng: np.random.Generator) -> Iterator[float]:
    """Yield holds for ever, drawn in blocks."""
    drawn = load.holds
    while True:
        yield from drawn.draw(_CHUNK, rng).tolist()


def endless_connects(server: Server, rng: np.random.Generator) -> Iterator[float]:
    """Yield the server's own time to open a connection for ever."""
    if not (server.connect_cv and server.connect_s):
        yield from itertools.repeat(server.connect_s)
    drawn = by_mean("lognormal", server.connect_s, server.connect_cv, math.inf)
    while True:
        yield from drawn.draw(_CHUNK, rng).tolist()


def endless_thinks(load: Workload, rng: np.random.Generator) -> Iterator[float]:
    """Yield think times for ever: exponential, or always 0."""
    while True:
        if load.pause_s_mean == 0.0:
            yield 0.0
        else:
            yield from rng.exponential(load.pause_s_mean, _CHUNK).tolist()
