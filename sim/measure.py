"""From traces to numbers: the same for the simulation, the real library and a live check.

A wait runs from asking to the grant, or to the failure of a request that never got one. A
latency runs from asking to the end of the request's own use; failed requests have none.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pools.trace import Outcome, Trace
from sim.calls import calls_result
from sim.curves import survival, time_average, timeline
from sim.estimate import Groups, mean_of
from sim.result import PERCENTILES, Distribution, Estimate, SimulationResult

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
FAILURES = {
    Outcome.ACQUIRE_TIMEOUT: "acquire_timeout",
    Outcome.CONNECT_REFUSED: "connect_refused",
    Outcome.CANCELLED: "cancelled",
    Outcome.CONNECTION_LOST: "connection_lost",
    Outcome.UNFINISHED: "unfinished",
    Outcome.OTHER_ERROR: "other_error",
    Outcome.RELEASE_FAILED: "release_failed",
    Outcome.QUEUE_FULL: "queue_full",
    Outcome.CLIENT_TIMEOUT: "client_timeout",
}


@dataclass(frozen=True, slots=True)
class Window:
    """What to count: requests asked, and time passed, from `start_s` to `end_s`."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class _Columns:
    """One trace as numpy arrays, with the requests of the window picked out."""

    asked_s: Array
    wait_s: Array
    latency_s: Array
    outcome: Ints
    trace: Trace

    @classmethod
    def of(cls, trace: Trace, window: Window) -> "_Columns":
        asked = np.asarray(trace.asked_s)
        counted = (asked >= window.start_s) & (asked < window.end_s)
        asked = asked[counted]
        granted = np.asarray(trace.granted_s)[counted]
        released = np.asarray(trace.released_s)[counted]
        outcome = np.asarray(trace.outcome)[counted]
        wait = np.where(np.isnan(granted), released, granted) - asked
        served = outcome == Outcome.OK
        return cls(asked, wait[~np.isnan(wait)], (released - asked)[served], outcome, trace)


def measure(
    traces: Sequence[Trace],
    window: Window,
    capacity: int | None,
    notes: Sequence[str] = (),
) -> SimulationResult:
    """Return all numbers of some replications of one scenario.

    `capacity` is the fleet's, or None if the pools have no limit.
    """
    columns = [_Columns.of(trace, window) for trace in traces]
    waits = [one.wait_s for one in columns]
    latencies = [one.latency_s for one in columns]
    waiting = Groups.of(waits)
    outcomes = [one.outcome for one in columns]
    in_use = [_mean_in_use(trace, window) for trace in traces]
    opened = [_opened_in(trace, window) for trace in traces]
    errors = _errors(outcomes)
    return SimulationResult(
        requests=sum(map(len, outcomes)),
        completed=sum(map(len, latencies)),
        throughput_per_s=mean_of([_finished_in(t, window) / window.length_s for t in traces]),
        wait_s=_distribution(waiting),
        latency_s=_distribution(Groups.of(latencies)),
        timeouts=errors.get(FAILURES[Outcome.ACQUIRE_TIMEOUT], 0),
        timeout_ratio=mean_of([_ratio(one, Outcome.ACQUIRE_TIMEOUT) for one in outcomes]),
        errors=errors,
        utilisation=_utilisation(in_use, capacity),
        connections_opened=sum(opened),
        opened_per_s=mean_of([count / window.length_s for count in opened]),
        connections_max=max((_peak_open(trace) for trace in traces), default=0),
        in_use_mean=mean_of(in_use),
        waiting_mean=mean_of([_mean_waiting(trace, window) for trace in traces]),
        timeline=timeline(traces[0], window.end_s),
        survival=survival(waiting.ordered),
        replications=len(traces),
        counted_from_s=window.start_s,
        calls=calls_result(traces, window, lambda values: _distribution(Groups.of(values))),
        truncated=_truncated(traces),
        notes=(*notes, *_notes(traces, waits)),
    )


def _distribution(groups: Groups) -> Distribution:
    percentiles = {f"p{p}": groups.percentile(p) for p in PERCENTILES}
    return Distribution(mean=groups.mean(), max=groups.largest(), **percentiles)


def _errors(outcomes: Sequence[Ints]) -> dict[str, int]:
    counts = Counter(int(outcome) for one in outcomes for outcome in one[one != Outcome.OK])
    return {name: counts[kind] for kind, name in FAILURES.items() if counts[kind]}


def _ratio(outcomes: Ints, kind: Outcome) -> float:
    return float(np.mean(outcomes == kind)) if len(outcomes) else math.nan


def _utilisation(in_use: Sequence[float], capacity: int | None) -> Estimate:
    if capacity is None:
        return Estimate(None)
    return mean_of([busy / capacity for busy in in_use])


def _mean_in_use(trace: Trace, window: Window) -> float:
    return time_average(trace.granted_s, trace.returned_s, window.start_s, window.end_s)


def _mean_waiting(trace: Trace, window: Window) -> float:
    asked, granted, released = (
        np.asarray(c) for c in (trace.asked_s, trace.granted_s, trace.released_s)
    )
    ends = np.where(np.isnan(granted), released, granted)
    return time_average(asked, ends, window.start_s, window.end_s)


def _count_in(times_s: ArrayLike, window: Window) -> int:
    times = np.asarray(times_s)
    return int(((times >= window.start_s) & (times < window.end_s)).sum())


def _opened_in(trace: Trace, window: Window) -> int:
    """Count connections opened; one that was open before the run is not."""
    in_the_run = ~np.isnan(np.asarray(trace.opening_s))
    return _count_in(np.asarray(trace.opened_s)[in_the_run], window)


def _finished_in(trace: Trace, window: Window) -> int:
    served = np.asarray(trace.outcome) == Outcome.OK
    return _count_in(np.asarray(trace.released_s)[served], window)


def _peak_open(trace: Trace) -> int:
    opening, closed = np.asarray(trace.opening_s), np.asarray(trace.closed_s)
    opened = np.where(np.isnan(opening), np.asarray(trace.opened_s), opening)
    closed = closed[~np.isnan(closed)]
    changes = np.concatenate([np.ones(len(opened)), -np.ones(len(closed))])
    order = np.lexsort((changes, np.concatenate([opened, closed])))
    return int(np.cumsum(changes[order]).max(initial=0))


def _truncated(traces: Sequence[Trace]) -> tuple[str, ...]:
    return tuple(sorted({trace.truncated for trace in traces if trace.truncated}))


def _notes(traces: Sequence[Trace], waits: Sequence[Array]) -> list[str]:
    found = [f"Cut short: {why}." for why in _truncated(traces)]
    count = sum(map(len, waits))
    if count < 1000:
        found.append(f"Only {count} requests were counted: p99 needs at least 1000.")
    if len(traces) == 1:
        found.append("One replication has no interval; use at least 2.")
    return found
