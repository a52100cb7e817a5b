"""How much of this machine others used while something was measured, and how to keep them out.

SCHED_RR puts the load generator and the server before every normal process; nice values do not
help between the sessions of a shared machine. What the hypervisor takes is counted as steal.
A processor that has slept wakes slowly and then computes slowly for a while, so that a hold lasts
longer the less there is to do; `awake` keeps every core from sleeping.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

PRIORITY = 10
CLIENT_PRIORITY = 20
# How long a process in real time computes before it is the next one's turn: Linux says 100 ms,
# in which a short query ends, so that they would queue for a core in place of sharing it.
TURN = Path("/proc/sys/kernel/sched_rr_timeslice_ms")
TURN_MS = 1


@contextmanager
def real_time() -> Iterator[bool]:
    """Run this process, and all that it starts now, before normal ones; say whether it may."""
    try:
        _schedule(os.SCHED_RR, PRIORITY)
    except (AttributeError, PermissionError):
        yield False
        return
    try:
        yield True
    finally:
        _schedule(os.SCHED_OTHER, 0)


@contextmanager
def client_first(real_time: bool) -> Iterator[None]:
    """Put this process alone before the servers that it started in real time already.

    Those share the cores in turns as short as the kernel allows, if it lets itself be told.
    """
    if not real_time:
        yield
        return
    before = _turns(str(TURN_MS))
    _schedule(os.SCHED_RR, CLIENT_PRIORITY)
    try:
        yield
    finally:
        _schedule(os.SCHED_RR, PRIORITY)
        _turns(before)


def _turns(ms: str) -> str:
    """Set how long a turn in real time lasts; return how long it did."""
    try:
        before = TURN.read_text(encoding="ascii").strip()
        TURN.write_text(ms, encoding="ascii")
    except OSError:
        return ms
    return before


# Computes whenever nobody else wants the core, until its parent has ended.
IDLER = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def awake() -> Iterator[None]:
    """Keep every core of this machine from sleeping, at the lowest priority there is."""
    if not hasattr(os, "SCHED_IDLE"):
        yield
        return
    idlers = [subprocess.Popen([sys.executable, "-c", IDLER]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for idler in idlers:
            idler.terminate()
            idler.wait()


class Watch:
    """Processor time of this process, of others and stolen, since it was made."""

    def __init__(self, server_pid: int) -> None:
        """Begin; `server_pid` is the server's first process, whose children count too."""
        self._server_pid = server_pid
        self._began = self._now()

    def seen(self) -> dict[str, float]:
        """Return cores used on average: by the client, the server, others, and stolen."""
        began, ended = self._began, self._now()
        passed_s = ended["at"] - began["at"]
        used = {name: (ended[name] - began[name]) / passed_s for name in began if name != "at"}
        ours = used["client"] + used["server"] + used.pop("idlers")
        used["other"] = used.pop("busy") - ours
        return {f"{name}_cores": round(cores, 3) for name, cores in used.items()}

    def _now(self) -> dict[str, float]:
        machine = psutil.cpu_times()
        busy_s = machine.user + machine.nice + machine.system + machine.irq + machine.softirq
        steal_s = getattr(machine, "steal", 0.0)
        return {
            "at": time.monotonic(),
            "client": time.process_time(),
            "server": _tree_s(self._server_pid),
            "idlers": _idlers_s(),
            "busy": busy_s,
            "stolen": steal_s,
        }


def lateness_ms(late_s: NDArray[np.float64]) -> dict[str, float]:
    """Return how late requests started: median, p99 and the worst, in ms."""
    named = {"late_ms_p50": 50, "late_ms_p99": 99, "late_ms_max": 100}
    return {name: round(float(np.percentile(late_s, p)) * 1e3, 3) for name, p in named.items()}


def _schedule(policy: int, priority: int) -> None:
    os.sched_setscheduler(0, policy, os.sched_param(priority))


def _tree_s(pid: int) -> float:
    first = psutil.Process(pid)
    return sum(sum(_times(one)[:4]) for one in (first, *first.children(recursive=True)))


def _idlers_s() -> float:
    """Return what those of our children computed that run when nobody else does."""
    idle = getattr(os, "SCHED_IDLE", None)
    ours = (one for one in psutil.Process().children() if _policy(one.pid) == idle)
    return sum(sum(_times(one)[:2]) for one in ours)


def _policy(pid: int) -> int | None:
    try:
        return os.sched_getscheduler(pid)
    except (AttributeError, ProcessLookupError):
        return None


def _times(process: psutil.Process) -> tuple[Any, ...]:
    try:
        return tuple(process.cpu_times())
    except psutil.NoSuchProcess:
        return (0.0,)
