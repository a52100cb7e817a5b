"""Evaluates with the compiled kernel where it plays a scenario, on all cores, else with SimPy.

Answers are those of the SimPy engine to the last bit, so it does not matter who plays.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sim.advise.counted import Counted, Evaluate, Tick, count, with_simpy
from sim.kernel.batch import Draws
from sim.kernel.coverage import covers
from sim.kernel.simulate import columns_of, played
from sim.measure import Window
from sim.scenario import Scenario


def with_kernel() -> Evaluate:
    """Return an evaluator that remembers the requests it drew: candidates share them."""
    return partial(_evaluate, Draws())


def _evaluate(
    draws: Draws,
    scenario: Scenario,
    window: Window,
    replications: range,
    tick: Tick | None = None,
) -> Sequence[Counted]:
    if covers(scenario):
        return with_simpy(scenario, window, replications, tick)
    one = partial(_counted, draws, scenario, window, tick or _no_tick)
    if len(replications) == 1:
        return [one(replications[0])]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(one, replications))


def _counted(
    draws: Draws, scenario: Scenario, window: Window, tick: Callable[[], None], number: int
) -> Counted:
    tick()
    return count(columns_of(played(scenario, number, draws.of(scenario, number))), window)


def _no_tick() -> None:
    pass
