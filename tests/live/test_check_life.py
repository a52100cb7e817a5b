"""A live check as its caller sees it: it ends, at once when told, and leaves nothing."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from pools.live import check
from pools.live.slots import Busy, Slots
from sim.query import parse
from tests.live.processes import family, is_alive, start_owner, still_there

pytestmark = pytest.mark.server
LONG = "duration_s=10&warm_up_s=1&rate=60&hold_ms=50"
CANARY = "canary-7b1f"
APP = f"""
import sys, time
from pools.live import check
from sim.query import parse
running = check.start(parse({LONG!r}))
while running.steps[-1].state == "waiting":
    time.sleep(0.05)
print(running.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def running() -> Iterator[check.LiveCheck]:
    """Give a check whose load is under way."""
    made = check.start(parse(LONG), session="fixture")
    _until(made, "load")
    yield made
    made.cancel()
    assert made.wait(30)


def test_cancel_ends_every_process_of_a_check(running: check.LiveCheck) -> None:
    processes = family(running.pid)
    servers = [process for process in processes if process.name() == "postgres"]
    assert servers
    running.cancel()
    assert running.state == "cancelled"
    assert running.wait(30)
    assert [one for one in servers if is_alive(one)] == []
    assert still_there(processes) == []  # the keeper is last, and ends a moment after its pipe
    assert running.report is None
    assert running.problem is None


def test_a_child_that_hangs_is_killed_at_its_deadline() -> None:
    stuck = check.start(parse(LONG), session="stuck", deadline_s=8.0)
    _until(stuck, "server")
    processes = family(stuck.pid)
    os.kill(stuck.pid, signal.SIGSTOP)
    assert stuck.wait(60)
    assert stuck.state == "failed"
    assert stuck.problem is not None
    assert stuck.problem.code == "PW-LIVE-deadline"
    assert still_there(processes) == []


def test_a_check_ends_itself_at_its_deadline_and_says_so() -> None:
    short = check.start(parse(LONG), session="short", deadline_s=4.0)
    assert short.wait(60)
    assert short.problem is not None
    assert short.problem.code == "PW-LIVE-deadline"
    assert "total timeout" in short.problem.cause


def test_progress_only_grows_and_a_killed_child_is_reported_in_words(
    running: check.LiveCheck,
) -> None:
    seen = [_later(running) for _ in range(8)]
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    processes = family(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait(60)
    assert running.state == "failed"
    assert running.problem is not None
    assert running.problem.code == "PW-LIVE-child"
    assert still_there(processes) == []


def test_a_server_that_is_stopped_from_outside_fails_the_check(running: check.LiveCheck) -> None:
    processes = family(running.pid)
    next(one for one in processes if one.name() == "postgres").send_signal(signal.SIGQUIT)
    assert running.wait(60)
    assert running.problem is not None
    assert running.problem.code == "PW-LIVE-server_ended"
    assert still_there(processes) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_check_outlives_the_application(number: signal.Signals) -> None:
    with start_owner(APP) as app:
        assert app.stdout is not None
        processes = family(int(app.stdout.readline()))
        app.send_signal(number)
        app.wait(20)
        assert still_there(processes) == []


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS hides the environment of processes")
def test_nothing_of_our_environment_reaches_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "PGHOST", "PGSERVICE", "PGUSER", "AWS_SECRET_ACCESS_KEY", "NETRC"):
        monkeypatch.setenv(name, CANARY)
    made = check.start(parse("duration_s=1&warm_up_s=0&rate=20"), session="environment")
    _until(made, "load")
    processes = family(made.pid)
    found = [one.pid for one in processes if CANARY in _shown(one)]
    assert psutil.Process().pid not in {one.pid for one in processes}
    assert len(processes) > 3
    assert found == []
    assert made.wait(60)
    assert made.state == "done"


def test_a_session_has_one_check_and_the_server_two(running: check.LiveCheck) -> None:
    with pytest.raises(Busy, match="in this session"):
        check.start(parse(LONG), session="fixture")
    second = check.start(parse(LONG), session="second")
    try:
        with pytest.raises(Busy, match="2 live checks"):
            check.start(parse(LONG), session="third")
    finally:
        second.cancel()
        assert second.wait(30)
    running.cancel()
    assert running.wait(30)
    third = check.start(parse(LONG), session="fixture")
    third.cancel()
    assert third.wait(30)


def test_the_refusals_of_a_busy_session_are_problems_with_codes() -> None:
    slots = Slots()
    slots.take("one", 2)
    with pytest.raises(Busy, match="in this session") as own:
        slots.take("one", 2)
    slots.take("two", 2)
    with pytest.raises(Busy, match="2 live checks") as all_of_them:
        slots.take("three", 2)
    codes = [refused.value.problem.code for refused in (own, all_of_them)]
    assert codes == ["PW-LIVE-busy_session", "PW-LIVE-busy"]


def test_a_session_starts_six_checks_within_a_minute_and_the_seventh_after_it() -> None:
    now_s = 0.0
    slots = Slots(lambda: now_s)
    for number in range(6):
        now_s = 5.0 * number
        slots.take("one", 2)
        slots.give_back("one")
    with pytest.raises(Busy, match="Try again in 35 s") as refused:
        slots.take("one", 2)
    assert refused.value.problem.code == "PW-LIVE-too_often"
    slots.take("two", 2)  # another session is not held back
    now_s = 60.0
    slots.take("one", 2)
    slots.give_back("one")
    with pytest.raises(Busy):
        slots.take("one", 2)


def test_a_check_whose_owners_pipe_closes_says_that_its_owner_ended() -> None:
    made = check.start(parse(LONG), session="pipe")
    pipe = made._child.stdin
    assert pipe is not None
    _until(made, "calibrate")
    pipe.close()
    assert made.wait(60)
    assert made.problem is not None
    assert made.problem.code == "PW-LIVE-owner"


def test_the_page_loads_no_library_that_opens_sockets_to_offer_a_check() -> None:
    code = "import sys, pools.live.check, pools.live.compare; print('\\n'.join(sys.modules))"
    with start_owner(code) as page:
        assert page.stdout is not None
        loaded = set(page.stdout.read().split())
    assert "pools.live.check" in loaded
    assert not loaded & {"asyncpg", "sqlalchemy", "aiohttp"}


def _shown(process: psutil.Process) -> str:
    """Return what every account may read of a process; nothing if it has just ended."""
    with contextlib.suppress(psutil.Error):
        return str(process.environ()) + str(process.cmdline())
    return ""


def _until(made: check.LiveCheck, step: str) -> None:
    """Wait until a step of the check is under way."""
    while next(one for one in made.steps if one.name == step).state == "waiting":
        assert not made.wait(0.02), made.problem


def _later(made: check.LiveCheck) -> float:
    time.sleep(0.1)
    return made.fraction
