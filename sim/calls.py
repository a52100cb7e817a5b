"""What clients wanted, where one of their requests may be several checkouts or attempts.

A row of the trace is one checkout; a call is what a client wanted, from its first attempt until
it had its answer or gave up for good.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pools.trace import Calls, Outcome, Trace
from sim.estimate import mean_of
from sim.result import CallsResult, Distribution, Estimate, Overload
from sim.scenario import Scenario
from sim.warm_up import STEADY

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sim.measure import Window

    Floats = NDArray[np.float64]

# A share of failed calls that is no accident, and no remainder of what was there before.
FAILED_MIN, TIMES = 0.2, 5.0


def calls_result(
    traces: Sequence[Trace],
    window: "Window",
    distribution: "Callable[[Sequence[Floats]], Distribution]",
) -> CallsResult | None:
    """Return what became of the calls asked in a window; None if no trace has calls."""
    counted = [_Counted(trace.calls, window) for trace in traces if trace.calls is not None]
    if not counted:
        return None
    return CallsResult(
        calls=sum(len(one.failed) for one in counted),
        failed_ratio=_mean([one.failed for one in counted]),
        attempts_mean=_mean([one.attempts for one in counted]),
        latency_s=distribution([one.latency_s for one in counted]),
    )


def failed_between(traces: Sequence[Trace], start_s: float, end_s: float) -> float | None:
    """Return the share of calls asked in a stretch that failed; None if there were none."""
    found = []
    for trace in traces:
        if trace.calls is None:
            continue
        asked_s = np.asarray(trace.calls.asked_s)
        inside = (asked_s >= start_s) & (asked_s < end_s)
        found.append(np.asarray(trace.calls.outcome)[inside] != Outcome.OK)
    every = np.concatenate(found) if found else np.empty(0)
    return float(every.mean()) if len(every) else None


def outlasting(scenario: Scenario, traces: Sequence[Trace]) -> Overload | None:
    """Return how many calls still fail when what broke is over, if it is many more than before.

    Judged in the second half of what is left of the run: clients have had time to calm down.
    """
    marks = [*scenario.failures.marks(scenario.duration_s)]
    steady = scenario.workload.pattern in STEADY and not scenario.client.leak_share
    if not marks or not steady or not scenario.client.retries:
        return None
    begin_s = min(mark.start_s for mark in marks)
    over_s = max(mark.end_s for mark in marks)
    calm_s = (over_s + scenario.duration_s) / 2.0
    before = failed_between(traces, min(scenario.warm_up_s, begin_s), begin_s)
    after = failed_between(traces, calm_s, scenario.duration_s)
    if before is None or after is None or after < FAILED_MIN or after < TIMES * before:
        return None
    return Overload(before, after)


class _Counted:
    """The calls of one replication that were asked in a window."""

    def __init__(self, calls: Calls, window: "Window") -> None:
        asked_s, ended_s = np.asarray(calls.asked_s), np.asarray(calls.ended_s)
        inside = (asked_s >= window.start_s) & (asked_s < window.end_s)
        self.failed = (np.asarray(calls.outcome) != Outcome.OK)[inside]
        self.attempts = np.asarray(calls.attempts)[inside]
        self.latency_s = (ended_s - asked_s)[inside][~self.failed]


def _mean(groups: "Sequence[NDArray[np.bool_ | np.int64]]") -> Estimate:
    return mean_of([float(np.mean(one)) for one in groups if len(one)])
