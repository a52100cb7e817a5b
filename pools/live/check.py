"""Starts live checks and follows them: one child process each, watched by one thread.

`start` returns at once. A page reads `state`, `steps`, `report` and `problem` whenever it
draws itself; a program calls `wait`. However a check ends, its processes end with it.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pools.live import problems
from pools.live.deadline import ENDED_AFTER_S, Deadline
from pools.live.diagnose.activity import Activity
from pools.live.order import order_for, order_for_own, order_to_diagnose, order_to_look, spawn
from pools.live.plan import DURATION_S_MAX, SET_UP_S, Plan, plan
from pools.live.policy import Policy, policy_of
from pools.live.preflight import Facts, Look
from pools.live.problems import LiveCheckFailed, Problem
from pools.live.report import LiveReport, report_of
from pools.live.slots import Slots
from pools.live.target import AnyTarget, BuiltIn, Own, OwnPostgres
from sim.scenario import Scenario

GONE_S = 5.0
READ_BYTES = 65_536
LOAD_WEIGHT = 8
SLOTS = Slots()
BUILT_IN = BuiltIn()
STEPS = ("server", "preflight", "calibrate", "load")
OWN_STEPS = ("preflight", "calibrate", "load")
LOOK_STEPS = ("preflight",)
TITLES = {
    "server": "Start the server",
    "preflight": "Look at the server: what it allows, what is in use",
    "calibrate": "Measure connect, round trip and library costs",
    "load": "Drive the real pool",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step as last reported: waiting, running, done or failed; `fraction` is 0..1."""

    name: str
    title: str
    state: str = "waiting"
    fraction: float = 0.0
    numbers: Mapping[str, Any] = field(default_factory=dict)


class LiveCheck:
    """One live check under way or over.

    `state` is running, done, failed or cancelled. `report` is there when it is done,
    `problem` when it failed; `facts` is what it found about a server that a person named, and
    `activity` who is connected, if that was asked for. A look alone has no plan. All attributes
    may be read from any thread at any time.
    """

    def __init__(
        self,
        planned: Plan | None,
        steps: Sequence[str],
        child: "subprocess.Popen[bytes]",
        deadline: Deadline,
        at_end: Callable[[], None],
    ) -> None:
        """Follow a child process that has its order; use `start` instead."""
        self.plan = planned
        self.state = "running"
        self.steps = tuple(Step(name, TITLES[name]) for name in steps)
        self.report: LiveReport | None = None
        self.problem: Problem | None = None
        self.facts: Facts | None = None
        self.activity: Activity | None = None
        self._child = child
        self._at_end = at_end
        self.deadline_s = deadline.after_s
        self._kill_at = deadline.kill_at_s
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="live-check", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The child's process id, which is also its process group."""
        return self._child.pid

    @property
    def fraction(self) -> float:
        """How far the whole check is, 0..1; the load counts as much as eight other steps."""
        parts = [LOAD_WEIGHT if step.name == "load" else 1 for step in self.steps]
        done = sum(part * step.fraction for part, step in zip(parts, self.steps, strict=True))
        return done / sum(parts)

    @property
    def is_over(self) -> bool:
        """Whether it ended and every process of it is gone."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """End the check now: its processes, its server and its connections."""
        self._finish("cancelled")
        self._kill()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is over; returns whether it is."""
        self._thread.join(timeout_s)
        return self.is_over

    def _follow(self) -> None:
        """Read messages until the child and the server's keeper have closed the pipe."""
        try:
            self._read_all()
            self._finish("failed", problem=self._unsaid(self._status()))
        except Exception as error:  # noqa: BLE001  a thread has nobody to raise to
            self._finish("failed", problem=problems.explain(error, "load"))
        finally:
            self._kill()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._child.wait()
            self._at_end()

    def _unsaid(self, status: int | None) -> Problem:
        """Say why a child ended without a word; its own alarm is the deadline's."""
        if status == -signal.SIGALRM:
            return problems.too_late(self.deadline_s)
        return problems.ended(status)

    def _status(self) -> int | None:
        """Return how the child ended; it has closed its pipe, so that is a matter of moments."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._child.wait(ENDED_AFTER_S)
        return None

    def _read_all(self) -> None:
        pipe = self._child.stdout
        if pipe is None:
            return
        poller, rest, killed = select.poll(), b"", False
        poller.register(pipe, select.POLLIN | select.POLLHUP)
        while True:
            left_s = self._kill_at - time.monotonic()
            if left_s <= 0.0:
                if killed:
                    return
                self._finish("failed", problem=problems.too_late(self.deadline_s))
                self._kill()
                killed, self._kill_at = True, time.monotonic() + GONE_S
            elif poller.poll(left_s * 1000.0):
                piece = os.read(pipe.fileno(), READ_BYTES)
                if not piece:
                    return
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "done" in message:
            made = report_of(self.plan, message["done"]) if self.plan else None
            self._finish("done", report=made)
        elif "look" in message:
            self.facts = Look.from_json(message["look"]).facts
        elif "activity" in message:
            self.activity = Activity.from_json(message["activity"])
        elif "problem" in message:
            self._finish("failed", problem=Problem(**message["problem"]))
        else:
            name = message["step"]
            self.steps = tuple(
                replace(step, **{key: message[key] for key in ("state", "fraction", "numbers")})
                if step.name == name
                else step
                for step in self.steps
            )

    def _finish(
        self, state: str, report: LiveReport | None = None, problem: Problem | None = None
    ) -> None:
        """Set the end of the check; the first one to say so is right."""
        with self._lock:
            if self.state == "running":
                self.report, self.problem = report, problem
                self.state = state
                self._kill_at = min(self._kill_at, time.monotonic() + GONE_S)

    def _kill(self) -> None:
        """Kill the child's whole process group. The keeper, outside of it, then cleans up."""
        if self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)


