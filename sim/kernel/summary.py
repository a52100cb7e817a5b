"""The numbers of one replication, from the kernel's tables or from a Trace.

They are those of sim.measure for one replication, without its curves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pools.trace import Outcome, Trace
from sim.curves import time_average
from sim.estimate import percentiles
from sim.result import PERCENTILES
from sim.scenario import Scenario

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Times:
    """Waits or latencies of one replication, in seconds; nan where there were none."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One replication of one scenario, counted over requests asked after the warm-up.

    `utilisation` is in-use time over capacity, nan if there is no limit. `fell_back` says why
    the SimPy engine played it; empty if the kernel did.
    """

    requests: int
    completed: int
    wait_s: Times
    latency_s: Times
    timeouts: int
    refused: int
    in_use_mean: float
    utilisation: float
    connections_opened: int
    truncated: str = ""
    fell_back: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """What happened, as arrays; see pools.trace."""

    asked_s: Array
    granted_s: Array
    released_s: Array
    returned_s: Array
    outcome: NDArray[np.int64]
    opening_s: Array
    opened_s: Array
    truncated: str

    @classmethod
    def of(cls, trace: Trace) -> "Columns":
        """Look at a trace without copying it."""
        return cls(
            np.asarray(trace.asked_s),
            np.asarray(trace.granted_s),
            np.asarray(trace.released_s),
            np.asarray(trace.returned_s),
            np.asarray(trace.outcome),
            np.asarray(trace.opening_s),
            np.asarray(trace.opened_s),
            trace.truncated,
        )


def summarise(scenario: Scenario, seen: Columns, fell_back: str = "") -> Summary:
    """Return the numbers of one replication."""
    from_s, to_s = scenario.warm_up_s, scenario.duration_s
    first, last = np.searchsorted(seen.asked_s, (from_s, to_s))
    counted = slice(int(first), int(last))
    asked, granted, released = (
        column[counted] for column in (seen.asked_s, seen.granted_s, seen.released_s)
    )
    outcome = seen.outcome[counted]
    waits = np.where(np.isnan(granted), released, granted) - asked
    served = outcome == Outcome.OK
    in_use = time_average(seen.granted_s, seen.returned_s, from_s, to_s)
    opened = seen.opened_s[~np.isnan(seen.opening_s)]
    capacity = scenario.capacity
    return Summary(
        requests=len(asked),
        completed=int(served.sum()),
        wait_s=times_of(waits[waits > 0.0], int((waits == 0.0).sum())),
        latency_s=times_of((released - asked)[served]),
        timeouts=int((outcome == Outcome.ACQUIRE_TIMEOUT).sum()),
        refused=int((outcome == Outcome.CONNECT_REFUSED).sum()),
        in_use_mean=in_use,
        utilisation=in_use / capacity if capacity else np.nan,
        connections_opened=int(((opened >= from_s) & (opened < to_s)).sum()),
        truncated=seen.truncated,
        fell_back=fell_back,
    )


def times_of(values_s: Array, zeros: int = 0) -> Times:
    """Return mean, percentiles (as numpy's default) and largest of values and so many zeros.

    Sorts the values in place: zeros, most waits under light load, need no sorting.
    """
    count = zeros + len(values_s)
    if not count:
        return Times(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    mean = float(values_s.sum()) / count
    values_s.sort()
    p50, p90, p95, p99 = percentiles(values_s, PERCENTILES, zeros)
    return Times(mean, p50, p90, p95, p99, float(values_s[-1]) if len(values_s) else 0.0)
