"""The verdict: one title and one sentence, with the number that shows it and the next lever."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sim.bottleneck import Bottleneck, bottleneck
from sim.result import SimulationResult
from sim.scenario import Scenario

WAIT_S_WARNING = 0.1
WAIT_S_ERROR = 1.0
UTILISATION_WARNING = 0.7
UTILISATION_ERROR = 0.9
CHURN_WARNING = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to think of a result: `level` is success, warning or error.

    `bottleneck` names what holds the requests up, see sim.bottleneck.
    """

    level: str
    title: str
    sentence: str
    bottleneck: str = "nothing"


def verdict(scenario: Scenario, result: SimulationResult) -> Verdict:
    """Judge a result by the first thing that is wrong with it, worst first.

    Warning lines (wait 100 ms and 1 s, utilisation 70 % and 90 %) are those used in practice.
    """
    name = bottleneck(scenario, result).name
    for rule in _RULES:
        found = rule(scenario, result)
        if found is not None:
            return replace(found, bottleneck=name)
    return replace(_fine(result), bottleneck=name)


def _never_served(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    if not result.requests or result.completed:
        return None
    found = bottleneck(scenario, result)
    why = f" {_begun(found.shown_by)}. {found.lever}" if found.shown_by else ""
    return Verdict("error", "No request is served", f"{_failures(result)}.{why}")


def _never_ending(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    waiting, found = result.waits_for_ever, bottleneck(scenario, result)
    if not waiting or not found.shown_by:
        return None
    return Verdict(
        "error",
        "Requests wait for ever",
        f"{_share(waiting, result.requests)} of requests are never served:"
        f" {found.shown_by}. {found.lever}",
    )


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
        f" {_growing(result) or _failures(result)}. {_relief(scenario, result)}",
    )


def _relief(scenario: Scenario, result: SimulationResult) -> str:
    """Say what would let the pool keep up."""
    found = bottleneck(scenario, result)
    if found.name in ("pool", "nothing"):
        return f"Shorten the hold, or allow more than {int(scenario.offered_load) + 1} connections."
    return f"{_begun(found.shown_by)}. {found.lever}"


def _begun(clause: str) -> str:
    return clause[0].upper() + clause[1:]


def _outlives(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    """Name metastable overload: what failed is over, and the queue grows or calls fail still."""
    growing, still = _growing(result), result.outlasting
    marks = [*scenario.failures.marks(scenario.duration_s)]
    if not marks or not (growing or still):
        return None
    last = max(marks, key=lambda mark: mark.end_s)
    shown = f"{growing} since"
    if still:
        failing, before = (f"{100.0 * one:.3g} %" for one in (still.after, still.before))
        shown = f"long after it {failing} of requests fail ({before} did before it)"
    return Verdict(
        "error",
        "The overload outlives its cause",
        f"{last.label.capitalize()} was over at {last.end_s:g} s, and {shown}: metastable"
        " overload. Only less load ends it: shed requests, and cap retries by a budget.",
    )


def _grows(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    growing = _growing(result)
    if not growing:
        return None
    found = bottleneck(scenario, result)
    cause = found.shown_by or "what is behind the pool cannot keep up"
    return Verdict(
        "error",
        "The queue grows without end",
        f"For as long as this load comes, {growing}, though its {scenario.offered_load:.3g}"
        f" erlangs would fit the connections: {cause}. {found.lever}".rstrip(),
    )


def _times_out(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    if not result.timeouts:
        return None
    return Verdict(
        "error",
        "Requests time out in the pool",
        f"{_share(result.timeouts, result.requests)} of requests get no connection within"
        f" {scenario.pool.wait_s_max or 0.0:g} s; {_cause(scenario, result)}",
    )


def _waits(scenario: Scenario, result: SimulationResult) -> Verdict | None:
    percentile, shown = _tail(result)
    if shown is None or shown < WAIT_S_WARNING:
        return None
    level = "error" if shown >= WAIT_S_ERROR else "warning"
    hold_s = scenario.hold_s_mean
    return Verdict(
        level,
        "Requests queue for the pool",
        f"1 in {100 // (100 - percentile)} waits longer than {_time(shown)},"
        f" {shown / hold_s:.1f} times the mean hold of {_time(hold_s)};"
        f" {_cause(scenario, result)}",
    )


def _cause(scenario: Scenario, result: SimulationResult) -> str:
    """Say what it is and what to change: the busiest part, or the pool."""
    found: Bottleneck = bottleneck(scenario, result)
    if found.name in ("pool", "nothing"):
        lever = found.lever or "Allow more connections or shorten the hold."
        return f"{_busy(result)}. {lever}"
    return f"{found.shown_by}. {found.lever}"


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
        f"{_busy(result)}, and {_most_wait(result)}; a small rise in load or hold will show in"
        " the waits.",
    )


def _fine(result: SimulationResult) -> Verdict:
    said = _most_wait(result).replace("in 100 wait", "in 100 requests wait")
    return Verdict("success", "The pool keeps up", f"{_begun(said)}; {_busy(result)}.")


_RULES: tuple[Callable[[Scenario, SimulationResult], Verdict | None], ...] = (
    _never_served,
    _never_ending,
    _refused,
    _outlives,
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


def _tail(result: SimulationResult) -> tuple[int, float | None]:
    """Return the highest percentile of the wait that is known well enough, and the wait."""
    for percentile in (99, 95, 90):
        known: float | None = getattr(result.wait_s, f"p{percentile}").value
        if known is not None:
            return percentile, known
    return 50, result.wait_s.p50.value


def _most_wait(result: SimulationResult) -> str:
    percentile, wait_s = _tail(result)
    if wait_s is None:
        return "waits are not known (too few requests)"
    return f"{percentile} in 100 wait less than {_time(max(wait_s, 1e-4))}"


def _share(part: int, whole: int) -> str:
    return f"{100.0 * part / max(whole, 1):.3g} %"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{seconds * 1000.0:.3g} ms"
