"""The verdict: one title and one sentence, with the number that shows it and the next lever."""

from collections.abc import Callable
from dataclasses import dataclass

from sim.result import SimulationResult
from sim.scenario import Scenario

WAIT_S_WARNING = 0.1
WAIT_S_ERROR = 1.0
UTILISATION_WARNING = 0.7
UTILISATION_ERROR = 0.9
CHURN_WARNING = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to think of a result: `level` is success, warning or error."""

    level: str
    title: str
    sentence: str


def verdict(scenario: Scenario, result: SimulationResult) -> Verdict:
    """Judge a result by the first thing that is wrong with it, worst first.

    Warning lines (wait 100 ms and 1 s, utilisation 70 % and 90 %) are those used in practice.
    """
    for rule in _RULES:
        found = rule(scenario, result)
        if found is not None:
            return found
    return _fine(result)


def _never_served(_: Scenario, result: SimulationResult) -> Verdict | None:
    if result.requests and not result.completed:
        return Verdict("error", "No request is served", _failures(result) + ".")
    return None


def _refused(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    refused = result.errors.get("connect_refused", 0)
    if not refused:
        return None
    return Verdict(
        "error",
        "The server refuses connections",
        f"{_share(refused, result.requests)} of requests fail because the fleet wants more than"
        f" the {scenario.server.slots} connections that max_connections leaves"
        f" ({budget(scenario)}). Make the pools smaller or raise max_connections.",
    )


def _saturated(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    capacity = scenario.capacity
    if scenario.workload.is_closed or capacity is None or scenario.offered_load < capacity:
        return None
    return Verdict(
        "error",
        "More work than the pool can ever do",
        f"Offered load is {scenario.offered_load:.3g} erlangs against a capacity of {capacity}:"
        f" {_growing(result) or _failures(result)}. Shorten the hold, or allow more than"
        f" {int(scenario.offered_load) + 1} connections.",
    )


def _grows(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    growing = _growing(result)
    if not growing:
        return None
    load = f"though the load of {scenario.offered_load:.3g} erlangs would fit its connections"
    return Verdict(
        "error",
        "The queue grows without end",
        f"For as long as this load comes, {growing}, {load}: what is behind the pool cannot keep"
        " up. Ask for less processor time, or shorten the hold.",
    )


def _times_out(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    if not result.timeouts:
        return None
    return Verdict(
        "error",
        "Requests time out in the pool",
        f"{_share(result.timeouts, result.requests)} of requests get no connection within"
        f" {scenario.pool.wait_s_max or 0.0:g} s; {_busy(result)}. Allow more connections or"
        " shorten the hold.",
    )


def _waits(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    p99 = result.wait_s.p99.value
    if p99 is None or p99 < WAIT_S_WARNING:
        return None
    level = "error" if p99 >= WAIT_S_ERROR else "warning"
    hold_s = scenario.hold_s_mean
    return Verdict(
        level,
        "Requests queue for the pool",
        f"1 in 100 waits longer than {_time(p99)}, {p99 / hold_s:.1f} times the mean hold of"
        f" {_time(hold_s)}; {_busy(result)}. Allow more connections or shorten the hold.",
    )


def _churns(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    opened, served = result.opened_per_s.value, result.throughput_per_s.value
    if not opened or not served or opened < CHURN_WARNING * served:
        return None
    return Verdict(
        "warning",
        "Connections are opened and closed all the time",
        f"{opened:.3g} connections are opened each second for {served:.4g} requests, and"
        f" {_share(round(opened * 1000), round(served * 1000))} of requests pay for one."
        f" {_churn_lever(scenario)}",
    )


def _busy_pool(_: Scenario, result: SimulationResult) -> Verdict | None:
    used = result.utilisation.value
    if used is None or used < UTILISATION_WARNING:
        return None
    level = "warning"
    title = "Little room left" if used < UTILISATION_ERROR else "No room left"
    return Verdict(
        level,
        title,
        f"{_busy(result)}, and 99 in 100 wait less than {_wait_p99(result)}; a small rise in"
        " load or hold will show in the waits.",
    )


def _fine(result: SimulationResult) -> Verdict:
    return Verdict(
        "success",
        "The pool keeps up",
        f"99 in 100 requests wait less than {_wait_p99(result)}; {_busy(result)}.",
    )


_RULES: tuple[Callable[[Scenario, SimulationResult], Verdict | None], ...] = (
    _never_served,
    _refused,
    _saturated,
    _grows,
    _times_out,
    _waits,
    _churns,
    _busy_pool,
)


def budget(scenario: Scenario) -> str:
    """Say what the fleet may open, as a sum."""
    fleet, one = scenario.fleet, scenario.pool.capacity
    each = "no limit" if one is None else str(one)
    others = f" + {fleet.other_connections} others" if fleet.other_connections else ""
    total = "" if one is None else f" = {one * fleet.pools + fleet.other_connections}"
    return f"{fleet.replicas} replicas x {fleet.workers} workers x {each}{others}{total}"


def _churn_lever(scenario: Scenario) -> str:
    if scenario.pool.name == "sqlalchemy":
        return "Move max_overflow into pool_size: those connections are kept."
    if scenario.pool.serves == "http":
        return "Keep connections alive: force_close off, keepalive_timeout above the gaps."
    return "Use a pool that keeps its connections."


def _growing(result: SimulationResult) -> str:
    growth = result.growth_per_s
    if growth.value is None:
        return ""
    sure = "" if growth.low is None else f" ({growth.low:.3g} to {growth.high:.3g})"
    return f"{growth.value:.3g} requests more are left waiting each second{sure}"


def _failures(result: SimulationResult) -> str:
    failed = sum(result.errors.values())
    if not failed:
        return "the queue grows for as long as this lasts"
    kinds = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in result.errors.items())
    return f"{_share(failed, result.requests)} of requests fail ({kinds})"


def _busy(result: SimulationResult) -> str:
    in_use = result.in_use_mean.value or 0.0
    if result.utilisation.value is None:
        return f"{in_use:.3g} connections are in use on average"
    share = f"{result.utilisation.value:.0%} of capacity"
    return f"{in_use:.3g} connections are in use on average, {share}"


def _wait_p99(result: SimulationResult) -> str:
    p99 = result.wait_s.p99.value
    return "an unknown time (too few requests for a p99)" if p99 is None else _time(max(p99, 1e-4))


def _share(part: int, whole: int) -> str:
    return f"{100.0 * part / max(whole, 1):.3g} %"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{seconds * 1000.0:.3g} ms"
