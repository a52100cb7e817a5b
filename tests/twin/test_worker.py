"""Asking in a process of its own: real processes, watched from outside."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pools.kinds import KINDS
from pools.twin import child, worker
from pools.twin.__main__ import result_of
from pools.twin.ask import ask
from pools.twin.worker import Asking, Busy, has_twin, start
from sim.query import parse
from sim.scenario import Scenario

ROOT = Path(__file__).parents[2]
SMALL = parse("kind=asyncpg&rate=200&max_size=4&min_size=1&duration_s=5&warm_up_s=1")
LONG = parse("kind=sqlalchemy-null&rate=50&duration_s=60&replications=1")
PATIENCE_S = 60.0
LOOK_S = 0.02


@pytest.fixture
def asked() -> Iterator[list[Asking]]:
    """Collect what a test starts, and end it."""
    started: list[Asking] = []
    yield started
    for one in started:
        one.cancel()
        assert one.wait(PATIENCE_S)


def begun(scenario: Scenario, asked: list[Asking], deadline_s: float = PATIENCE_S) -> Asking:
    """Start, and remember to end it."""
    asked.append(start(scenario, deadline_s=deadline_s))
    return asked[-1]


def under_way(one: Asking) -> None:
    """Wait until the library has been asked some requests."""
    while not one.done and not one.wait(LOOK_S):
        pass
    assert one.state == "running"


def is_gone(pid: int) -> bool:
    """Wait until a process is gone; one that nobody has waited for counts as gone."""
    try:
        psutil.Process(pid).wait(PATIENCE_S)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_the_answer_is_that_of_asking_here(asked: list[Asking]) -> None:
    one = begun(SMALL, asked)
    assert one.wait(PATIENCE_S)
    assert (one.state, one.problem) == ("done", "")
    assert one.answer is not None
    report = ask(SMALL)
    assert one.answer.requests == one.answer.identical_requests == report.requests
    assert one.answer.versions == report.versions
    assert one.answer.difference == ""
    for run, trace in (
        (one.answer.library, report.trace),
        (one.answer.simulated, report.simulated),
    ):
        result = result_of(SMALL, report, trace)
        assert run.requests == result.requests
        assert run.survival == result.survival
        assert run.timeline == result.timeline
        assert run.waits_s["p99"] == result.wait_s.p99.value


def test_progress_is_told_while_it_runs(asked: list[Asking]) -> None:
    one = begun(LONG, asked)
    under_way(one)
    first = one.done
    while one.done == first and not one.wait(LOOK_S):
        pass
    assert first < one.done < one.expected


def test_cancelling_ends_its_process(asked: list[Asking]) -> None:
    one = begun(LONG, asked)
    under_way(one)
    one.cancel()
    assert one.wait(PATIENCE_S)
    assert one.state == "cancelled"
    assert is_gone(one.pid)


def test_it_is_ended_at_its_deadline_and_says_so(asked: list[Asking]) -> None:
    one = begun(LONG, asked, deadline_s=0.5)
    assert one.wait(PATIENCE_S)
    assert one.state == "failed"
    assert "not finished after" in one.problem
    assert is_gone(one.pid)


def test_a_process_that_dies_is_a_problem_and_not_a_hang(asked: list[Asking]) -> None:
    one = begun(LONG, asked)
    under_way(one)
    os.kill(one.pid, signal.SIGKILL)
    assert one.wait(PATIENCE_S)
    assert (one.state, one.answer) == ("failed", None)
    assert "ended too early (status -9)" in one.problem


def test_only_so_many_are_asked_at_once(asked: list[Asking]) -> None:
    for _ in range(worker.AT_ONCE_MAX):
        begun(LONG, asked)
    with pytest.raises(Busy, match="Try again"):
        start(LONG)
    asked[0].cancel()
    assert asked[0].wait(PATIENCE_S)
    begun(LONG, asked)


def test_it_ends_when_the_process_that_asked_is_killed() -> None:
    program = (
        "import sys, time\n"
        "from pools.twin.worker import start\n"
        "from sim.query import parse\n"
        "one = start(parse(sys.argv[1]))\n"
        "while not one.done: one.wait(0.02)\n"
        "print(one.pid, flush=True)\n"
        "one.wait()\n"
    )
    query = "kind=sqlalchemy-null&rate=50&duration_s=60&replications=1"
    with subprocess.Popen(
        [sys.executable, "-c", program, query], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
        assert is_gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="psutil reads limits on Linux alone")
def test_its_process_is_limited_and_yields_to_others(asked: list[Asking]) -> None:
    one = begun(LONG, asked)
    under_way(one)
    process = psutil.Process(one.pid)
    assert process.rlimit(psutil.RLIMIT_AS)[0] == child.MEMORY_BYTES
    assert process.rlimit(psutil.RLIMIT_CPU)[0] == PATIENCE_S + 1
    assert process.nice() >= child.NICE
    assert process.net_connections() == []
    assert process.children() == []


def test_what_does_not_fit_into_memory_is_said(
    asked: list[Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = subprocess.Popen

    def limited(command: list[str], **how: object) -> "subprocess.Popen[bytes]":
        megabytes = 200 * 1024**2
        how["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes, megabytes))
        return inner(command, **how)  # type: ignore[no-any-return]

    monkeypatch.setattr(subprocess, "Popen", limited)
    one = begun(LONG, asked)
    assert one.wait(PATIENCE_S)
    assert one.state == "failed"
    assert "memory" in one.problem


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_whether_its_library_can_be_asked(kind: str, asked: list[Asking]) -> None:
    one = begun(parse(f"kind={kind}&duration_s=2&warm_up_s=0&rate=50"), asked)
    assert one.wait(PATIENCE_S)
    assert one.state == ("done" if has_twin(kind) else "failed")
    assert has_twin(kind) or "cannot be asked" in one.problem
