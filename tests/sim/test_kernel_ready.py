"""Nobody waits for a compiler: SimPy answers until compiled code is there, and then it stays."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest

from sim.kernel import __main__ as kernel_main
from sim.kernel import keep, ready
from sim.kernel.coverage import uncovered
from sim.kernel.refine import refined
from sim.query import parse
from sim.result import Estimate
from sim.run import run
from tests.sim.traces import to_the_last_bit

ROOT = Path(__file__).parents[2]
SMALL = parse("pool_size=3&max_overflow=1&rate=150&duration_s=4&warm_up_s=0&replications=4")
STARTS = """
from sim.kernel.loop import play
from sim.kernel.__main__ import main
main()
print("compiled" if play.stats.cache_misses else "loaded")
"""


# Compiling takes 10 s of CPU, at low priority: much longer on a machine that is busy.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def _kernel() -> None:
    """Have the kernel compiled before anything is asked of it."""
    assert kernel_main.main() == 0
    assert keep.is_compiled()


@pytest.fixture
def fresh_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a place where nothing is compiled yet, for this process and its children."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    keep.keep_dir.cache_clear()
    yield tmp_path
    keep.keep_dir.cache_clear()


def test_it_is_compiled_apart_and_the_next_start_loads_it(fresh_place: Path) -> None:
    preparation = ready.Preparation()
    preparation.begin()
    assert not keep.is_compiled()
    preparation.wait(ready.COMPILE_S_MAX)
    assert preparation.failure == ""
    assert keep.is_compiled()
    done = subprocess.run(
        [sys.executable, "-c", STARTS], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.split()[-1] == "loaded"


@pytest.mark.usefixtures("fresh_place")
def test_compiling_leaves_the_first_seconds_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    began = Event()

    def begin() -> str:
        began.set()
        return ""

    monkeypatch.setattr(ready, "_compile_apart", begin)
    ready.Preparation().begin(after_s=3600.0)
    assert not began.wait(0.3)
    ready.Preparation().begin()
    assert began.wait(60.0)


def test_simpy_answers_while_the_kernel_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ready.trace_of(SMALL)
    monkeypatch.setattr(ready, "is_compiled", lambda: False)
    monkeypatch.setattr(ready, "prepare", lambda: None)
    assert ready.why_not(SMALL) == "the kernel is being compiled"
    assert to_the_last_bit(ready.trace_of(SMALL)) == to_the_last_bit(compiled)


def test_the_users_cache_is_used_and_named_where_the_package_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(keep, "BESIDE", blocked / "__pycache__")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    keep.keep_dir.cache_clear()
    try:
        assert keep.keep_dir() is not None
        assert keep.told().startswith(f"{blocked}/__pycache__ cannot be written")
        assert f"{tmp_path}/cache/poolwise/kernel-" in keep.told()
        monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
        keep.keep_dir.cache_clear()
        assert keep.keep_dir() is None
        assert "compiled anew at every start" in keep.told()
    finally:
        keep.keep_dir.cache_clear()


def test_the_last_few_versions_used_stay_and_older_ones_go(fresh_place: Path) -> None:
    olds = [fresh_place / f"kernel-{number:016x}" for number in range(5)]
    for number, old in enumerate(olds):
        old.mkdir()
        (old / "compiled-any").touch()
        for one in (old, old / "compiled-any"):
            os.utime(one, (number, number))
    (fresh_place / "kernel.txt").touch()
    os.utime(olds[0] / "compiled-any", (9, 9))
    keep.mark_compiled()
    assert keep.is_compiled()
    left = {place.name for place in fresh_place.iterdir()}
    mine = keep.keep_dir()
    assert mine is not None
    assert left == {mine.name, olds[0].name, olds[4].name, "kernel.txt"}


def test_other_constants_are_another_version(
    fresh_place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keep.keep_dir()
    other = tmp_path / "constants.py"
    other.write_text("PING_ROUND_TRIPS = 4\n")
    monkeypatch.setattr(keep, "_CONSTANTS", (str(other),))
    keep.keep_dir.cache_clear()
    assert keep.keep_dir() != before


def half_width_s(one: Estimate) -> float:
    assert one.low is not None
    assert one.high is not None
    return (one.high - one.low) / 2.0


def test_refining_begins_with_the_scenario_itself_and_narrows_the_interval() -> None:
    results = list(refined(SMALL, ratio=0.0, requests_max=40_000))
    assert results[0] == run(SMALL)
    counts = [result.replications for result in results]
    assert all(later == 2 * earlier for earlier, later in pairwise(counts))
    assert len(counts) > 3
    first, last = (result.wait_s.mean for result in (results[0], results[-1]))
    assert half_width_s(last) < half_width_s(first) / 2.0


def test_refining_ends_when_p99_is_known() -> None:
    *_, last = refined(SMALL, ratio=0.1)
    assert half_width_s(last.wait_s.p99) <= 0.1 * (last.wait_s.p99.value or 0.0)


def test_what_the_kernel_does_not_play_is_not_refined() -> None:
    scenario = parse("kind=psycopg&rate=50&duration_s=2&warm_up_s=0&replications=2")
    assert uncovered(scenario)
    assert [result.replications for result in refined(scenario, ratio=0.0)] == [2]


class Moved(Exception):
    """The user looks at something else."""


def test_refining_stops_when_nobody_looks_any_more() -> None:
    calls = 0

    def tick() -> None:
        nonlocal calls
        calls += 1
        if calls > 10:
            raise Moved

    with pytest.raises(Moved):
        list(refined(SMALL, ratio=0.0, tick=tick))
    assert calls == 11
