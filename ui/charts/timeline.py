"""Connections by state over time, and under them the requests that wait."""

from collections.abc import Callable, Iterator, Sequence

from sim.failures import Mark
from sim.result import SimulationResult, Timeline
from sim.scenario import Scenario
from ui.charts.shared import (
    BAND,
    BAND_ALPHA,
    GREY,
    ORANGE,
    TEAL,
    VIOLET,
    Layout,
    Trace,
    base,
    faded,
)
from ui.plot.figure import Figure
from ui.words import count, number

WARM_UP = "rgba(128, 139, 148, 0.14)"
FAILURE = faded(ORANGE, 0.12)
HEIGHT = 440
CAPACITY_SHOWN_UP_TO = 4.0


def over_time(scenario: Scenario, result: SimulationResult) -> Figure:
    """Draw connections by state, and under them the requests waiting, over one replication."""
    line = result.timeline
    traces = [
        _area(line.t_s, line.in_use, "in use", TEAL, 0.55),
        _area(line.t_s, line.opening, "opening", ORANGE, 0.85) | {"line": {"width": 0}},
        _area(line.t_s, line.idle, "idle", GREY, 0.28),
        _waiting(line.t_s, line.waiting),
    ]
    peak = max(map(sum, zip(line.in_use, line.opening, line.idle, strict=True)), default=0.0)
    capacity = scenario.capacity
    if capacity is not None and capacity <= CAPACITY_SHOWN_UP_TO * max(peak, 1.0):
        traces.insert(3, _capacity_line(scenario.duration_s, capacity))
    marks = [*scenario.failures.marks(scenario.duration_s)]
    layout = base(f"duration {scenario.duration_s:g}") | {
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "shapes": [*_warm_up(result.counted_from_s), *map(_span, marks)],
        "annotations": [*_warm_up_note(result.counted_from_s), *map(_span_note, marks)],
        "xaxis": _time_axis(scenario.duration_s),
        "yaxis": _count_axis("connections", [0.34, 1.0], peak),
        "yaxis2": _count_axis("waiting", [0.0, 0.24], max(line.waiting, default=0.0)),
    }
    return Figure(traces, layout, _say_over_time(scenario, result), HEIGHT)


def asked_over_time(simulated: Timeline, library: Timeline, warm_up_s: float) -> Figure:
    """Lay the library's connections and waiting requests over the simulated ones."""
    lines = _states(library, lambda _: {"width": 1.5, "color": ORANGE})
    traces = [*_states(simulated, _band), *map(_as_library, lines)]
    names = ("in the simulation", "with the library")
    return _two_over_time(traces, (simulated, library), names, warm_up_s)


def compared_over_time(a: Timeline, b: Timeline, warm_up_s: float) -> Figure:
    """Lay connections and waiting requests of B over those of A, which are broken lines."""
    broken = _states(a, lambda ink: {"width": 1.5, "color": faded(ink, 0.8), "dash": "dash"})
    lines = _states(b, lambda ink: {"width": 2, "color": ink})
    traces = [*(_named(line, "A") for line in broken), *(_named(line, "B") for line in lines)]
    return _two_over_time(traces, (a, b), ("in A", "in B"), warm_up_s)


def _named(trace: Trace, letter: str) -> Trace:
    name = f"{trace['name']}, {letter}"
    return trace | {"name": name, "hovertemplate": f"%{{y:.1f}} {name}<extra></extra>"}


def _two_over_time(
    traces: list[Trace], lines: tuple[Timeline, Timeline], names: tuple[str, str], warm_up_s: float
) -> Figure:
    peak, waiting, end_s = 0.0, 0.0, 0.0
    for line in lines:
        peak = max([peak, *_open(line)])
        waiting = max([waiting, *line.waiting])
        end_s = max([end_s, *(t_s + line.t_s[0] for t_s in line.t_s[-1:])])
    layout = base(f"until {end_s:g}") | {
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "shapes": _warm_up(warm_up_s),
        "annotations": _warm_up_note(warm_up_s),
        "xaxis": _time_axis(end_s),
        "yaxis": _count_axis("connections", [0.34, 1.0], peak),
        "yaxis2": _count_axis("waiting", [0.0, 0.24], waiting),
    }
    in_use = [number(max(line.in_use, default=0.0)) for line in lines]
    waits = [number(max(line.waiting, default=0.0)) for line in lines]
    label = (
        f"Connections over {end_s:g} s {names[0]} and {names[1]}:"
        f" at most {in_use[0]} and {in_use[1]} in use,"
        f" at most {waits[0]} and {waits[1]} requests waiting."
    )
    return Figure(traces, layout, label, HEIGHT)


