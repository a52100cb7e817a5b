"""A check ends by its deadline and 2 s, whoever fails to see to it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pools.live import check
from pools.live.deadline import ENDED_AFTER_S, Deadline
from sim.query import parse
from tests.live.processes import ROOT

STUCK = """
import time
from pools.live.deadline import be_killed_at
be_killed_at(time.monotonic() + {left_s})
print("set", flush=True)
sum(range(10**12))
"""


def test_one_instant_is_told_to_the_child_and_kept_by_the_parent() -> None:
    deadline = Deadline(5.0, began_s=100.0)
    assert deadline.in_order == {"ends_at_s": 105.0, "kill_at_s": deadline.kill_at_s}
    assert deadline.ends_at_s < deadline.kill_at_s < 105.0 + ENDED_AFTER_S


def test_the_time_counts_from_the_press_and_not_from_when_the_process_runs() -> None:
    before_s = time.monotonic()
    assert before_s <= Deadline(5.0).began_s <= time.monotonic()


@pytest.mark.parametrize("left_s", [0.2, -3.0])
def test_the_kernel_ends_a_process_that_is_stuck_in_c_without_any_parent(left_s: float) -> None:
    code = STUCK.format(left_s=left_s)
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as stuck:
        assert stuck.wait(60) == -signal.SIGALRM


@pytest.mark.server
def test_a_check_that_its_own_alarm_ended_says_that_it_took_too_long() -> None:
    made = check.start(parse("duration_s=10&rate=20"), session="alarm")
    os.kill(made.pid, signal.SIGALRM)
    assert made.wait(60)
    assert made.problem is not None
    assert made.problem.code == "PW-LIVE-deadline"
