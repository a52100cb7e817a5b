"""Sweeps on the page: real processes, no browser."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pools.kinds import KINDS
from sim.query import parse
from sim.result import Estimate
from sim.sweep.axis import parse_axis
from sim.sweep.cell import METRICS, Cell
from sim.sweep.grid import Grid
from sim.sweep.run import Progress
from tests.ui.test_page import opened, said
from ui import charts
from ui.charts.sweep import Mark
from ui.panels import sweep as panel
from ui.panels import sweep_words as words
from ui.sweeping import processes

ROOT = Path(__file__).parents[2]
QUICK = {"duration_s": "1.5", "warm_up_s": "0.5", "rate": "60"}
PATIENCE_S = 90.0


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    """Leave no process behind."""
    yield
    processes().shutdown(cancel_futures=True)
    processes.cache_clear()


def pressed(page: AppTest, key: str) -> None:
    page.button(key=key).click().run(timeout=PATIENCE_S)
    assert not page.exception


def swept(**query: str) -> AppTest:
    page = opened(**QUICK, **query)
    page.selectbox(key="sweep-points").set_value(8).run(timeout=PATIENCE_S)
    pressed(page, "sweep-run")
    end = time.monotonic() + PATIENCE_S
    while has_button(page, "sweep-cancel") and time.monotonic() < end:
        page.run(timeout=PATIENCE_S)
    assert not page.exception
    return page


def has_button(page: AppTest, key: str) -> bool:
    return any(one.key == key for one in page.button)


def test_nothing_is_swept_until_the_button_is_pressed() -> None:
    page = opened(**QUICK)
    assert words.INVITATION in said(page)
    assert not has_button(page, "sweep-go")


@pytest.mark.parametrize("kind", ["asyncpg", "aiohttp", "sqlalchemy-null"])
def test_a_sweep_says_how_much_it_knows_and_goes_where_it_is_told(kind: str) -> None:
    page = swept(kind=kind)
    assert "64 cells known within 10%" in said(page)
    page.selectbox(key="sweep-go-y").set_value(page.selectbox(key="sweep-go-y").options[0])
    rate = float(page.selectbox(key="sweep-go-y").options[0])
    pressed(page, "sweep-go")
    assert page.session_state["rate"] == rate
    assert not page.error


def test_a_change_of_settings_is_said_but_not_one_of_what_is_varied() -> None:
    page = swept()
    page.select_slider(key="rate").set_value(80.0).run(timeout=PATIENCE_S)
    assert not any("Settings have changed since" in one.value for one in page.warning)
    page.select_slider(key="hold_ms").set_value(40.0).run(timeout=PATIENCE_S)
    assert any("Settings have changed since" in one.value for one in page.warning)


def test_a_cancelled_sweep_shows_what_is_known() -> None:
    page = opened(duration_s="60", rate="300", replications="1")
    page.selectbox(key="sweep-points").set_value(20).run(timeout=PATIENCE_S)
    pressed(page, "sweep-run")
    pressed(page, "sweep-cancel")
    page.run(timeout=PATIENCE_S)
    assert any("Cancelled." in one.value for one in page.info)
    assert not has_button(page, "sweep-cancel")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_offered_to_be_varied_has_an_effect_and_an_axis(kind: str) -> None:
    scenario = parse(f"kind={kind}")
    names = panel._axes(scenario)
    assert "rate" in names
    assert "seed" not in names
    assert not [name for name in names if name.startswith("goal_")]
    for name in names:
        assert len(panel._axis(scenario, name, 8).values) >= 1


# ---- charts --------------------------------------------------------------------------------------

GRID = Grid(
    parse("goal_wait_ms=20"),
    parse_axis("pool_size=1,2,3", "sqlalchemy"),
    parse_axis("rate=100,200", "sqlalchemy"),
)


def progress_of(values: list[float | None], grid: Grid = GRID) -> Progress:
    places = tuple(grid.places())
    cells = {
        number: Cell(
            places[number].query,
            4,
            1000,
            {
                name: Estimate(value, value and value * 0.9, value and value * 1.1)
                for name in METRICS
            },
        )
        for number, value in enumerate(values)
    }
    return Progress(places, cells, set(cells))


def test_the_frontier_is_drawn_where_the_goal_lies_between_cells() -> None:
    progress = progress_of([0.05, 0.01, 0.005, 0.1, 0.03, None])
    goal = words.goal_of(parse("goal_wait_ms=20"), "wait_p99")
    figure = charts.heat_map(
        GRID, progress, "wait_p99", goal, words.marks(GRID, progress, parse(""), "wait_p99")
    )
    colours, frontier = figure.traces[:2]
    assert colours["z"][1][2] is None
    assert "too few of 1,000 requests" in colours["text"][1][2]
    assert frontier["type"] == "contour"
    assert 10 ** frontier["contours"]["start"] == pytest.approx(20.0)


@pytest.mark.parametrize("values", [[], [0.01] * 6, [0.0] * 6, [None] * 6])
def test_a_map_without_a_frontier_draws_none(values: list[float | None]) -> None:
    figure = charts.heat_map(GRID, progress_of(values), "wait_p99", 0.02, [])
    assert [trace["type"] for trace in figure.traces] == ["heatmap"]


def test_a_curve_has_its_interval_and_its_marks() -> None:
    grid = Grid(parse(""), GRID.x)
    progress = progress_of([0.05, 0.02, 0.01], grid)
    mark = Mark("your settings", 2.0, None, "here", is_here=True)
    figure = charts.curve(grid, progress, "wait_p99", 0.02, [mark])
    low, high, line, goal, here = figure.traces
    assert low["y"] == pytest.approx([45.0, 18.0, 9.0])
    assert high["y"] == pytest.approx([55.0, 22.0, 11.0])
    assert line["y"] == pytest.approx([50.0, 20.0, 10.0])
    assert goal["y"] == pytest.approx([20.0, 20.0])
    assert (here["x"], here["y"]) == ([2.0], [20.0])
    assert "from 10 to 50 ms in 3 cells" in figure.label


def test_settings_beyond_the_grid_are_not_marked() -> None:
    def here(query: str) -> list[bool]:
        return [one.is_here for one in words.marks(GRID, progress_of([]), parse(query), "wait_p99")]

    assert True in here("rate=150&pool_size=2")
    assert here("rate=500&pool_size=2") == []
    assert True not in here("kind=asyncpg&rate=150&max_size=30")


def test_rules_of_thumb_are_marked_with_what_they_lead_to() -> None:
    progress = progress_of([0.05, 0.01, 0.005, 0.1, 0.03, 0.02])
    scenario = parse("rate=100&hold_ms=9&goal_wait_ms=20&cores=1")
    found = {one.x: one for one in words.marks(GRID, progress, scenario, "wait_p99")}
    assert "Little × 1.5" in found[2.0].name
    assert "Wait, p99 10 ms here, 10 ms below the goal" in found[2.0].said
    assert "cores × 2 + 1" in found[3.0].name
