"""Watches processes from outside: which belong to a check, and whether they are gone."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
GONE_S = 15.0  # a bound against waiting for ever; the promise itself is measured in docs


def family(pid: int) -> list[psutil.Process]:
    """Return a process and everything below it: child, keeper, server, backends."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def still_there(processes: list[psutil.Process]) -> list[str]:
    """Wait until all are gone; return what is not."""
    until = time.monotonic() + GONE_S
    alive = processes
    while alive and time.monotonic() < until:
        alive = [one for one in alive if is_alive(one)]
        time.sleep(0.02)
    return [str(one) for one in alive]


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def disappears(path: Path) -> bool:
    """Wait until a path is gone; return whether it is."""
    until = time.monotonic() + GONE_S
    while path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return not path.exists()


def start_owner(code: str) -> "subprocess.Popen[str]":
    """Start a Python process of its own with the given program; its output is a pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509  tests start it from one thread
    )


def heed_interrupts() -> None:
    """Undo in a child that SIGINT is ignored, as it is below a shell's background job."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
