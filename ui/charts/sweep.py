"""A sweep as a chart: a heat map over two settings, or a curve with its band over one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pools.setting import Value
from sim.result import Estimate
from sim.sweep.cell import METRICS, Cell, Metric
from sim.sweep.grid import Grid
from sim.sweep.run import Progress
from ui.charts.shared import ORANGE, TEAL, VIOLET, Layout, Trace, base, faded
from ui.plot.figure import Figure
from ui.words import number

HEIGHT = 460
# From little to much; both ends stand out from the light and the dark page.
COLOURS = [
    [0.0, "#cfe8ec"],
    [0.35, "#6fb7c4"],
    [0.6, "#d9a05b"],
    [0.8, "#b8691c"],
    [1.0, "#6b2f16"],
]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point to show on a sweep, with its name and what to say of it."""

    name: str
    x: float
    y: float | None
    said: str
    is_here: bool = False


def heat_map(
    grid: Grid, progress: Progress, metric: str, goal: float | None, marks: Sequence[Mark]
) -> Figure:
    """Draw a metric over two settings; `goal` (in the metric's base unit) is drawn as a line."""
    shown = METRICS[metric]
    cells = _by_place(progress)
    values = [[_value(cells.get((c, r)), metric) for c in _columns(grid)] for r in range(grid.rows)]
    scale = _Scale.of(shown, [value for row in values for value in row if value is not None])
    traces = [_colours(grid, values, cells, progress, metric, scale)]
    if goal is not None:
        traces += _frontier(grid, values, goal / shown.scale, scale)
    traces += [_mark(mark, grid.y is not None) for mark in marks]
    layout = _layout(grid, metric) | {"annotations": _names(marks)}
    return Figure(traces, layout, _say(grid, progress, metric), HEIGHT)


