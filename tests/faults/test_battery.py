"""Whatever happens to network, server or check: nothing leaks, nothing hangs, nothing is told.

300 of the trials that `python -m tests.faults.battery --runs 3000` plays, in four processes.
"""

import asyncio
import random
import subprocess
import sys
import time

import pytest

from pools.live.client import Target, connect
from pools.live.secret import Secret
from tests.faults.battery import PASSWORD, run, table
from tests.faults.cluster import DATABASE, ROLE, cluster
from tests.faults.kinds import DATABASE_CLIENTS, HTTP_CLIENTS, KINDS
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.trial import Seen, case_of, sockets_to, spellings
from tests.faults.witness import witness

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="sockets are counted in /proc"),
]
SEED, RUNS, PARALLEL = 7, 300, 4


@pytest.mark.timeout(1200)
def test_300_checks_under_fault_leak_nothing_and_end_in_time() -> None:
    seen = list(run(SEED, range(RUNS), PARALLEL))
    print(table(seen, 0.0))
    assert len(seen) == RUNS
    assert {one.case.fault for one in seen} == set(KINDS)
    assert {one.case.client for one in seen} == {*DATABASE_CLIENTS, *HTTP_CLIENTS}
    assert [(one.case.index, one.complaints) for one in seen if one.complaints] == []
    # A machine so slow that checks end before they connect has tested nothing.
    assert sum(one.struck for one in seen) >= 0.9 * RUNS


def test_equal_seed_and_index_play_the_same_trial() -> None:
    cases = [case_of(SEED, index) for index in range(RUNS)]
    assert cases == [case_of(SEED, index) for index in range(RUNS)]
    assert len({case.fault for case in cases[: len(KINDS)]}) == len(KINDS) >= 24
    assert len({case.moment_s for case in cases}) > RUNS / 2
    assert cases != [case_of(SEED + 1, index) for index in range(RUNS)]


async def test_the_observers_see_a_connection_and_see_it_go() -> None:
    with cluster(PASSWORD) as server:
        await server.make_role()
        path = server.socket_path
        proxy = FaultProxy(lambda: asyncio.open_unix_connection(path), random.Random(1))
        await proxy.open()
        where = Target(HOST, proxy.port, ROLE, Secret(PASSWORD), DATABASE)
        connection = await connect(where, timeout_s=10.0)
        assert sockets_to(proxy.port, set()) == len(server.backends()) == 1
        await connection.close()
        for _ in range(500):
            if not server.backends():
                break
            await asyncio.sleep(0.01)
        assert sockets_to(proxy.port, set()) == len(server.backends()) == 0
        await proxy.close()


def test_the_witness_sees_when_a_process_ended_though_nobody_asks_until_later() -> None:
    with witness() as observer, subprocess.Popen(["sleep", "60"]) as one:
        observer.watch(one.pid, time.monotonic())
        time.sleep(0.1)
        before_s = time.monotonic()
        one.kill()
        one.wait()
        time.sleep(0.5)
        asked_s = time.monotonic()
        end = observer.end_of(one.pid)
        assert before_s <= end.ended_s < asked_s
        observer.watch(one.pid, asked_s)
        assert observer.end_of(one.pid).ended_s >= asked_s  # no such process any more


def test_a_run_that_ends_late_is_a_complaint_unless_the_machine_stood_still() -> None:
    case = case_of(SEED, 0)
    for over_s, stalled_s, late in ((1.9, 0.0, False), (2.1, 0.0, True), (2.1, 0.2, False)):
        seen = Seen(case, wall_s=case.deadline_s + over_s, stalled_s=stalled_s)
        seen.told_s = seen.wall_s
        assert [word.startswith("ended after") for word in seen.too_late()] == [True] * late
    seen = Seen(case, wall_s=1.0, told_s=case.deadline_s + 4.0)
    assert [word.startswith("said") for word in seen.too_late()] == [True]


def test_a_secret_is_looked_for_in_every_spelling() -> None:
    raw, quoted, encoded = spellings("a/b c?")
    assert (raw, quoted) == ("a/b c?", "a%2Fb%20c%3F")
    assert encoded == "YS9iIGM/"