def start(
    scenario: Scenario,
    *,
    session: str = "",
    deadline_s: float | None = None,
    duration_s_max: float = DURATION_S_MAX,
    allowed: Policy | None = None,
) -> LiveCheck:
    """Start a live check of a scenario against a server made for it; returns at once.

    Everything stays within the caps of `plan`. One check runs per `session`, and as many per
    server as the policy says (`allowed`; by default that of the environment). `deadline_s`
    replaces the plan's own. Raises Busy, or LiveCheckFailed if it cannot be.
    """
    allowed = _allowing(BUILT_IN, allowed)
    planned = plan(scenario, duration_s_max=duration_s_max)
    limit_s = deadline_s or planned.deadline_s
    return _spawned(
        lambda: order_for(planned, limit_s), planned, STEPS, session, limit_s, allowed.checks_most
    )


def look(target: Own, *, session: str = "", allowed: Policy | None = None) -> LiveCheck:
    """Start to ask a server that a person named what it allows; `facts` holds the answer.

    Puts no load on it. Raises Busy, or LiveCheckFailed if the policy does not allow it.
    """
    return _look(target, order_to_look, session, allowed)


def diagnose(target: OwnPostgres, *, session: str = "", allowed: Policy | None = None) -> LiveCheck:
    """Start to ask a server who is connected to it; `activity` and `facts` hold the answer.

    Puts no load on it and ends nothing. Raises as `look` does.
    """
    return _look(target, order_to_diagnose, session, allowed)


def _look(
    target: Own,
    order: Callable[[Own, Policy, float], dict[str, Any]],
    session: str,
    allowed: Policy | None,
) -> LiveCheck:
    policy = _allowing(target, allowed)
    limit_s = SET_UP_S
    return _spawned(
        lambda: order(target, policy, limit_s),
        None,
        LOOK_STEPS,
        session,
        limit_s,
        policy.checks_most,
    )


def start_own(
    scenario: Scenario,
    target: Own,
    facts: Facts,
    *,
    superuser_confirmed: bool = False,
    session: str = "",
    deadline_s: float | None = None,
    allowed: Policy | None = None,
) -> LiveCheck:
    """Start a live check against a server that a person named, within what a look found.

    Raises Busy, or LiveCheckFailed if the policy does not allow it or it has no room.
    """
    policy = _allowing(target, allowed)
    planned = plan(scenario, facts)
    limit_s = deadline_s or planned.deadline_s
    return _spawned(
        lambda: order_for_own(planned, target, policy, limit_s, superuser=superuser_confirmed),
        planned,
        OWN_STEPS,
        session,
        limit_s,
        policy.checks_most,
    )


def _allowing(target: AnyTarget, allowed: Policy | None) -> Policy:
    policy = allowed or policy_of()
    refusal = policy.refusal(target)
    if refusal:
        raise LiveCheckFailed(problems.not_allowed(refusal))
    return policy


def _spawned(
    order: Callable[[], dict[str, Any]],
    planned: Plan | None,
    steps: Sequence[str],
    session: str,
    deadline_s: float,
    checks_most: int,
) -> LiveCheck:
    """Take a slot, start the child, give the slot back when all is over."""
    deadline = Deadline(deadline_s)
    SLOTS.take(session, checks_most)
    try:
        child = spawn(order() | deadline.in_order)
        return LiveCheck(planned, steps, child, deadline, lambda: SLOTS.give_back(session))
    except BaseException:
        SLOTS.give_back(session)
        raise
