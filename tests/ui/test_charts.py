"""Charts as plain values: what they show, for every kind and for nothing at all."""

import json
import math

import pytest

from pools.kinds import KINDS
from sim.query import parse
from sim.result import Survival
from sim.run import run
from ui import charts
from ui.plot.figure import Figure

SHORT = "duration_s=6&warm_up_s=1&replications=10"
BUSY = "pool_size=3&max_overflow=2&rate=150"


def plain(figure: Figure) -> str:
    """Return a figure as strict JSON: raises for nan, infinity and numpy values."""
    return json.dumps([figure.traces, figure.layout], allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_strict_json_with_units_on_every_axis(kind: str) -> None:
    scenario = parse(f"kind={kind}&{SHORT}")
    result = run(scenario)
    for figure in (charts.over_time(scenario, result), charts.waits(result)):
        assert plain(figure)
        axes = [one for name, one in figure.layout.items() if "axis" in name]
        assert all(axis["title"]["text"] for axis in axes)
        assert figure.label.endswith(".")
    assert "(s)" in charts.over_time(scenario, result).layout["xaxis"]["title"]["text"]


def test_over_time_shows_states_capacity_and_waiting() -> None:
    scenario = parse(f"{BUSY}&{SHORT}")
    result = run(scenario)
    figure = charts.over_time(scenario, result)
    by_name = {trace["name"]: trace for trace in figure.traces}
    assert set(by_name) == {"in use", "opening", "idle", "capacity 5", "waiting"}
    assert by_name["in use"]["y"] == list(result.timeline.in_use)
    assert by_name["waiting"]["yaxis"] == "y2"
    assert "a capacity of 5" in figure.label


def test_far_capacity_does_not_flatten_the_chart() -> None:
    scenario = parse(f"kind=aiohttp&limit=500&rate=20&{SHORT}")
    figure = charts.over_time(scenario, run(scenario))
    assert not [trace for trace in figure.traces if "capacity" in trace["name"]]
    assert "a capacity of 500" in figure.label


def test_warm_up_is_shaded_exactly() -> None:
    scenario = parse(SHORT)
    [shape] = charts.over_time(scenario, run(scenario)).layout["shapes"]
    assert (shape["x0"], shape["x1"]) == (0.0, 1.0)
    scenario = parse("duration_s=4&warm_up_s=0&replications=2")
    assert charts.over_time(scenario, run(scenario)).layout["shapes"] == []


def test_a_failure_is_marked_from_its_beginning_to_its_end_or_that_of_the_run() -> None:
    scenario = parse("duration_s=6&warm_up_s=0&replications=2&restart_at_s=2&restart_s=1&slow_s=9")
    figure = charts.over_time(scenario, run(scenario))
    spans = {(one["x0"], one["x1"]) for one in figure.layout["shapes"]}
    assert {(2.0, 3.0), (5.0, 6.0)} <= spans
    said = {one["text"] for one in figure.layout["annotations"]}
    assert {"restart", "5 times slower"} <= said
    assert "From 2 to 3 s: restart." in figure.label


def test_survival_curve_falls_from_everyone_to_the_floor() -> None:
    result = run(parse(f"{BUSY}&{SHORT}"))
    curve, marks = charts.waits(result).traces
    assert curve["x"] == sorted(curve["x"])
    assert curve["y"] == sorted(curve["y"], reverse=True)
    assert (curve["x"][0], curve["y"][0]) == (0.0, 100.0)
    floor = 10 ** charts.waits(result).layout["yaxis"]["range"][0]
    assert math.isclose(curve["y"][-1], floor)
    assert [text.split()[0] for text in marks["text"]] == ["p50", "p95", "p99"]


def test_percentile_marks_lie_on_the_curve() -> None:
    result = run(parse(f"{BUSY}&{SHORT}&rate=170".replace("rate=150&", "")))
    curve, marks = charts.waits(result).traces
    longest = max(curve["x"])
    for x, percent in zip(marks["x"], marks["y"], strict=True):
        longer = [y for wait, y in zip(curve["x"], curve["y"], strict=True) if wait >= x]
        shorter = [y for wait, y in zip(curve["x"], curve["y"], strict=True) if wait <= x]
        tolerance = 0.35 * percent + 1e-9  # the mark is a mean over replications
        assert min(longer) <= percent + tolerance
        assert max(shorter) >= percent - tolerance
        assert x <= longest


def test_comparison_keeps_all_curves_on_one_unit() -> None:
    short, long = Survival((0.0, 0.002), (0.5, 0.0)), Survival((0.0, 2.0), (0.4, 0.0))
    figure = charts.comparison(short, long, short)
    simulated, _replayed, measured = figure.traces
    assert (simulated["x"][-1], measured["x"][-1]) == (0.002, 2.0)
    assert figure.layout["xaxis"]["title"]["text"] == "wait (s)"
    assert "Measured: 40 % wait, the longest 2 s." in figure.label
    assert "Simulated: 50 % wait, the longest 2 ms." in figure.label


@pytest.mark.parametrize(
    ("curve", "note"),
    [
        (Survival((), ()), "No request was counted."),
        (Survival((0.0,), (0.0,)), "No request waited."),
    ],
)
def test_empty_curves_say_so(curve: Survival, note: str) -> None:
    figure = charts.comparison(curve, curve, curve)
    assert [one["text"] for one in figure.layout["annotations"]] == [note]
    assert plain(figure)


def test_zoom_is_kept_until_the_axis_means_something_else() -> None:
    revision = [
        charts.over_time(scenario, run(scenario)).layout["uirevision"]
        for scenario in map(parse, (SHORT, f"{SHORT}&rate=90", "duration_s=5&replications=2"))
    ]
    assert revision[0] == revision[1] != revision[2]
