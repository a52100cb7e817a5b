"""Variants of a scenario: the same in all but one thing. None where it cannot be run."""

import dataclasses
from typing import Any

from pools.kinds import Pool
from pools.setting import InvalidSettings, Value
from sim.scenario import Scenario

OVERLOAD_REQUESTS = 20_000


def on_pool(scenario: Scenario, pool: Pool) -> Scenario | None:
    """Return the scenario with another pool."""
    try:
        return dataclasses.replace(scenario, pool=pool)
    except InvalidSettings:
        return None


def with_pool(scenario: Scenario, **settings: Value) -> Scenario | None:
    """Return the scenario with other settings of its pool."""
    changed: dict[str, Any] = settings
    try:
        return on_pool(scenario, dataclasses.replace(scenario.pool, **changed))
    except InvalidSettings:
        return None


def with_workload(scenario: Scenario, **settings: Value) -> Scenario | None:
    """Return the scenario under another load."""
    changed: dict[str, Any] = settings
    try:
        load = dataclasses.replace(scenario.workload, **changed)
        return dataclasses.replace(scenario, workload=load)
    except InvalidSettings:
        return None


def with_hold_added(scenario: Scenario, seconds: float) -> Scenario | None:
    """Return the scenario with a longer hold, if the hold is given by its mean."""
    if not scenario.workload.is_hold_by_mean:
        return None
    return with_workload(scenario, hold_s_mean=scenario.workload.hold_s_mean + seconds)


def overload(scenario: Scenario, ratio: float) -> Scenario | None:
    """Return the scenario with arrivals of `ratio` times what its pools can do.

    None for a closed loop, which cannot be overloaded, and for a pool without a limit.
    """
    capacity = scenario.capacity
    if capacity is None or scenario.workload.is_closed:
        return None
    return with_workload(scenario, rate_per_s=ratio * capacity / scenario.hold_s_mean)
