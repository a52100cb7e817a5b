"""Where to begin: the closed form's answer for each pool, as if it were an M/M/c queue."""

import math

from sim.advise.sizing import CONNECTIONS_MAX
from sim.scenario import Scenario
from sim.theory import smallest_capacity

# A goal of no wait at all has no closed form; a hundredth of the hold has.
_WAIT_HOLDS_MIN = 0.01


def closed_form(scenario: Scenario) -> int:
    """Return the connections of each pool from which to search."""
    goal, hold_s = scenario.goal, scenario.hold_s_mean
    rate_per_s = _rate_per_s(scenario) / scenario.fleet.pools
    wait_s, percentile = goal.wait_s_p99_max, 99.0
    if not wait_s:
        wait_s = scenario.pool.wait_s_max or goal.caller_s
        percentile = 100.0 * (1.0 - (goal.failed_ratio_max or 0.01))
    if rate_per_s * hold_s >= CONNECTIONS_MAX:
        return CONNECTIONS_MAX
    steady = smallest_capacity(
        rate_per_s, hold_s, percentile, max(wait_s, _WAIT_HOLDS_MIN * hold_s)
    )
    if not goal.burst_requests:
        return steady
    burst = goal.burst_requests / scenario.fleet.pools * hold_s / goal.burst_wait_s_max
    return max(steady, math.ceil(rate_per_s * hold_s + burst))


def _rate_per_s(scenario: Scenario) -> float:
    load = scenario.workload
    if not load.is_closed:
        return load.rate_per_s_max
    return load.users / (scenario.hold_s_mean + load.pause_s_mean)
