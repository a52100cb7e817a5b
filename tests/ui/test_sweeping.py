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


def test_sweeps_under_way_are_counted_until_they_are_over() -> None:
    axis = parse_axis("pool_size=1..20", "sqlalchemy")
    grid = Grid(parse("rate=300&duration_s=60"), axis)
    before = under_way()
    running = [Sweeping(grid, Precision()) for _ in range(2)]
    assert under_way() == before + 2
    for one in running:
        one.cancel()
        one.wait(PATIENCE_S)
    assert under_way() == before
