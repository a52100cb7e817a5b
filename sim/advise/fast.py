"""Evaluates with the compiled kernel where it is there and plays a scenario, else with SimPy.

Answers are those of the SimPy engine to the last bit, so it does not matter who plays.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sim.advise.counted import Counted, Evaluate, Tick, count, with_simpy
from sim.kernel.batch import Draws, cores
from sim.kernel.coverage import uncovered
from sim.kernel.ready import prepare, why_not
from sim.measure import Window
from sim.scenario import Scenario


def best_evaluator(*, compiles: bool = False) -> Evaluate:
    """Return an evaluator that remembers the requests it drew: candidates share them.

    While the kernel is being compiled it does without, unless it `compiles` here and now.
    """
    return partial(_evaluate, Draws(), uncovered if compiles else why_not)


def _evaluate(
    draws: Draws,
    obstacle: Callable[[Scenario], str],
    scenario: Scenario,
    window: Window,
    replications: range,
    tick: Tick | None = None,
) -> Sequence[Counted]:
    if obstacle(scenario):
        prepare()
        return with_simpy(scenario, window, replications, tick)
    one = partial(_counted, draws, scenario, window, tick or _no_tick)
    with ThreadPoolExecutor(min(cores(), len(replications))) as pool:
        return list(pool.map(one, replications))


def _counted(
    draws: Draws, scenario: Scenario, window: Window, tick: Callable[[], None], number: int
) -> Counted:
    # Late, because numba alone takes as long to import as a page to show.
    from sim.kernel.simulate import seen_in  # noqa: PLC0415

    tick()
    return count(seen_in(scenario, number, draws.of(scenario, number)), window)


def _no_tick() -> None:
    pass
