"""What holds the requests up: the part that is busiest, the number that shows it, its lever.

The order follows cause before effect: refused connections, requests that never end, then what
works at its limit behind the pool (event loop, cores), then the hold, and the pool itself last,
since a pool that is full because of something behind it does not gain from being larger.
"""

from dataclasses import dataclass

from sim.result import SimulationResult
from sim.scenario import Scenario
from sim.theory import smallest_capacity

# Lines used in practice: an event loop above 70 % adds waits of its own, cores queue above 90 %.
LOOP_BUSY = 0.7
CORES_BUSY = 0.9
LONG_HOLD_S = 0.5
COMPUTES_LITTLE = 0.2
WAIT_S_GOAL = 0.1


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Which part it is, in one clause with its number, and what to change next.

    `name` is pool, database cores, connection budget, event loop, hold time, retries, leak,
    deadlock or nothing.
    """

    name: str
    shown_by: str = ""
    lever: str = ""


NOTHING = Bottleneck("nothing")


def bottleneck(scenario: Scenario, result: SimulationResult) -> Bottleneck:
    """Return what holds the requests up, or nothing."""
    if result.errors.get("connect_refused"):
        return _budget(scenario, result)
    if result.outlasting is not None:
        return _retries(scenario)
    if scenario.client.leak_share and _is_pool_full(scenario, result):
        return _leak(scenario)
    if result.waits_for_ever or (_nests(scenario) and result.timeouts):
        return _deadlock(result)
    loop, cores = loop_use(scenario, result), core_use(scenario, result)
    if loop >= LOOP_BUSY and loop >= cores:
        return _loop(loop)
    if cores >= CORES_BUSY:
        return _cores(scenario, cores)
    if not _is_pool_full(scenario, result):
        return NOTHING
    if _is_hold_long(scenario):
        return _hold(scenario)
    return _retries(scenario) if _asks_again(scenario, result) else _pool(scenario, result)


def loop_use(scenario: Scenario, result: SimulationResult) -> float:
    """Return how much of each worker's event loop the load asks for; above 1 is too much."""
    return _rate_per_s(scenario, result) * scenario.worker.loop_cpu_s / scenario.fleet.pools


def core_use(scenario: Scenario, result: SimulationResult) -> float:
    """Return how much of the server's free cores the load asks for; above 1 is too much."""
    server = scenario.server
    load = scenario.workload
    each_s = load.work_s_mean * (1.0 if load.is_closed else load.checkouts_mean)
    computing_s = server.cpu_fraction * each_s
    free = max(server.cores - server.other_cores, 1e-9)
    return _rate_per_s(scenario, result) * computing_s / free


def _rate_per_s(scenario: Scenario, result: SimulationResult) -> float:
    if scenario.workload.is_closed:
        return result.throughput_per_s.value or 0.0
    return scenario.workload.rate_per_s_mean


def _is_pool_full(scenario: Scenario, result: SimulationResult) -> bool:
    times = result.wait_s
    known = [one.value for one in (times.p99, times.p95, times.p90, times.mean) if one.value]
    if (
        result.timeouts
        or result.growth_per_s.value is not None
        or max(known, default=0.0) >= WAIT_S_GOAL
    ):
        return scenario.capacity is not None
    used = result.utilisation.value
    return used is not None and used >= CORES_BUSY


def _nests(scenario: Scenario) -> bool:
    return any(one.nested for one in scenario.workload.request_classes)


def _asks_again(scenario: Scenario, result: SimulationResult) -> bool:
    """Whether retries alone make the load too much."""
    client, capacity = scenario.client, scenario.capacity
    fits = capacity is not None and scenario.offered_load < capacity
    failed = result.errors or (result.calls is not None and result.calls.failed_ratio.value)
    return bool(client.retries and not client.retry_budget and failed) and fits


def _is_hold_long(scenario: Scenario) -> bool:
    if scenario.workload.awaits and scenario.hold_s_mean >= 2.0 * scenario.workload.shape_s_mean:
        return True
    computes = scenario.server.cpu_fraction * scenario.workload.work_s_mean
    return (
        scenario.hold_s_mean >= LONG_HOLD_S and computes <= COMPUTES_LITTLE * scenario.hold_s_mean
    )


def _budget(scenario: Scenario, result: SimulationResult) -> Bottleneck:
    share = result.errors["connect_refused"] / max(1, result.requests)
    return Bottleneck(
        "connection budget",
        f"the server refuses {share:.3g} of the requests a connection:"
        f" {scenario.server.slots} is all it has",
        "Make the pools smaller, raise max_connections, or put PgBouncer between.",
    )


def _leak(scenario: Scenario) -> Bottleneck:
    share = scenario.client.leak_share
    per_s = scenario.workload.rate_per_s_mean * share / scenario.fleet.pools
    each = scenario.pool.capacity or 0
    lasts = f", so that a pool of {each} is empty after {each / per_s:.3g} s" if per_s else ""
    return Bottleneck(
        "leak",
        f"{share:.3g} of the checkouts never return their connection{lasts}",
        "Release in `async with`; a larger pool only lasts longer.",
    )


def _retries(scenario: Scenario) -> Bottleneck:
    most = scenario.offered_load * (1 + scenario.client.retries)
    return Bottleneck(
        "retries",
        f"failures are asked again up to {scenario.client.retries} times without a budget, which"
        f" makes {scenario.offered_load:.3g} erlangs up to {most:.3g}",
        "Give retries a budget (0.1 for each request) and back off with jitter.",
    )


def _deadlock(result: SimulationResult) -> Bottleneck:
    return Bottleneck(
        "deadlock",
        f"{result.errors.get('unfinished', 0) + result.timeouts} requests wait for connections"
        " that others hold while they wait themselves",
        "Take one connection per request; a pool needs one more than those that wait can hold.",
    )


def _loop(use: float) -> Bottleneck:
    return Bottleneck(
        "event loop",
        f"requests ask for {use:.0%} of each worker's event loop",
        "Run more workers, or compute less per request; a larger pool changes nothing.",
    )


def _cores(scenario: Scenario, use: float) -> Bottleneck:
    return Bottleneck(
        "database cores",
        f"queries ask for {use:.0%} of the server's {scenario.server.cores} cores",
        "Make queries cheaper or add cores; a larger pool moves the wait into the database.",
    )


def _hold(scenario: Scenario) -> Bottleneck:
    most = (scenario.capacity or 0) / scenario.hold_s_mean
    return Bottleneck(
        "hold time",
        f"a request keeps its connection for {scenario.hold_s_mean:.3g} s, so that"
        f" {scenario.capacity} connections serve at most {most:.3g} requests/s",
        "Release the connection before the slow call; size the pool afterwards.",
    )


def _pool(scenario: Scenario, result: SimulationResult) -> Bottleneck:
    used = result.utilisation.value or 0.0
    lever = "Allow more connections or shorten the hold."
    if not scenario.workload.is_closed:
        each = scenario.workload.rate_per_s_mean / scenario.fleet.pools
        enough = smallest_capacity(each, scenario.hold_s_mean, 99.0, WAIT_S_GOAL)
        if scenario.pool.capacity is not None and enough > scenario.pool.capacity:
            lever = f"Allow {enough} connections in each pool, or shorten the hold."
    return Bottleneck("pool", f"{used:.0%} of the connections are in use", lever)
