"""Where alerts and dashboards draw their lines: from the simulation, else as used in practice.

Each line is at least the one in common use (wait 100 ms and 1 s, utilisation 70 % and 90 %, 1
and 10 failed acquires a minute) and lies above what the simulation shows for this scenario: an
alert that fires on a normal day is switched off.
"""

import math
from collections.abc import Mapping

from pools.codegen.reason import Value, by_rule
from sim.result import SimulationResult
from sim.scenario import Scenario
from sim.verdict import UTILISATION_ERROR, UTILISATION_WARNING, WAIT_S_ERROR, WAIT_S_WARNING

FAILED_PER_MIN_WARNING = 1.0
FAILED_PER_MIN_CRITICAL = 10.0
WAITS_WARNING = 2.0
WAITS_CRITICAL = 10.0
OF_TIMEOUT_WARNING = 0.5
OF_TIMEOUT_CRITICAL = 0.9
RATE_FACTOR = 2.0
REFILL_S = 60.0
OVERFLOW_WARNING = 0.5
OVERFLOW_CRITICAL = 0.8
PRACTICE = "warning lines in common use"
SIMULATED = "the simulated scenario"


def thresholds(scenario: Scenario, result: SimulationResult | None) -> Mapping[str, Value]:
    """Return the lines by name: waits in s, utilisation 0..1, rates per second or minute."""
    return (
        _waits(scenario, result)
        | _utilisation(result)
        | _failures(scenario, result)
        | _churn(scenario, result)
        | _overflow()
    )


def _waits(scenario: Scenario, result: SimulationResult | None) -> dict[str, Value]:
    p99_s = result.wait_s.p99.value if result else None
    limit_s = scenario.pool.wait_s_max
    lines = {
        "wait_s_warning": (WAIT_S_WARNING, WAITS_WARNING, OF_TIMEOUT_WARNING),
        "wait_s_critical": (WAIT_S_ERROR, WAITS_CRITICAL, OF_TIMEOUT_CRITICAL),
    }
    return {name: _wait(name, *line, p99_s, limit_s) for name, line in lines.items()}


def _wait(
    name: str, low_s: float, factor: float, share: float, p99_s: float | None, limit_s: float | None
) -> Value:
    line_s, sentence, source = low_s, f"{low_s:g} s.", PRACTICE
    if p99_s is not None:
        line_s, source = max(low_s, _rounded(factor * p99_s)), SIMULATED
        sentence = f"{factor:g} x the simulated p99 of {p99_s * 1e3:.3g} ms, at least {low_s:g} s."
    if limit_s is not None and line_s > share * limit_s:
        line_s, source = _rounded(share * limit_s), "the pool's own timeout"
        sentence = f"{share:.0%} of the timeout of {limit_s:g} s: above it, nobody waits."
    return by_rule(name, float(line_s), sentence, source)


def _utilisation(result: SimulationResult | None) -> dict[str, Value]:
    used = result.utilisation.value if result else None
    warning, critical = UTILISATION_WARNING, UTILISATION_ERROR
    sentences, source = ("70 % of the pool.", "90 % of the pool."), PRACTICE
    if used is not None:
        warning = round(max(warning, (1.0 + min(used, 1.0)) / 2.0), 3)
        critical = round(max(critical, (1.0 + warning) / 2.0), 3)
        source = SIMULATED
        sentences = (
            f"Halfway from the simulated {used:.0%} to full, at least 70 %.",
            "Halfway from the warning to full, at least 90 %.",
        )
    # At 1 the pool can never be above the line.
    made = (min(warning, 0.98), min(critical, 0.99))
    names = ("utilisation_warning", "utilisation_critical")
    return {
        name: by_rule(name, line, sentence, source)
        for name, line, sentence in zip(names, made, sentences, strict=True)
    }


def _failures(scenario: Scenario, result: SimulationResult | None) -> dict[str, Value]:
    seen = 0.0
    if result:
        counted_s = (scenario.duration_s - scenario.warm_up_s) * result.replications
        seen = 60.0 * result.timeouts / counted_s
    lows = {
        "failed_per_min_warning": FAILED_PER_MIN_WARNING,
        "failed_per_min_critical": FAILED_PER_MIN_CRITICAL,
    }
    return {
        name: by_rule(
            name,
            float(max(low, _rounded(RATE_FACTOR * seen))),
            f"{low:g} a minute, or {RATE_FACTOR:g} x the simulated {seen:.3g}.",
            SIMULATED if result else PRACTICE,
        )
        for name, low in lows.items()
    }


def _churn(scenario: Scenario, result: SimulationResult | None) -> dict[str, Value]:
    seen = (result.opened_per_s.value if result else None) or 0.0
    refill = (scenario.capacity or 0) / REFILL_S
    line = float(max(_rounded(RATE_FACTOR * seen), _rounded(refill), 0.1))
    sentence = (
        f"{RATE_FACTOR:g} x the simulated {seen:.3g} /s, or opening the whole fleet's pools in"
        f" {REFILL_S:g} s, whichever is more."
    )
    source = SIMULATED if result else "the pool's size"
    return {"opened_per_s": by_rule("opened_per_s", line, sentence, source)}


def _overflow() -> dict[str, Value]:
    lines = {"overflow_warning": OVERFLOW_WARNING, "overflow_critical": OVERFLOW_CRITICAL}
    return {
        name: by_rule(name, line, f"{line:.0%} of the overflow.", PRACTICE)
        for name, line in lines.items()
    }


def _rounded(number: float) -> float:
    """Round up to two significant digits."""
    if number <= 0.0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    return float(f"{math.ceil(number / step - 1e-9) * step:.6g}")
