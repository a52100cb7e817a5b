"""A run as long as its numbers need: replications are added until the interval is narrow enough.

Rule: add as many as the width so far asks for (it shrinks with the square root of their number),
at most doubling each time, and stop when half of the interval is at most the wanted share of the
value. Source: Law, Simulation Modeling and Analysis (2015), sec. 9.4.1, sequential procedure.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pools.trace import Trace
from sim.engine import simulate
from sim.result import Estimate, SimulationResult
from sim.run import measured
from sim.scenario import REQUESTS_MAX, Scenario

FIRST = 10


@dataclass(frozen=True, slots=True)
class Target:
    """How sure a wait must be: half of the 95 % interval over the value of `of`.

    `of` names a number of wait_s: mean, p50, p90, p95 or p99.
    """

    of: str = "p99"
    ratio: float = 0.1


@dataclass(frozen=True, slots=True)
class Budget:
    """What it may cost: simulated requests in all, and seconds of this machine."""

    requests: int = REQUESTS_MAX
    wall_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Reached:
    """A result and how sure it is: `half_ratio` is None while it is not known."""

    result: SimulationResult
    half_ratio: float | None
    is_reached: bool
    is_over: bool


# Simulates one replication; the callable last is called now and then and may raise to cancel.
Play = Callable[[Scenario, int, Callable[[], None] | None], Trace]


def _by_simpy(scenario: Scenario, number: int, tick: Callable[[], None] | None) -> Trace:
    return simulate(scenario, number, tick=tick)


def precise(
    scenario: Scenario,
    target: Target | None = None,
    budget: Budget | None = None,
    tick: Callable[[], None] | None = None,
) -> SimulationResult:
    """Simulate until the target is reached or the budget spent; the notes say which.

    `tick` is called now and then; it may raise to cancel.
    """
    *_, last = steps(scenario, target or Target(), budget or Budget(), tick)
    return last.result


def steps(
    scenario: Scenario,
    target: Target,
    budget: Budget,
    tick: Callable[[], None] | None = None,
    play: Play = _by_simpy,
) -> Iterator[Reached]:
    """Yield what is known after each batch of replications, the last time with the note.

    `play` simulates one replication, and calls `tick` now and then.
    """
    began_s = time.monotonic()
    first = max(FIRST, scenario.replications)
    traces = [play(scenario, number, tick) for number in range(first)]
    while True:
        result = measured(scenario, traces)
        half = half_ratio(getattr(result.wait_s, target.of))
        reached = half is not None and half <= target.ratio
        asked = sum(len(trace.asked_s) for trace in traces)
        each = max(1, asked // len(traces))
        left = (budget.requests - asked) // each
        spent_s = time.monotonic() - began_s
        said = "" if left > 0 else f"{budget.requests} requests are the most that are simulated"
        if spent_s >= budget.wall_s:
            said = f"the time of {budget.wall_s:g} s was spent"
        if result.growth_per_s.value is not None:
            said = "the queue grows"
        is_over = reached or bool(said)
        note = _note(target, half, reached, said) if is_over else ""
        shown = replace(result, notes=(*result.notes, note)) if note else result
        yield Reached(shown, half, reached, is_over)
        if is_over:
            return
        count = len(traces)
        more = min(wanted(count, half, target.ratio) - count, count, left)
        if spent_s:
            more = min(more, max(1, int((budget.wall_s - spent_s) / spent_s * count)))
        traces += [play(scenario, count + k, tick) for k in range(max(1, more))]


def half_ratio(one: Estimate) -> float | None:
    """Return half of the interval over the value; 0 where both are 0, None where not known."""
    if one.value is None or one.low is None or one.high is None:
        return None
    half = (one.high - one.low) / 2.0
    if half == 0.0:
        return 0.0
    return half / one.value if one.value else None


def wanted(count: int, half: float | None, ratio: float) -> int:
    """Return how many replications the width so far asks for.

    >>> wanted(10, 0.2, 0.1), wanted(10, None, 0.1)
    (42, 20)
    """
    if half is None:
        return 2 * count
    return math.ceil(1.05 * count * (half / ratio) ** 2)


def _note(target: Target, half: float | None, is_reached: bool, said: str) -> str:
    known = "not known" if half is None else f"{half:.1%} of it"
    if is_reached:
        return f"Half of the interval of the {target.of} wait is {known}, as asked."
    return (
        f"Half of the interval of the {target.of} wait is {known}, {target.ratio:.0%} was asked:"
        f" {said}."
    )