def curve(
    grid: Grid, progress: Progress, metric: str, goal: float | None, marks: Sequence[Mark]
) -> Figure:
    """Draw a metric over one setting, with its 95 % interval as a band."""
    shown = METRICS[metric]
    cells = _by_place(progress)
    found = [(x, _estimate(cells.get((c, 0)), metric)) for c, x in enumerate(grid.x.values)]
    known = [(float(x), one) for x, one in found if one.value is not None]
    traces = [*_band(known, shown)]
    if goal is not None:
        traces.append(_goal_line(grid, goal / shown.scale, shown))
    heights = {x: (one.value or 0.0) / shown.scale for x, one in known}
    on_it = [replace(mark, y=heights[mark.x]) for mark in marks if mark.x in heights]
    traces += [_mark(mark, True) for mark in on_it]
    layout = _layout(grid, metric) | {"annotations": _names(on_it)}
    return Figure(traces, layout, _say(grid, progress, metric), HEIGHT)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Times span decades, so their colours go by the logarithm; shares and rates do not."""

    is_log: bool
    low: float
    high: float
    unit: str

    @classmethod
    def of(cls, metric: Metric, values: Sequence[float]) -> "_Scale":
        if metric.unit != "ms":
            return cls(False, min([0.0, *values]), max([*values, 1e-9]), metric.unit)
        positive = [value for value in values if value > 0]
        high = max(positive, default=1.0)
        return cls(True, max(min(positive, default=0.1), high / 1e5), high, metric.unit)

    def place(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.is_log else value

    def places(self, values: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
        return [[None if one is None else self.place(one) for one in row] for row in values]

    def colour_bar(self) -> dict[str, Any]:
        bar: dict[str, Any] = {"thickness": 12, "outlinewidth": 0, "ticksuffix": f" {self.unit}"}
        if self.is_log:
            ticks = [*_decades(self.low, self.high)]
            bar |= {"tickvals": [math.log10(tick) for tick in ticks]}
            bar |= {"ticktext": [f"{number(tick)} {self.unit}" for tick in ticks]}
        return bar


def _decades(low: float, high: float) -> Iterator[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1.0, 2.0, 5.0) if last - first <= 2 else (1.0,)
    for power in range(first, last + 1):
        for factor in factors:
            tick = factor * 10.0**power
            if low * 0.999 <= tick <= high * 1.001:
                yield tick


def _by_place(progress: Progress) -> Mapping[tuple[int, int], Cell]:
    places = progress.places
    return {(places[n].column, places[n].row): cell for n, cell in progress.cells.items()}


def _columns(grid: Grid) -> range:
    return range(len(grid.x.values))


def _estimate(cell: Cell | None, metric: str) -> Estimate:
    return Estimate(None) if cell is None else cell.numbers[metric]


def _value(cell: Cell | None, metric: str) -> float | None:
    value = _estimate(cell, metric).value
    return None if value is None or math.isnan(value) else value / METRICS[metric].scale


def _colours(
    grid: Grid,
    values: Sequence[Sequence[float | None]],
    cells: Mapping[tuple[int, int], Cell],
    progress: Progress,
    metric: str,
    scale: _Scale,
) -> Trace:
    problems = {(place.column, place.row): place.problem for place in progress.places}
    said = [
        [_say_cell(cells.get((c, r)), metric, problems.get((c, r), "")) for c in _columns(grid)]
        for r in range(grid.rows)
    ]
    upward = grid.y.name if grid.y else ""
    return {
        "type": "heatmap",
        "x": _numbers(grid.x.values),
        "y": _numbers(grid.y.values) if grid.y else [0],
        "z": scale.places(values),
        "zmin": scale.place(scale.low),
        "zmax": scale.place(scale.high),
        "text": said,
        "colorscale": COLOURS,
        "colorbar": scale.colour_bar(),
        "hoverongaps": True,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": f"{grid.x.name} %{{x}}, {upward} %{{y}}<br>%{{text}}<extra></extra>",
    }


def _say_cell(cell: Cell | None, metric: str, problem: str) -> str:
    if problem:
        return problem
    if cell is None:
        return "not simulated yet"
    shown, one = METRICS[metric], cell.numbers[metric]
    if one.value is None:
        return f"{shown.title}: too few of {cell.requests:,} requests to say"
    said = f"{shown.title} {number(one.value / shown.scale)} {shown.unit}"
    if one.low is not None and one.high is not None:
        low, high = number(one.low / shown.scale), number(one.high / shown.scale)
        said += f"<br>95 % interval {low} to {high} {shown.unit}"
    said += f"<br>{cell.requests:,} requests in {cell.replications} replications"
    return said + ("<br>load reaches capacity: grows while the run lasts" if cell.grows else "")


def _frontier(
    grid: Grid, values: Sequence[Sequence[float | None]], goal: float, scale: _Scale
) -> list[Trace]:
    """Draw the line between cells that meet the goal and cells that do not."""
    level = scale.place(goal)
    places = [scale.place(value) for row in values for value in row if value is not None]
    if not places or not min(places) < level < max(places):
        return []
    return [
        {
            "type": "contour",
            "x": _numbers(grid.x.values),
            "y": _numbers(grid.y.values) if grid.y else [0],
            "z": scale.places(values),
            "contours": {
                "type": "levels",
                "start": level,
                "end": level,
                "size": 1,
                "coloring": "none",
            },
            "line": {"color": VIOLET, "width": 3},
            "name": "goal",
            "showlegend": True,
            "showscale": False,
            "connectgaps": True,
            "hoverinfo": "skip",
        }
    ]


def _mark(mark: Mark, has_height: bool) -> Trace:
    line = {"width": 2, "color": "#1b1b1f"}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [mark.x],
        "y": [mark.y if has_height else 0],
        "name": mark.name,
        "marker": {
            "symbol": "x" if mark.is_here else "circle",
            "size": 12 if mark.is_here else 10,
            "color": VIOLET if mark.is_here else "#ffffff",
            "line": line,
        },
        "showlegend": mark.is_here,
        "hovertemplate": f"{mark.said}<extra></extra>",
        "cliponaxis": False,
    }


def _names(marks: Sequence[Mark]) -> list[Layout]:
    """Write the names of marks on light plates: what lies behind them has any colour."""
    return [
        {
            "x": mark.x,
            "y": mark.y,
            "text": mark.name,
            "showarrow": False,
            "yshift": 15 + 15 * (number % 2),
            "font": {"size": 11, "color": "#1b1b1f"},
            "bgcolor": "rgba(255, 255, 255, 0.8)",
        }
        for number, mark in enumerate(marks)
        if not mark.is_here and mark.y is not None
    ]


def _band(known: Sequence[tuple[float, Estimate]], shown: Metric) -> Iterator[Trace]:
    xs = [x for x, _ in known]
    middle = [one.value or 0.0 for _, one in known]
    lows = [
        value if one.low is None else one.low for value, (_, one) in zip(middle, known, strict=True)
    ]
    highs = [
        value if one.high is None else one.high
        for value, (_, one) in zip(middle, known, strict=True)
    ]
    ends = (lows, highs)
    for values, fill in zip(ends, (None, "tonexty"), strict=True):
        yield {
            "type": "scatter",
            "mode": "lines",
            "x": xs,
            "y": [value / shown.scale for value in values],
            "line": {"width": 0},
            "fill": fill or "none",
            "fillcolor": faded(TEAL, 0.25),
            "hoverinfo": "skip",
            "showlegend": False,
        }
    yield {
        "type": "scatter",
        "mode": "lines+markers",
        "x": xs,
        "y": [value / shown.scale for value in middle],
        "line": {"color": TEAL, "width": 2},
        "name": shown.title,
        "hovertemplate": f"%{{x}}: %{{y:.4g}} {shown.unit}<extra></extra>",
    }


def _goal_line(grid: Grid, level: float, shown: Metric) -> Trace:
    ends = [float(grid.x.values[0]), float(grid.x.values[-1])]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": ends,
        "y": [level, level],
        "line": {"color": ORANGE, "width": 2, "dash": "dash"},
        "name": "goal",
        "hovertemplate": f"goal {number(level)} {shown.unit}<extra></extra>",
    }


def _layout(grid: Grid, metric: str) -> Layout:
    upward = grid.y.name if grid.y else f"{METRICS[metric].title} ({METRICS[metric].unit})"
    layout = base(f"{grid.x.name} {upward}") | {
        "hovermode": "closest",
        "xaxis": {"title": {"text": grid.x.name}, "showgrid": grid.y is None},
        "yaxis": {"title": {"text": upward}, "showgrid": grid.y is None},
    }
    if grid.y is None:
        layout["yaxis"]["rangemode"] = "tozero"
    return layout


def _numbers(values: Sequence[Value]) -> list[float]:
    return [float(value) for value in values]


def _say(grid: Grid, progress: Progress, metric: str) -> str:
    shown = METRICS[metric]
    known = [(_value(cell, metric), n) for n, cell in progress.cells.items()]
    found = [(value, n) for value, n in known if value is not None]
    over = f"{shown.title} over {grid.x.name}" + (f" and {grid.y.name}" if grid.y else "")
    if not found:
        return f"{over}: nothing is known yet."
    low, high = min(found), max(found)
    return f"{over}: from {number(low[0])} to {number(high[0])} {shown.unit} in {len(found)} cells."
