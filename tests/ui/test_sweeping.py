"""Sweeps beside the page: how many a server has under way."""

from collections.abc import Iterator

import pytest

from sim.query import parse
from sim.sweep.axis import parse_axis
from sim.sweep.grid import Grid
from sim.sweep.run import Precision
from ui.sweeping import Sweeping, processes, under_way

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    yield
    processes().shutdown(cancel_futures=True)
    processes.cache_clear()


def begun(count: int) -> list[Sweeping]:
    axis = parse_axis("pool_size=1..20", "sqlalchemy")
    grid = Grid(parse("rate=300&duration_s=60"), axis)
    return [Sweeping(grid, Precision()) for _ in range(count)]


def end(sweeps: list[Sweeping]) -> None:
    for one in sweeps:
        one.cancel()
    for one in sweeps:
        one.wait(PATIENCE_S)


def test_sweeps_under_way_are_counted_until_they_are_over() -> None:
    before = under_way()
    running = begun(2)
    assert under_way() == before + 2
    end(running)
    assert under_way() == before


def test_a_sweep_is_out_of_step_once_twice_as_many_or_half_as_many_share_the_server() -> None:
    (first,) = begun(1)
    assert first.take_turns() == 1
    others = begun(1)
    assert not first.is_out_of_step
    others += begun(1)
    assert first.is_out_of_step
    assert first.take_turns() == 3
    assert not first.is_out_of_step
    end(others)
    assert first.is_out_of_step
    end([first])
