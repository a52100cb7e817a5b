"""What must hold: the run as it is, and each thing that must be survived, as a case to judge."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pools.kinds import Pool
from sim.advise.counted import Counted
from sim.measure import Window
from sim.run import window_of
from sim.scenario import Scenario

LATE_RATIO_MAX = 0.01
# Kubernetes, Deployment: maxSurge 25 % rounded up, maxUnavailable 25 % rounded down.
DEPLOY_RATIO = 0.25
_AT_ONCE_S = 1e-9
_QUIET_S_MIN = 0.5


@dataclass(frozen=True, slots=True)
class Limit:
    """Requests that miss it may be at most `ratio_max` of all.

    A request misses it if it waits longer than `wait_s_max`, or, where failures count, fails.
    """

    name: str
    ratio_max: float
    wait_s_max: float = math.inf
    counts_failures: bool = True

    def misses(self, counted: Counted) -> int:
        """Count the requests that miss it."""
        missed = counted.wait_s > self.wait_s_max
        if self.counts_failures:
            missed = missed | counted.is_failed
        return int(np.count_nonzero(missed))


@dataclass(frozen=True, slots=True)
class Case:
    """A run and the limits it must keep."""

    name: str
    scenario: Scenario
    window: Window
    limits: tuple[Limit, ...]

    def of(self, pool: Pool) -> Scenario:
        """Return the run with another pool. Raises InvalidSettings if that is too large a run."""
        return replace(self.scenario, pool=pool)


def cases_of(scenario: Scenario) -> tuple[Case, ...]:
    """Return every case that the scenario's goal asks for. The plain run comes first."""
    return tuple(_cases(scenario))


def _cases(scenario: Scenario) -> Iterator[Case]:
    goal, window, limits = scenario.goal, window_of(scenario), tuple(_limits(scenario))
    bare = scenario.without_goal
    if limits:
        yield Case("as it is", bare, window, limits)
        for name, replicas in _fewer(scenario):
            fewer = replace(bare, fleet=replace(bare.fleet, replicas=replicas))
            yield Case(name, fewer, window, limits)
    if goal.burst_requests and not scenario.workload.is_closed:
        yield _burst(scenario)


def _limits(scenario: Scenario) -> Iterator[Limit]:
    goal = scenario.goal
    if goal.wait_s_p99_max:
        yield Limit("wait", LATE_RATIO_MAX, goal.wait_s_p99_max, not goal.failed_ratio_max)
    if goal.failed_ratio_max:
        yield Limit("failures", goal.failed_ratio_max)


def _fewer(scenario: Scenario) -> Iterator[tuple[str, int]]:
    goal, replicas = scenario.goal, scenario.fleet.replicas
    if goal.survives_replica_loss and replicas > 1:
        yield "one replica lost", replicas - 1
    unavailable = math.floor(DEPLOY_RATIO * replicas)
    if (
        goal.survives_deploy
        and unavailable
        and not (goal.survives_replica_loss and unavailable < 2)
    ):
        yield "rolling deploy", replicas - unavailable


def _burst(scenario: Scenario) -> Case:
    """Return a short run at whose end the burst comes; only its own requests are counted."""
    goal, bare = scenario.goal, scenario.without_goal
    at_s = max(scenario.warm_up_s, _QUIET_S_MIN)
    load = replace(
        bare.workload, pattern="spike", spike_at_s=at_s, spike_requests=goal.burst_requests
    )
    run = replace(bare, workload=load, warm_up_s=0.0, duration_s=at_s + goal.burst_wait_s_max)
    limit = Limit("burst", LATE_RATIO_MAX, goal.burst_wait_s_max)
    return Case("burst", run, Window(at_s, at_s + _AT_ONCE_S), (limit,))


def surge_replicas(scenario: Scenario) -> int:
    """Return the replicas that a rolling deploy adds for a while, if it must be survived."""
    return math.ceil(DEPLOY_RATIO * scenario.fleet.replicas) * scenario.goal.survives_deploy


def pools_at_most(scenario: Scenario) -> int:
    """Return the pools that hold connections at once, a deploy's included."""
    fleet = scenario.fleet
    return (fleet.replicas + surge_replicas(scenario)) * fleet.workers


def capacity_allowed(scenario: Scenario) -> int | None:
    """Return the most connections of each pool within the budget, or None if none is asked."""
    if scenario.pool.serves != "database" or not scenario.goal.within_budget:
        return None
    free = scenario.server.slots - scenario.fleet.other_connections
    return max(0, free // pools_at_most(scenario))


def obstacle(scenario: Scenario) -> str:
    """Say why no pool at all can meet the goal, where that is plain before any run."""
    fleet, server, goal = scenario.fleet, scenario.server, scenario.goal
    if goal.survives_replica_loss and fleet.replicas < 2:
        return "The loss of the only replica leaves nobody to serve: it takes at least 2 replicas."
    if capacity_allowed(scenario) == 0:
        return (
            f"The budget leaves no connection for each of the fleet's {pools_at_most(scenario)}"
            f" pools: {server.slots} allowed, {fleet.other_connections} held by others."
        )
    computing = cores_wanted(scenario)
    if computing >= server.cores:
        return (
            f"The load computes on {computing:.3g} cores of the server and there are"
            f" {server.cores}: whoever does not wait in the pool waits in the server, ever longer."
        )
    return ""


def cores_wanted(scenario: Scenario) -> float:
    """Return how many of the server's cores the load keeps busy on average (open workloads)."""
    load = scenario.workload
    if load.is_closed:
        return 0.0
    return (
        load.rate_per_s_mean * load.checkouts_mean * load.work_s_mean * scenario.server.cpu_fraction
    )
