"""Run a scenario: all its replications, measured."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pools.trace import Trace
from sim.calls import outlasting
from sim.engine import simulate
from sim.growth import growth_per_s, without_steady_state
from sim.limits import COMPUTING_S_MAX
from sim.measure import Window, measure
from sim.recorded import Recording
from sim.result import SimulationResult
from sim.scenario import Scenario
from sim.warm_up import settled_s, settles, settling_s

# How a trace says that a limit stopped it, or its users: nothing after that is counted.
STOPPED = "stopped"


def run(
    scenario: Scenario,
    tick: Callable[[], None] | None = None,
    recording: Recording | None = None,
) -> SimulationResult:
    """Simulate every replication and measure them together.

    `tick` is called now and then; it may raise to cancel. A `recording` is played in place of
    the scenario's arrivals.
    """
    *_, whole = answers(scenario, tick, recording)
    return whole


def answers(
    scenario: Scenario,
    tick: Callable[[], None] | None = None,
    recording: Recording | None = None,
) -> Iterator[SimulationResult]:
    """Answer after the first replication, without intervals, and again after all of them.

    One replication alone is one answer. `tick` and `recording` as in `run`.
    """
    simulated = _simulated(scenario, tick, recording)
    notes = [*recording.notes(scenario)] if recording else _nothing_recorded(scenario)
    traces = [next(simulated)]
    if scenario.replications > 1:
        yield measured(scenario, traces, notes)
        traces += simulated
    yield _whole(scenario, measured(scenario, traces, notes))


def _simulated(
    scenario: Scenario, tick: Callable[[], None] | None, recording: Recording | None
) -> Iterator[Trace]:
    left_s = COMPUTING_S_MAX
    for number in range(scenario.replications):
        if number and left_s <= 0.0:
            return
        began_s = time.thread_time()
        arrivals = recording.arrivals(scenario, number) if recording else None
        trace = simulate(scenario, number, arrivals, tick, computing_s=left_s)
        left_s -= time.thread_time() - began_s
        yield trace


def _whole(scenario: Scenario, result: SimulationResult) -> SimulationResult:
    """Return a result that says how many replications are missing, if any."""
    done, wanted = result.replications, scenario.replications
    if done == wanted:
        return result
    why = f"{done} of {wanted} replications took the {COMPUTING_S_MAX:g} s an answer may compute"
    notes = (*result.notes, f"Cut short: {why}.")
    return replace(result, truncated=(*result.truncated, why), notes=notes)


def _nothing_recorded(scenario: Scenario) -> list[str]:
    if scenario.workload.pattern != "recorded":
        return []
    return ["Nothing arrives: pattern recorded plays a file, and none is given."]


def measured(
    scenario: Scenario, traces: Sequence[Trace], notes: Sequence[str] = ()
) -> SimulationResult:
    """Measure replications of a scenario: where they have settled, or how the queue grows."""
    window = settled_window(scenario, traces)
    said = [*notes, *unstable_notes(scenario), *_short_notes(scenario, window)]
    result = measure(traces, window, scenario.capacity, said)
    result = replace(result, outlasting=outlasting(scenario, traces))
    return without_steady_state(scenario, result, growth_per_s(scenario, traces, window))


def window_of(scenario: Scenario) -> Window:
    """Return what counts at most: everything after `warm_up_s`, until arrivals end."""
    return Window(scenario.warm_up_s, scenario.duration_s)


def settled_window(scenario: Scenario, traces: Sequence[Trace]) -> Window:
    """Return what counts: from when the run has settled, until arrivals or a limit end it."""
    stopped = [max(trace.asked_s) for trace in traces if trace.truncated.startswith(STOPPED)]
    end_s = min([scenario.duration_s, *stopped]) or scenario.duration_s
    start_s = settled_s(scenario, traces)
    return Window(start_s if start_s < end_s else 0.0, end_s)


def _short_notes(scenario: Scenario, window: Window) -> list[str]:
    wanted_s = settling_s(scenario) if scenario.warm_up_s and settles(scenario) else 0.0
    if wanted_s <= max(window.start_s, scenario.warm_up_s):
        return []
    said = (
        f"This load takes about {wanted_s:.3g} s to settle, duration_s is {scenario.duration_s:g} s"
    )
    return [f"{said}: waits are still on their way up. Lengthen duration_s."]


def unstable_notes(scenario: Scenario) -> list[str]:
    """Say where the numbers describe a queue that grows for as long as the run lasts."""
    capacity = scenario.capacity
    if scenario.workload.is_closed or capacity is None or scenario.offered_load < capacity:
        return []
    load = f"Offered load ({scenario.offered_load:.3g} erlangs) reaches capacity ({capacity})"
    return [f"{load}: the queue grows while this lasts, so waits depend on duration_s."]
