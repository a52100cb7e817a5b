"""What findings cost in a scenario: the same load simulated with the mistake and without it."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from pools.review.finding import Finding
from pools.review.rule import all_rules
from sim.result import Estimate, SimulationResult
from sim.run import run
from sim.scenario import Scenario

REPLICATIONS = 4
_DURATION_S_MIN = 0.5
# What is compared, by name; of a growing queue only the longest wait is known.
_WAITS = (("mean", "mean"), ("p99", "p99"))
_LONGEST = (("longest", "max"),)
_NOTABLE_RATIO = 0.05


def costs(
    findings: Iterable[Finding], scenario: Scenario, tick: Callable[[], None] | None = None
) -> tuple[Finding, ...]:
    """Return the findings with their cost in this scenario, where a number can be had.

    Each rule is simulated once, in short: about 4 000 requests in each of four replications.
    `tick` is called now and then; it may raise to cancel.
    """
    prices: dict[str, str] = {}
    runs: dict[Scenario, SimulationResult] = {}

    def simulate(wanted: Scenario) -> SimulationResult:
        if wanted not in runs:
            runs[wanted] = run(wanted, tick)
        return runs[wanted]

    priced = []
    for finding in findings:
        if finding.rule not in prices:
            prices[finding.rule] = _price(finding.rule, scenario, simulate)
        priced.append(dataclasses.replace(finding, cost=prices[finding.rule]))
    return tuple(priced)


def shortened(scenario: Scenario, requests: int) -> Scenario:
    """Return the scenario with about so many requests in each replication, under the same load."""
    if scenario.workload.pattern == "spike":
        return dataclasses.replace(scenario, replications=min(scenario.replications, REPLICATIONS))
    per_s = scenario.requests_expected / scenario.duration_s
    wanted_s = requests / per_s if per_s else scenario.duration_s
    duration_s = max(_DURATION_S_MIN, min(scenario.duration_s, wanted_s))
    return dataclasses.replace(
        scenario,
        duration_s=duration_s,
        warm_up_s=min(scenario.warm_up_s, duration_s / 4),
        replications=REPLICATIONS,
    )


def _price(rule: str, scenario: Scenario, simulate: Callable[[Scenario], SimulationResult]) -> str:
    known = all_rules().get(rule)
    asked = known.what_if(scenario) if known is not None and known.what_if is not None else None
    if asked is None:
        return ""
    if asked.mistaken is None or asked.fixed is None or asked.mistaken == asked.fixed:
        return asked.said
    mistaken, fixed = (
        simulate(shortened(one, asked.requests)) for one in (asked.mistaken, asked.fixed)
    )
    said = f"{asked.said} " if asked.said else ""
    differences = "; ".join(_differences(mistaken, fixed)) or "no measurable difference"
    return f"{said}Simulated, {asked.label}: {differences}."


def _differences(mistaken: SimulationResult, fixed: SimulationResult) -> Iterator[str]:
    """Yield the numbers that differ beyond their uncertainty."""
    growths = mistaken.growth_per_s.value or 0.0, fixed.growth_per_s.value or 0.0
    if any(growths):
        yield f"the queue grows by {growths[0]:.3g} requests/s instead of {growths[1]:.3g}"
    for name, field in _LONGEST if any(growths) else _WAITS:
        one, other = getattr(mistaken.wait_s, field), getattr(fixed.wait_s, field)
        if _differ(one, other):
            yield f"{name} wait {_seconds(one)} instead of {_seconds(other)}"
    failed = _failed(mistaken), _failed(fixed)
    if abs(failed[0] - failed[1]) > 0.001:
        yield f"{_share(failed[0])} of requests fail instead of {_share(failed[1])}"
    opened = mistaken.opened_per_s.value or 0.0, fixed.opened_per_s.value or 0.0
    if max(opened) > 2 * min(opened) + 1:
        yield f"{opened[0]:.3g} connects/s instead of {opened[1]:.3g}"


def _differ(one: Estimate, other: Estimate) -> bool:
    """Whether two estimates differ by 5 %, and their intervals do not meet."""
    if one.value is None or other.value is None:
        return False
    if abs(one.value - other.value) <= _NOTABLE_RATIO * max(one.value, other.value):
        return False
    lower, upper = sorted((one, other), key=lambda estimate: estimate.value or 0.0)
    return lower.high is None or upper.low is None or lower.high < upper.low


def _failed(result: SimulationResult) -> float:
    return sum(result.errors.values()) / result.requests if result.requests else 0.0


def _share(ratio: float) -> str:
    return f"{100 * ratio:.3g} %" if ratio else "none"


def _seconds(one: Estimate) -> str:
    if one.value is None:
        return "not known"
    scale, unit = (1.0, "s") if one.value >= 1 else (1000.0, "ms")
    said = f"{one.value * scale:.3g} {unit}"
    if one.low is None or one.high is None:
        return said
    return f"{said} ({max(0.0, one.low) * scale:.3g} to {one.high * scale:.3g})"
