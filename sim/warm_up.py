"""Where a run has settled: the start that is left out of the numbers.

The latest of three: `warm_up_s` itself, the time that the queue takes by theory, and what
MSER-5 finds in the waits. MSER-5 alone would cut too little where waits vary much (it is drawn
to a quiet start), theory alone knows nothing of connects, cores or users. Never more than half
of the run, so that something is left to count.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.scenario import Scenario

Array = NDArray[np.float64]
# Patterns under which a run settles to something; the others have their moments to be seen.
STEADY = ("steady", "bursty", "closed", "looping")
BATCH = 5
RELAXATIONS = 3.0


class Requests(Protocol):
    """What is read of a Trace: when each request asked, got a connection, and was done."""

    @property
    def asked_s(self) -> ArrayLike:
        """Seconds, ascending."""

    @property
    def granted_s(self) -> ArrayLike:
        """Seconds, nan for never."""

    @property
    def released_s(self) -> ArrayLike:
        """Seconds, nan for never."""


def settled_s(scenario: Scenario, traces: Sequence[Requests]) -> float:
    """Return from when on requests are counted, in seconds.

    With `warm_up_s` 0 nothing is left out; from saturation on, and where load changes as told,
    `warm_up_s` is.
    """
    least_s = scenario.warm_up_s
    if not least_s or not settles(scenario):
        return least_s
    latest_s = max(least_s, scenario.duration_s / 2.0)
    return min(max(least_s, settling_s(scenario), mser_5_s(traces)), latest_s)


def settles(scenario: Scenario) -> bool:
    """Whether there is a steady state to come to, as far as is known without a run.

    Not with failures: what they do is what is to be seen.
    """
    if scenario.workload.pattern not in STEADY or scenario.failures.any:
        return False
    capacity = scenario.capacity
    is_open = not scenario.workload.is_closed
    return not (is_open and capacity is not None and scenario.offered_load >= capacity)


def settling_s(scenario: Scenario) -> float:
    """Return how long an open queue takes to forget that it began empty, in seconds.

    Three relaxation times, h / (c (1 - sqrt rho)^2) each. Source: Morse, Queues, Inventories
    and Maintenance (1958), ch. 6, for one server; Whitt, Queueing Systems 4 (1989), for many.
    """
    capacity = scenario.capacity
    if scenario.workload.is_closed or capacity is None:
        return 0.0
    one = capacity / scenario.fleet.pools
    rho = scenario.offered_load / capacity
    return RELAXATIONS * scenario.hold_s_mean / (one * (1.0 - math.sqrt(rho)) ** 2)


def mser_5_s(traces: Sequence[Requests]) -> float:
    """Return where MSER-5 cuts the waits of all replications, laid over each other, in s.

    It leaves out as many batches of five as make the standard error of the mean of the others
    smallest, at most half of them. Batches hold five of each replication. Sources: White,
    Simulation 69 (1997); Hoad, Robinson and Davies, JORS 61 (2010), for replications.
    """
    asked_s = np.concatenate([np.asarray(trace.asked_s) for trace in traces])
    wait_s = np.concatenate([_waits(trace) for trace in traces])
    known = ~np.isnan(wait_s)
    if not known.all():
        asked_s, wait_s = asked_s[known], wait_s[known]
    size = BATCH * len(traces)
    count = len(wait_s) // size
    if count < 2:
        return 0.0
    order = _ascending(asked_s)
    means = wait_s[order[: count * size]].reshape(count, size).mean(axis=1)
    return float(asked_s[order[smallest_error(means) * size]])


def _ascending(times_s: Array) -> NDArray[np.int64]:
    """Return the order of times, equal ones as they come.

    numpy's quick order of different numbers takes a third of the time of its stable one.
    """
    order = np.argsort(times_s)
    ordered = times_s[order]
    return np.argsort(times_s, kind="stable") if (ordered[1:] == ordered[:-1]).any() else order


def smallest_error(means: Array) -> int:
    """Return how many batches to leave out, of at most half, by the rule of MSER.

    >>> smallest_error(np.asarray([9.0, 5.0, 1.0, 1.1, 0.9, 1.0, 1.1, 0.9]))
    2
    """
    left = np.arange(len(means), 0, -1)
    sums = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means * means)[::-1])[::-1]
    errors = (squares - sums * sums / left) / left**2
    return int(np.argmin(np.round(errors[: len(means) // 2 + 1], 18)))


def _waits(trace: Requests) -> Array:
    granted_s, released_s = np.asarray(trace.granted_s), np.asarray(trace.released_s)
    ends_s = np.where(np.isnan(granted_s), released_s, granted_s)
    return np.asarray(ends_s - np.asarray(trace.asked_s))
