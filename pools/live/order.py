"""The parent's order to a child process: what to run, and how the process is started."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pools.live import problems
from pools.live.binaries import NoBinaries, find_binaries
from pools.live.plan import DRAIN_S, HOLD_S_MAX, OWN_SLOTS, Plan, pool_arguments
from pools.live.problems import LiveCheckFailed
from sim.workload import draw

ROOT = Path(__file__).parents[2]
SCRUBBED = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/nonexistent"}


def order_for(planned: Plan, deadline_s: float) -> dict[str, Any]:
    """Say everything the child needs, the schedule included. Raises LiveCheckFailed."""
    scenario = planned.scenario
    arrivals = draw(scenario)
    order: dict[str, Any] = {
        "kind": scenario.pool.name,
        "pool": pool_arguments(scenario.pool),
        "warm": scenario.warm_connections,
        "deadline_s": deadline_s,
        "own_slots": OWN_SLOTS,
        "schedule": {
            "arrivals_s": arrivals.asked_s.tolist(),
            "holds_s": arrivals.hold_s.clip(max=HOLD_S_MAX).tolist(),
            "duration_s": scenario.duration_s,
            "drain_s": DRAIN_S,
        },
    }
    if scenario.pool.serves == "database":
        order["server"] = _server(planned)
    return order


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
