"""Finer and finer numbers of one scenario, for as long as somebody looks.

    for result in refined(scenario): show(result)     closing the iterator cancels

The first result is that of the scenario's own replications; each next one has twice as many.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from pools.trace import Trace
from sim.kernel.batch import cores
from sim.kernel.ready import trace_of, why_not
from sim.result import Estimate, SimulationResult
from sim.run import measured
from sim.scenario import Scenario

RATIO = 0.05
LEAST_S = 1e-4
REQUESTS_MAX = 2_000_000


def refined(
    scenario: Scenario,
    ratio: float = RATIO,
    requests_max: int = REQUESTS_MAX,
    tick: Callable[[], None] | None = None,
) -> Iterator[SimulationResult]:
    """Yield results with shrinking intervals until p99 of the wait is known well enough.

    That is half an interval of `ratio` of the value, or 0.1 ms, or `requests_max` requests.
    Where the kernel does not play, the first result is the only one, by SimPy. `tick` is called
    between replications; it may raise to cancel.
    """
    traces: list[Trace] = []
    wanted = scenario.replications
    with ThreadPoolExecutor(cores(), thread_name_prefix="refine") as pool:
        while True:
            under_way = [
                pool.submit(trace_of, scenario, number) for number in range(len(traces), wanted)
            ]
            traces += _gathered(under_way, tick)
            result = measured(scenario, traces)
            yield result
            requests = sum(len(trace.asked_s) for trace in traces)
            is_enough = _is_known(result.wait_s.p99, ratio) or 2 * requests > requests_max
            if is_enough or why_not(scenario):
                return
            wanted = 2 * len(traces)


def _gathered(under_way: list[Future[Trace]], tick: Callable[[], None] | None) -> Iterator[Trace]:
    try:
        for one in under_way:
            if tick is not None:
                tick()
            yield one.result()
    finally:
        for one in under_way:
            one.cancel()


def _is_known(one: Estimate, ratio: float) -> bool:
    if one.value is None or one.low is None or one.high is None:
        return False
    return (one.high - one.low) / 2.0 <= max(ratio * one.value, LEAST_S)