def _states(line: Timeline, style: Callable[[str], dict[str, object]]) -> Iterator[Trace]:
    states = (("in use", line.in_use, TEAL), ("open", _open(line), GREY))
    for name, values, ink in (*states, ("waiting", line.waiting, VIOLET)):
        yield {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [round(t, 3) for t in line.t_s],
            "y": list(values),
            "line": style(ink),
            "yaxis": "y2" if name == "waiting" else "y",
            "hovertemplate": f"%{{y:.1f}} {name}<extra></extra>",
        }


def _as_library(trace: Trace) -> Trace:
    """Draw a line for the library, all of them under one name in the legend."""
    name = trace["name"]
    return trace | {
        "name": "library",
        "legendgroup": "library",
        "showlegend": name == "in use",
        "hovertemplate": f"%{{y:.1f}} {name}, library<extra></extra>",
    }


def _band(ink: str) -> dict[str, object]:
    return {"width": BAND, "color": faded(ink, BAND_ALPHA)}


def _open(line: Timeline) -> list[float]:
    return [in_use + idle for in_use, idle in zip(line.in_use, line.idle, strict=True)]


def _area(
    t_s: Sequence[float], values: Sequence[float], name: str, ink: str, alpha: float
) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [round(t, 3) for t in t_s],
        "y": list(values),
        "stackgroup": "connections",
        "line": {"width": 1, "color": ink},
        "fillcolor": faded(ink, alpha),
        "hovertemplate": "%{y:.1f} " + name + "<extra></extra>",
    }


def _waiting(t_s: Sequence[float], values: Sequence[float]) -> Trace:
    filled = _area(t_s, values, "waiting", VIOLET, 0.45)
    del filled["stackgroup"]
    return filled | {"fill": "tozeroy", "yaxis": "y2"}


def _capacity_line(duration_s: float, capacity: int) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"capacity {capacity}",
        "x": [0.0, duration_s],
        "y": [capacity, capacity],
        "line": {"width": 1.5, "dash": "dash", "color": GREY},
        "hoverinfo": "skip",
    }


def _time_axis(duration_s: float) -> Layout:
    return {
        "title": {"text": "time since start (s)"},
        "range": [0.0, duration_s],
        "anchor": "y2",
        "unifiedhovertitle": {"text": "%{x:.2f} s"},
    }


def _count_axis(title: str, domain: list[float], peak: float) -> Layout:
    return {
        "title": {"text": title},
        "domain": domain,
        "rangemode": "tozero",
        "nticks": 5,
        "fixedrange": True,
        **({"range": [0.0, 1.0]} if peak <= 0 else {}),
    }


def _warm_up(warm_up_s: float) -> list[Layout]:
    if not warm_up_s:
        return []
    across = {"type": "rect", "yref": "paper", "y0": 0.0, "y1": 1.0, "x0": 0.0, "x1": warm_up_s}
    return [across | {"fillcolor": WARM_UP, "line": {"width": 0}, "layer": "below"}]


def _warm_up_note(warm_up_s: float) -> list[Layout]:
    if not warm_up_s:
        return []
    place = {"x": 0.0, "y": 0.29, "yref": "paper", "xanchor": "left", "yanchor": "middle"}
    return [place | {"text": "warm-up", "showarrow": False, "font": {"size": 11, "color": GREY}}]


def _span(mark: Mark) -> Layout:
    across = {"type": "rect", "yref": "paper", "y0": 0.0, "y1": 1.0}
    place = {"x0": mark.start_s, "x1": mark.end_s, "layer": "below"}
    return across | place | {"fillcolor": FAILURE, "line": {"width": 1, "color": ORANGE}}


def _span_note(mark: Mark) -> Layout:
    place = {"x": mark.start_s, "y": 1.0, "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return place | {"text": mark.label, "showarrow": False, "font": {"size": 11, "color": ORANGE}}


def _say_over_time(scenario: Scenario, result: SimulationResult) -> str:
    limit = "no limit" if scenario.capacity is None else f"a capacity of {scenario.capacity}"
    return (
        f"Connections over {scenario.duration_s:g} s:"
        f" {number(result.in_use_mean.value or 0.0)} in use on average, against {limit};"
        f" at most {count(result.connections_max, 'connection')} open."
        f" {number(result.waiting_mean.value or 0.0)} requests waiting on average,"
        f" at most {number(max(result.timeline.waiting, default=0.0))}."
        + "".join(
            f" From {number(mark.start_s)} to {number(mark.end_s)} s: {mark.label}."
            for mark in scenario.failures.marks(scenario.duration_s)
        )
    )
