"""What one replication says about a goal, and who simulates it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pools.trace import Outcome, Trace
from sim.curves import time_average
from sim.engine import simulate
from sim.kernel.summary import Columns
from sim.measure import Window
from sim.scenario import Scenario

Array = NDArray[np.float64]
Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Counted:
    """One replication: the requests asked in the window, in order of asking.

    `wait_s` runs to the grant, or to the failure of a request that got none; infinity if
    neither ever came. `in_use_mean` is over the whole fleet.
    """

    wait_s: Array
    is_failed: NDArray[np.bool_]
    opened: int
    in_use_mean: float


class Evaluate(Protocol):
    """Simulates some replications of a scenario, by number, and counts each."""

    def __call__(
        self, scenario: Scenario, window: Window, replications: range, tick: Tick | None = None
    ) -> Sequence[Counted]:
        """Return one Counted for each replication, in order. `tick` may raise to cancel."""
        ...


def with_simpy(
    scenario: Scenario, window: Window, replications: range, tick: Tick | None = None
) -> Sequence[Counted]:
    """Evaluate with the SimPy engine, one replication after the other."""
    counted = []
    for number in replications:
        if tick is not None:
            tick()
        counted.append(count(simulate(scenario, number, tick=tick), window))
    return counted


def count(trace: Trace | Columns, window: Window) -> Counted:
    """Count the requests of a run that were asked in the window."""
    asked = np.asarray(trace.asked_s)
    is_in = (asked >= window.start_s) & (asked < window.end_s)
    granted, released = np.asarray(trace.granted_s)[is_in], np.asarray(trace.released_s)[is_in]
    wait = np.where(np.isnan(granted), released, granted) - asked[is_in]
    opening, opened = np.asarray(trace.opening_s), np.asarray(trace.opened_s)
    in_run = ~np.isnan(opening) & (opened >= window.start_s) & (opened < window.end_s)
    return Counted(
        wait_s=np.nan_to_num(wait, nan=math.inf),
        is_failed=np.asarray(trace.outcome)[is_in] != Outcome.OK,
        opened=int(in_run.sum()),
        in_use_mean=time_average(trace.granted_s, trace.returned_s, window.start_s, window.end_s),
    )
