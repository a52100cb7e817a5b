"""A witness of when processes end: one process that does nothing else, in real time if it may.

The battery itself is busy being network, server and observers, so when *it* learns that a check
has ended says as much about the battery as about the check. The kernel tells the witness
(pidfd) once a process is gone, its memory and sockets released. In between it sleeps and wakes
up at fixed times: how much later than asked it was woken is what the machine itself stood
still, because nothing of ordinary priority comes before a process in real time (SCHED_FIFO).
Both clocks are CLOCK_MONOTONIC, the same for all processes.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TICK_S = 0.01
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class End:
    """When a process was gone, and how long the machine stood still since it was watched."""

    ended_s: float
    stalled_s: float


@dataclass(slots=True)
class Witness:
    """The parent's side: name a process, then ask for its end."""

    process: "subprocess.Popen[str]"
    is_real_time: bool = False
    _ends: dict[int, End] = field(default_factory=dict)

    def watch(self, pid: int, from_s: float) -> None:
        """Name a process that runs, and from when on what the machine stands still counts."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{pid} {from_s!r}\n")
        self.process.stdin.flush()

    def end_of(self, pid: int) -> End:
        """Wait until a process that was named is gone."""
        while pid not in self._ends:
            told = self._hear()
            self._ends[told["pid"]] = End(told["ended_s"], told["stalled_s"])
        return self._ends.pop(pid)

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


@contextlib.contextmanager
def witness() -> Iterator[Witness]:
    """Have a witness; it leaves with its caller."""
    command = [sys.executable, "-m", "tests.faults.witness"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        made = Witness(process)
        made.is_real_time = made._hear()["real_time"]
        try:
            yield made
        finally:
            process.kill()


def _in_real_time() -> bool:
    """Ask for the lowest real-time priority, which is before every ordinary process."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        return True
    return False


def _say(**told: object) -> None:
    print(json.dumps(told), flush=True)


@dataclass(slots=True)
class Watched:
    """One process: its id, from when on stalls count, and how long they were."""

    pid: int
    from_s: float
    stalled_s: float = 0.0


def main() -> None:
    """Read process ids from standard input; say when each has ended."""
    _say(real_time=_in_real_time())
    watched: dict[int, Watched] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        while True:
            asleep_s = time.monotonic()
            ready = selector.select(TICK_S)
            now_s = time.monotonic()
            for one in watched.values():
                if now_s > one.from_s:
                    one.stalled_s += max(0.0, now_s - max(asleep_s, one.from_s) - 2 * TICK_S)
            for key, _ in ready:
                if key.fd:
                    one = watched.pop(key.fd)
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _say(pid=one.pid, ended_s=now_s, stalled_s=one.stalled_s)
                elif not (line := sys.stdin.buffer.raw.readline()):  # type: ignore[attr-defined]
                    return
                else:
                    pid, from_s = line.split()
                    _begin(Watched(int(pid), float(from_s)), watched, selector, now_s)


def _begin(
    one: Watched,
    watched: dict[int, Watched],
    selector: selectors.BaseSelector,
    now_s: float,
) -> None:
    """Have the kernel tell when a process is gone; it may be gone already."""
    try:
        handle = os.pidfd_open(one.pid)
    except ProcessLookupError:
        _say(pid=one.pid, ended_s=now_s, stalled_s=0.0)
        return
    watched[handle] = one
    selector.register(handle, selectors.EVENT_READ)


if __name__ == "__main__":
    main()
