"""Two scenarios side by side: their numbers, what differs and how sure that is, their curves.

The differences are those of sim.difference: paired replications under the same load.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pools.setting import Value
from pools.trace import Trace
from sim.difference import Difference, common_window, compared, seen_in
from sim.engine import simulate
from sim.measure import Window, measure
from sim.query import to_values
from sim.result import SimulationResult
from sim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario and all its replications."""

    scenario: Scenario
    traces: tuple[Trace, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A beside B, both counted over the same part of the run; `replications` are those of both.

    `differences` are by name, as in sim.difference; B less A.
    """

    a: SimulationResult
    b: SimulationResult
    differences: dict[str, Difference]
    settings: dict[str, tuple[Value | None, Value | None]]
    replications: int
    window: Window


def play(scenario: Scenario, tick: Callable[[], None] | None = None) -> Played:
    """Simulate all replications of a scenario."""
    numbers = range(scenario.replications)
    return Played(scenario, tuple(simulate(scenario, number, tick=tick) for number in numbers))


def compare(a: Played, b: Played) -> Comparison:
    """Measure how B differs from A."""
    window = common_window(a.scenario, b.scenario)
    count = min(len(a.traces), len(b.traces))
    both = [(one.traces[:count], one.scenario.capacity) for one in (a, b)]
    whole = [measure(traces, window, capacity) for traces, capacity in both]
    seen = [[seen_in(trace, window) for trace in traces] for traces, _ in both]
    return Comparison(
        a=whole[0],
        b=whole[1],
        differences=compared(*seen),
        settings=differing(a.scenario, b.scenario),
        replications=count,
        window=window,
    )


def differing(a: Scenario, b: Scenario) -> dict[str, tuple[Value | None, Value | None]]:
    """Return the settings that differ, by query name; None where a kind does not have it."""
    before, after = to_values(a.without_goal), to_values(b.without_goal)
    names = [*before, *(name for name in after if name not in before)]
    pairs = ((name, before.get(name), after.get(name)) for name in names)
    return {name: (old, new) for name, old, new in pairs if old != new}
