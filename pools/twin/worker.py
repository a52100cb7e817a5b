"""Asks the real library in a process of its own, and follows it: for a page that goes on.

`start` returns at once. A page reads `state`, `done`, `expected`, `answer` and `problem`
whenever it draws itself. However it ends, its process ends with it: when it is cancelled, at
its deadline, and when the process that asked is gone.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pools.twin.play import ADAPTERS
from sim.query import to_query
from sim.result import Survival, Timeline
from sim.scenario import Scenario

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/nonexistent"} | {
    # One thread: the limit of address space counts the stacks of all.
    "OPENBLAS_NUM_THREADS": "1",
}
DEADLINE_S = 180.0
AT_ONCE_MAX = 2
_places = threading.BoundedSemaphore(AT_ONCE_MAX)


class Busy(RuntimeError):
    """The library is being asked too often at once; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one of the two did: the requests counted, their waits, connections over time.

    `waits_s` has p50, p95, p99 and max in seconds; None if too few requests were counted.
    """

    requests: int
    waits_s: Mapping[str, float | None]
    survival: Survival
    timeline: Timeline

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Run":
        """Read it from JSON."""
        return cls(
            found["requests"],
            found["waits_s"],
            Survival(**{name: tuple(points) for name, points in found["survival"].items()}),
            Timeline(**{name: tuple(points) for name, points in found["timeline"].items()}),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the library did beside the simulation; see `pools.twin.ask.TwinReport`.

    `difference` says in a sentence how the first request that went otherwise did so; empty if
    all went the same way.
    """

    requests: int
    identical_requests: int
    difference: str
    versions: Mapping[str, str]
    notes: tuple[str, ...]
    simulated: Run
    library: Run

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Answer":
        """Read it from JSON."""
        return cls(
            requests=found["requests"],
            identical_requests=found["identical_requests"],
            difference=found["difference"] or "",
            versions=found["versions"],
            notes=tuple(found["notes"]),
            simulated=Run.of(found["simulated"]),
            library=Run.of(found["library"]),
        )


class Asking:
    """One question under way or over.

    `state` is running, done, failed or cancelled. `done` of `expected` requests were asked
    (0 of 0 while the simulation runs, which is first). `answer` is there when it is done,
    `problem` says in a sentence why it failed.
    """

    def __init__(self, child: "subprocess.Popen[bytes]", deadline_s: float) -> None:
        """Follow a process that has its order; use `start` instead."""
        self.state = "running"
        self.done = self.expected = 0
        self.answer: Answer | None = None
        self.problem = ""
        self._child = child
        self._lock = threading.Lock()
        self._deadline = threading.Timer(deadline_s, self._too_late, [deadline_s])
        self._deadline.daemon = True
        self._thread = threading.Thread(target=self._follow, name="ask-library", daemon=True)
        self._deadline.start()
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process that asks."""
        return self._child.pid

    @property
    def is_over(self) -> bool:
        """Whether it ended and its process is gone."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """End it now."""
        self._finish("cancelled")
        self._kill()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is over; returns whether it is."""
        self._thread.join(timeout_s)
        return self.is_over

    def _follow(self) -> None:
        """Read messages until the process has closed its pipe."""
        try:
            for line in self._child.stdout or ():
                self._take(json.loads(line))
        finally:
            self._deadline.cancel()
            self._kill()
            status = self._child.wait()
            self._finish("failed", problem=f"Its process ended too early (status {status}).")
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()
            _places.release()

    def _take(self, message: dict[str, Any]) -> None:
        if "answer" in message:
            self._finish("done", answer=Answer.of(message["answer"]))
        elif "problem" in message:
            self._finish("failed", problem=message["problem"])
        else:
            self.done, self.expected = message["done"], message["of"]

    def _too_late(self, deadline_s: float) -> None:
        problem = (
            f"It was not finished after {deadline_s:.0f} s, so it was ended."
            " Choose a shorter duration or a lower rate."
        )
        self._finish("failed", problem=problem)
        self._kill()

    def _finish(self, state: str, *, answer: Answer | None = None, problem: str = "") -> None:
        """Set the end; the first one to say so is right."""
        with self._lock:
            if self.state == "running":
                self.answer, self.problem = answer, problem
                self.state = state

    def _kill(self) -> None:
        if self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)


def has_twin(kind: str) -> bool:
    """Whether the real library of a pool kind can be asked, if it is installed."""
    return kind in ADAPTERS


def start(scenario: Scenario, *, deadline_s: float = DEADLINE_S) -> Asking:
    """Ask the installed library about a scenario; returns at once.

    Raises Busy if it is being asked in this process as often as is allowed at once.
    """
    if not _places.acquire(blocking=False):
        raise Busy(
            f"The library is already being asked {AT_ONCE_MAX} times on this server, which is"
            " the most it allows. Try again in a moment."
        )
    try:
        child = _spawn({"query": to_query(scenario), "deadline_s": deadline_s})
        return Asking(child, deadline_s)
    except BaseException:
        _places.release()
        raise


def _spawn(order: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """Start a child in a process group of its own, with nothing of our environment."""
    child = subprocess.Popen(
        [sys.executable, "-s", "-m", "pools.twin.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        cwd=ROOT,
        start_new_session=True,
    )
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # an early end is reported by who follows
            child.stdin.write(json.dumps(order).encode() + b"\n")
            child.stdin.flush()
    return child
