"""Sweeps: one or two settings varied together; click a cell to go there.

Nothing is simulated unless the button is pressed. A sweep belongs to the session that started
it and ends with it; the processes that simulate serve all sessions.
"""

from contextlib import suppress
from functools import partial

import streamlit as st

from pools.setting import InvalidSettings, Value
from sim.query import all_settings, to_query, to_values
from sim.scenario import Scenario
from sim.sweep.axis import Axis, default_axes, load_axis, size_axis, spread
from sim.sweep.cell import METRICS
from sim.sweep.grid import Grid, varied_scenario
from sim.sweep.run import Precision
from sim.sweep.table import as_csv
from ui import charts, controls, held, state
from ui.panels import sweep_words as words
from ui.plot.chart import Point, show
from ui.sweeping import Sweeping

_JOB = "_sweep"
# The more sweeps a server has under way, the less often each is drawn: charts take its time.
REDRAW_S = 0.6
CANCEL_WAIT_S = 3.0
NOTHING = "nothing: a curve"
POINTS = (8, 12, 20)
STAGES = (2, 8, 32, 128)


def sweep(scenario: Scenario) -> None:
    """Show the sweep: before, while and after it runs."""
    st.header("Sweep", anchor=False)
    running: Sweeping | None = state.recall(_JOB)
    every = REDRAW_S * running.take_turns() if running and not running.is_settled else None
    st.fragment(_panel, run_every=every, key="sweep")(scenario)


def _panel(scenario: Scenario) -> None:
    with st.container(border=True, key="sweep-panel"):
        asked = _choose(scenario)
        sweeping: Sweeping | None = state.recall(_JOB)
        if sweeping is None:
            st.caption(words.INVITATION)
        elif sweeping.is_over and not sweeping.is_settled:
            sweeping.is_settled = True
            st.rerun()  # the whole page: only so does the fragment stop redrawing itself
        elif not sweeping.is_over and sweeping.is_out_of_step:
            st.rerun()  # the whole page: only so does the fragment redraw itself less often
        if sweeping is not None:
            _show(sweeping, asked, scenario)


def _choose(scenario: Scenario) -> str:
    """Draw the choices and the button; return the metric to show."""
    axes = _axes(scenario)
    default_x, default_y = (axis.name for axis in default_axes(scenario))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.selectbox(
            "colour by", METRICS, format_func=lambda name: METRICS[name].title, key="sweep-metric"
        )
        x = st.selectbox("to the right", axes, index=axes.index(default_x), key="sweep-x")
        upward = [*axes, NOTHING]
        y = st.selectbox("upward", upward, index=upward.index(default_y), key="sweep-y")
        points = st.selectbox("values each", POINTS, index=1, key="sweep-points")
        if st.button("Sweep", key="sweep-run", type="primary"):
            _start(scenario, x, None if y == NOTHING else y, points, metric)
    return str(metric)


def _axes(scenario: Scenario) -> list[str]:
    """Return what can be varied: numbers that apply to this scenario, except how it is run."""
    kind = scenario.pool.name
    values = {name: known.default for name, known in all_settings(kind).items()}
    values |= to_values(scenario)
    return [
        name
        for name, known in all_settings(kind).items()
        if known.kind in (int, float)
        and name not in words.NOT_VARIED
        and not name.startswith("goal_")
        and state.applies(name, kind, values)
    ]


def _start(scenario: Scenario, x: str, y: str | None, points: int, metric: str) -> None:
    held.end(_JOB)
    try:
        across = _axis(scenario, x, points)
        upward = None if y is None else _axis(scenario, y, points)
        grid = Grid(scenario.without_goal, across, upward)
    except InvalidSettings as refused:
        st.error(str(refused), title="This cannot be swept")
        return
    state.remember(_JOB, held.hold(_JOB, Sweeping(grid, Precision(metric, stages=STAGES))))
    st.rerun()


def _axis(scenario: Scenario, name: str, points: int) -> Axis:
    """Spread values around the one that is set; the pool's size and the load have their own."""
    for made in (size_axis(scenario, points), load_axis(scenario, points)):
        if made is not None and made.name == name:
            return made
    known = all_settings(scenario.pool.name)[name]
    now = float(to_values(scenario)[name]) or (known.step or 1.0)
    low = max(known.low or 0.0, now / 4.0)
    return Axis(name, tuple(spread(known, low, min(known.high or now, 4.0 * now), points)))


def _show(sweeping: Sweeping, metric: str, scenario: Scenario) -> None:
    if not sweeping.is_over:
        st.progress(sweeping.progress.fraction, text=words.progress_line(sweeping))
        if st.button("Cancel", key="sweep-cancel"):
            sweeping.cancel()
            sweeping.wait(CANCEL_WAIT_S)
            st.rerun()
    elif sweeping.problem:
        st.error(sweeping.problem, title="The sweep broke off")
    elif sweeping.was_cancelled:
        st.info("Cancelled. What was known by then is shown.")
    if to_query(sweeping.grid.base) != to_query(_unvaried(sweeping.grid, scenario)):
        st.warning("Settings have changed since. This sweep is of the settings it began with.")
    _draw(sweeping, metric, scenario)


def _unvaried(grid: Grid, scenario: Scenario) -> Scenario:
    """Return the scenario as it would be without what the sweep itself varies."""
    axes = [axis.name for axis in (grid.x, grid.y) if axis is not None]
    before = to_values(grid.base)
    try:
        return varied_scenario(scenario.without_goal, {name: before[name] for name in axes})
    except (InvalidSettings, KeyError):  # another kind has other settings
        return scenario


def _draw(sweeping: Sweeping, metric: str, scenario: Scenario) -> None:
    grid, progress = sweeping.grid, sweeping.progress
    marks = words.marks(grid, progress, scenario, metric)
    goal = words.goal_of(scenario, metric)
    figure = (charts.heat_map if grid.y else charts.curve)(grid, progress, metric, goal, marks)
    go = partial(_go, grid, scenario)
    if show(figure, key="sweep-chart", on_click=go, picture="poolwise-sweep"):
        st.rerun()
    st.caption(words.known(sweeping))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _go_by_hand(grid, scenario)
        if sweeping.is_over:
            st.download_button(
                "CSV",
                as_csv(grid, progress),
                "poolwise-sweep.csv",
                "text/csv",
                on_click="ignore",
                key="sweep-csv",
            )


def _go_by_hand(grid: Grid, scenario: Scenario) -> None:
    """Offer the cells without a mouse."""
    x = st.selectbox(grid.x.name, grid.x.values, key="sweep-go-x")
    y = st.selectbox(grid.y.name, grid.y.values, key="sweep-go-y") if grid.y else 0.0
    point = Point(float(x), float(y))
    if st.button("Go to this cell", key="sweep-go", on_click=_go, args=(grid, scenario, point)):
        st.rerun()


def _go(grid: Grid, scenario: Scenario, point: Point) -> None:
    """Write the cell that was chosen into the settings; one without a scenario says why."""
    varied: dict[str, Value] = {grid.x.name: _nearest(grid.x, point.x)}
    if grid.y is not None:
        varied[grid.y.name] = _nearest(grid.y, point.y)
    with suppress(InvalidSettings):
        state.apply(varied_scenario(scenario, varied), controls.spelt)


def _nearest(axis: Axis, value: float) -> float:
    return min((float(one) for one in axis.values), key=lambda one: abs(one - value))
