"""A sweep on a real Dask cluster of separate processes, one of which is killed on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from sim.query import parse
from sim.sweep.axis import parse_axis
from sim.sweep.executors import ADDRESS, chosen_executor
from sim.sweep.grid import Grid
from sim.sweep.run import Precision, sweep

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("default"),  # Dask's own warnings are not ours
]
PATIENCE_S = 60.0
ROOT = Path(__file__).parents[3]
PRECISION = Precision(stages=(2, 6), ratio=0.02, least=0.0001)


def started(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def ended(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A scheduler and two workers on 127.0.0.1."""
    file = tmp_path / "scheduler.json"
    with ExitStack() as processes:
        scheduler = started(
            "distributed.cli.dask_scheduler",
            *(
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-dashboard",
                "--scheduler-file",
                str(file),
            ),
        )
        processes.callback(ended, scheduler)
        deadline = time.monotonic() + PATIENCE_S
        while not file.exists() or not file.read_text():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        workers = []
        for number in range(2):
            worker = started(
                "distributed.cli.dask_worker",
                *(address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny"),
                *("--no-dashboard", "--local-directory", str(tmp_path / str(number))),
            )
            processes.callback(ended, worker)
            workers.append(worker)
        yield address, workers


def test_a_worker_killed_on_the_way_loses_nothing(
    cluster: tuple[str, list["subprocess.Popen[bytes]"]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, workers = cluster
    base = parse("duration_s=3&warm_up_s=0.5")
    grid = Grid(
        base, parse_axis("pool_size=1..8", "sqlalchemy"), parse_axis("rate=60..300:4", "sqlalchemy")
    )
    monkeypatch.setenv(ADDRESS, address)
    monkeypatch.setattr("sim.sweep.run.PIECE_REQUESTS", 2_000)
    with chosen_executor() as executor:
        coming = sweep(grid, executor, PRECISION)
        for _ in range(4):
            next(coming)
        os.kill(workers[0].pid, signal.SIGKILL)
        *_, progress = coming
    with ThreadPoolExecutor(1) as alone:
        *_, expected = sweep(grid, alone, PRECISION)
    assert progress.is_over
    assert progress.cells == expected.cells
