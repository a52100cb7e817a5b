"""A sweep gives every cell its answer, whoever works on it and whatever happens to them."""

import os
import signal
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from sim.query import parse
from sim.run import run
from sim.sweep.axis import parse_axis
from sim.sweep.cell import METRICS, Cell, evaluate
from sim.sweep.grid import Grid
from sim.sweep.processes import Processes
from sim.sweep.run import Precision, Progress, SweepFailed, sweep


class Watched(ThreadPoolExecutor):
    """One thread that counts the pieces of work it is given, and may refuse them all."""

    def __init__(self, refusal: Exception | None = None) -> None:
        super().__init__(1)
        self.refusal = refusal
        self.begun = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.begun += 1
        if self.refusal is not None:
            raise self.refusal
        return super().submit(fn, *args, **kwargs)


QUICK = Precision("wait_mean", ratio=0.2, least=0.001, stages=(2, 4))


def small_grid() -> Grid:
    base = parse("kind=asyncpg&duration_s=2&warm_up_s=0.5&min_size=1&cores=2")
    return Grid(
        base, parse_axis("max_size=1..6", "asyncpg"), parse_axis("rate=50,150,250", "asyncpg")
    )


def swept(grid: Grid, executor: Executor, precision: Precision = QUICK) -> Progress:
    *_, last = sweep(grid, executor, precision)
    return last


@pytest.fixture(scope="module")
def expected() -> Progress:
    with ThreadPoolExecutor(1) as alone:
        return swept(small_grid(), alone)


def test_every_cell_is_settled_in_the_end(expected: Progress) -> None:
    assert expected.is_over
    assert expected.fraction == 1.0
    assert sorted(expected.cells) == list(range(18))


def test_a_cell_says_what_the_whole_simulation_says() -> None:
    query = "rate=300&duration_s=4&warm_up_s=1&pool_size=3&max_overflow=2&pool_timeout=0.05"
    cell, whole = evaluate(query, 6), run(parse(f"{query}&replications=6"))
    found = cell.numbers
    assert cell.requests == whole.requests
    pairs = {
        "wait_p99": whole.wait_s.p99,
        "wait_p50": whole.wait_s.p50,
        "wait_mean": whole.wait_s.mean,
        "latency_p99": whole.latency_s.p99,
        "timeouts": whole.timeout_ratio,
        "throughput": whole.throughput_per_s,
        "opened": whole.opened_per_s,
        "utilisation": whole.utilisation,
    }
    for name, expected in pairs.items():
        ends = (found[name].value, found[name].low, found[name].high)
        assert ends == pytest.approx((expected.value, expected.low, expected.high)), name


def test_stages_refine_only_what_is_not_known_well_enough(expected: Progress) -> None:
    known = {cell.replications for cell in expected.cells.values()}
    assert known == {2, 4}
    for cell in expected.cells.values():
        enough = cell.is_known_within(QUICK.metric, QUICK.ratio, QUICK.least)
        assert cell.replications == 4 or enough


def test_processes_give_the_same_cells_as_a_thread(expected: Progress) -> None:
    with Processes(2) as executor:
        assert swept(small_grid(), executor).cells == expected.cells


def test_killed_processes_lose_nothing(expected: Progress) -> None:
    with Processes(2) as executor:
        coming = sweep(small_grid(), executor, QUICK)
        next(coming)
        next(coming)
        for worker in _workers():
            os.kill(worker.pid, signal.SIGKILL)
        *_, progress = coming
    assert progress.cells == expected.cells
    assert progress.is_over
    assert _workers() == []


def _workers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [one for one in children if "sim.sweep.worker" in one.cmdline()]


def test_processes_end_with_a_parent_that_is_killed() -> None:
    code = (
        "import os, time\n"
        "from sim.sweep.processes import Processes\n"
        "print(Processes(1).submit(os.getpid).result(), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert psutil.wait_procs([worker], timeout=20.0)[1] == []


def test_an_error_in_a_process_is_the_error_here() -> None:
    with Processes(1) as executor:
        failing = executor.submit(int, "x")
        assert executor.submit(int, "7").result() == 7
        with pytest.raises(ValueError, match="invalid literal"):
            failing.result()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(int)


def test_work_that_is_lost_again_and_again_ends_the_sweep() -> None:
    class Dying(Watched):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            return super().submit(_die)

    with Dying() as dying, pytest.raises(SweepFailed, match="work was lost 21 times"):
        list(sweep(small_grid(), dying, QUICK))


def _die() -> None:
    raise BrokenExecutor("gone")


def test_an_executor_that_takes_no_work_ends_the_sweep() -> None:
    broken = Watched(BrokenExecutor("gone"))
    with broken, pytest.raises(SweepFailed, match="the executor takes no more work"):
        list(sweep(small_grid(), broken, QUICK))


def test_cells_that_are_known_are_not_simulated_again(expected: Progress) -> None:
    known = {cell.query: cell for cell in expected.cells.values()}
    with Watched() as executor:
        *_, last = sweep(small_grid(), executor, QUICK, known=known)
    assert last.cells == expected.cells
    assert executor.begun == 0


def test_a_closed_sweep_begins_no_more_work() -> None:
    with Watched() as executor:
        coming = sweep(small_grid(), executor, QUICK, in_flight_max=2)
        next(coming)
        next(coming)
        coming.close()
        handed_out = executor.begun
    assert handed_out == executor.begun <= 3


def test_a_cell_that_cannot_be_is_left_out() -> None:
    grid = Grid(parse("duration_s=1&warm_up_s=0"), parse_axis("reserved=3,200", "sqlalchemy"))
    with ThreadPoolExecutor(1) as executor:
        last = swept(grid, executor)
    assert last.possible == 1
    assert sorted(last.cells) == [0]
    assert last.is_over


def test_growth_is_said_where_load_reaches_capacity() -> None:
    cells = [evaluate(f"pool_size={size}&max_overflow=0&duration_s=3", 2) for size in (4, 5)]
    assert [cell.grows for cell in cells] == [True, False]


def test_a_cell_survives_as_plain_values(expected: Progress) -> None:
    assert all(isinstance(cell, Cell) for cell in expected.cells.values())
    assert {name for cell in expected.cells.values() for name in cell.numbers} == set(METRICS)


def test_a_cell_gets_no_more_replications_than_a_scenario_may_have() -> None:
    assert evaluate("rate=10&duration_s=1&warm_up_s=0", 256).replications == 200


def test_replications_stay_within_the_limit_on_requests() -> None:
    cell = evaluate("rate=10000&duration_s=10&pool_size=300&hold_ms=1&replications=1", 64)
    assert cell.replications == 5
    assert cell.requests <= 500_000


def test_a_cell_says_why_the_kernel_did_not_play_it() -> None:
    query = "duration_s=1&warm_up_s=0&rate=50"
    assert evaluate(query, 1).fell_back == ""
    assert "kind psycopg" in evaluate(f"kind=psycopg&{query}", 1).fell_back
