"""A chart on the page: plain traces and layout, drawn and redrawn in place by `Plotly.react`."""

from pathlib import Path

from ui.mount import component
from ui.plot.figure import Figure
from ui.plot.script import plotly_script


def show(figure: Figure, *, key: str) -> None:
    """Draw a figure. With the same key the chart keeps its zoom and its legend."""
    data = {
        "script": plotly_script().path.lstrip("/"),
        "traces": figure.traces,
        "layout": figure.layout,
        "label": figure.label,
        "height": figure.height,
    }
    component("plot", Path(__file__).parent)(key=key, data=data, height=figure.height)
