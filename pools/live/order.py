"""The parent's order to a child process: what to run, and how the process is started."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from pools.live import policy, problems
from pools.live.binaries import NoBinaries, find_binaries
from pools.live.plan import DRAIN_S, OWN_SLOTS, RATE_PER_S_MAX, Plan, pool_arguments
from pools.live.policy import Policy
from pools.live.problems import LiveCheckFailed
from pools.live.target import Own, to_order
from sim.workload import draw

NEAR_S_MIN, NEAR_S_MAX, NEAR_SHARE = 0.5, 3.0, 0.25
NEAR_USE = 0.55
OVERHEAD_S = 0.002
NEAR_DRAIN_S = 2.0
ROOT = Path(__file__).parents[2]
SCRUBBED = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/nonexistent"}


def order_for(planned: Plan, deadline_s: float) -> dict[str, Any]:
    """Say what to do with a server made for the check. Raises LiveCheckFailed."""
    order = _load(planned, deadline_s) | _near_load(planned)
    if planned.scenario.pool.serves == "database":
        order["server"] = _server(planned)
    return order


def order_to_look(target: Own, allowed: Policy, deadline_s: float) -> dict[str, Any]:
    """Say whom to ask what it allows. Holds the secret: it goes to a pipe and nowhere else."""
    return {
        "target": to_order(target),
        "policy": policy.to_order(allowed),
        "id": token_hex(4),
        "deadline_s": deadline_s,
        "only_look": True,
    }


def order_to_diagnose(target: Own, allowed: Policy, deadline_s: float) -> dict[str, Any]:
    """Say whom to ask who is connected, beside what it allows."""
    return order_to_look(target, allowed, deadline_s) | {"ask_activity": True}


def order_for_own(
    planned: Plan, target: Own, allowed: Policy, deadline_s: float, *, superuser: bool
) -> dict[str, Any]:
    """Say what to do with a server that a person named, the secret included."""
    scenario = planned.scenario
    return {
        **order_to_look(target, allowed, deadline_s),
        **_load(planned, deadline_s),
        **_near_load(planned),
        "only_look": False,
        "pool_most": scenario.pool.capacity or scenario.server.max_connections,
        "superuser_confirmed": superuser,
    }


def _load(planned: Plan, deadline_s: float) -> dict[str, Any]:
    """Say how to load which pool, the schedule included."""
    scenario = planned.scenario
    arrivals = draw(scenario)
    return {
        "kind": scenario.pool.name,
        "pool": pool_arguments(scenario.pool),
        "warm": scenario.warm_connections,
        "deadline_s": deadline_s,
        "own_slots": OWN_SLOTS,
        "schedule": {
            "arrivals_s": arrivals.asked_s.tolist(),
            "holds_s": arrivals.hold_s.clip(max=planned.hold_s_max).tolist(),
            "duration_s": scenario.duration_s,
            "drain_s": DRAIN_S,
        },
    }


def _near_load(planned: Plan) -> dict[str, Any]:
    """Say how to load the same pool for calibration: steadily, and below its capacity."""
    scenario = planned.scenario
    load, capacity = scenario.workload, scenario.pool.capacity
    rate = load.rate_per_s or RATE_PER_S_MAX
    if capacity is not None:
        rate = min(rate, NEAR_USE * capacity / (load.hold_s_mean + OVERHEAD_S))
    calm = replace(
        scenario,
        workload=replace(load, pattern="steady", rate_per_s=rate),
        duration_s=max(NEAR_S_MIN, min(NEAR_S_MAX, scenario.duration_s * NEAR_SHARE)),
        warm_up_s=0.0,
    )
    arrivals = draw(calm, replication=1)
    return {
        "near_warm": min(capacity or 0, scenario.server.slots),
        "near_load": {
            "arrivals_s": arrivals.asked_s.tolist(),
            "holds_s": arrivals.hold_s.clip(max=planned.hold_s_max).tolist(),
            "duration_s": calm.duration_s,
            "drain_s": NEAR_DRAIN_S,
        },
    }


def spawn(order: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """Start a child in a process group of its own, with nothing of our environment.

    Raises LiveCheckFailed where processes cannot be held like that.
    """
    if os.name != "posix":
        raise LiveCheckFailed(problems.unsupported())
    child = subprocess.Popen(
        [sys.executable, "-s", "-m", "pools.live.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=SCRUBBED,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        if child.stdin is not None:
            child.stdin.write(json.dumps(order).encode() + b"\n")
            child.stdin.flush()
    except OSError as error:
        child.kill()
        raise LiveCheckFailed(problems.ended(child.wait())) from error
    return child


def _server(planned: Plan) -> dict[str, Any]:
    try:
        binaries = find_binaries()
    except NoBinaries as error:
        raise LiveCheckFailed(problems.no_binaries(str(error))) from error
    return {
        "directory": str(binaries.directory),
        "provider": binaries.provider,
        "version": binaries.version,
        "max_connections": planned.server_max_connections,
        "reserved": planned.server_reserved,
        "role_limit": planned.role_limit,
        "places": [tempfile.gettempdir()],
    }
