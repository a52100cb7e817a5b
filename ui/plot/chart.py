"""A chart on the page: plain traces and layout, drawn and redrawn in place by `Plotly.react`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ui import state
from ui.mount import component
from ui.plot.figure import Figure
from ui.plot.script import plotly_script


@dataclass(frozen=True, slots=True)
class Point:
    """Where a chart was clicked: in the numbers of its axes."""

    x: float
    y: float


def show(
    figure: Figure,
    *,
    key: str,
    on_click: Callable[[Point], None] | None = None,
    picture: str = "",
) -> bool:
    """Draw a figure. With the same key the chart keeps its zoom and its legend.

    `on_click` is called before the run that a click causes, which then returns True here.
    `picture` names the PNG file that a button in the chart offers.
    """
    data = {
        "script": plotly_script().path.lstrip("/"),
        "traces": figure.traces,
        "layout": figure.layout,
        "label": figure.label,
        "height": figure.height,
        "clickable": on_click is not None,
        "picture": picture,
    }

    def clicked() -> None:
        point = state.recall(key).get("clicked")
        if point and on_click is not None:
            on_click(Point(float(point["x"]), float(point["y"])))

    mounted = component("plot", Path(__file__).parent)(
        key=key, data=data, height=figure.height, on_clicked_change=clicked
    )
    return bool(mounted.get("clicked"))
