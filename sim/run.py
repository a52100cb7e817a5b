"""Run a scenario: all its replications, measured."""

from collections.abc import Callable, Iterator, Sequence

from pools.trace import Trace
from sim.engine import simulate
from sim.measure import Window, measure
from sim.result import SimulationResult
from sim.scenario import Scenario


def run(scenario: Scenario, tick: Callable[[], None] | None = None) -> SimulationResult:
    """Simulate every replication and measure them together.

    `tick` is called now and then; it may raise to cancel.
    """
    *_, whole = answers(scenario, tick)
    return whole


def answers(
    scenario: Scenario, tick: Callable[[], None] | None = None
) -> Iterator[SimulationResult]:
    """Answer after the first replication, without intervals, and again after all of them.

    One replication alone is one answer. `tick` as in `run`.
    """
    simulated = (simulate(scenario, number, tick=tick) for number in range(scenario.replications))
    traces = [next(simulated)]
    if scenario.replications > 1:
        yield _measured(scenario, traces)
        traces += simulated
    yield _measured(scenario, traces)


def _measured(scenario: Scenario, traces: Sequence[Trace]) -> SimulationResult:
    return measure(traces, window_of(scenario), scenario.capacity, unstable_notes(scenario))


def window_of(scenario: Scenario) -> Window:
    """Return what counts: everything after the warm-up, until arrivals end."""
    return Window(scenario.warm_up_s, scenario.duration_s)


def unstable_notes(scenario: Scenario) -> list[str]:
    """Say where the numbers describe a queue that grows for as long as the run lasts."""
    capacity = scenario.capacity
    if scenario.workload.is_closed or capacity is None or scenario.offered_load < capacity:
        return []
    load = f"Offered load ({scenario.offered_load:.3g} erlangs) reaches capacity ({capacity})"
    return [f"{load}: the queue grows while this lasts, so waits depend on duration_s."]
