"""A result becomes traces and layout for Plotly: pure functions, plain values."""

from ui.charts.survival import asked_waits, compared_waits, comparison, waits
from ui.charts.sweep import curve, heat_map
from ui.charts.timeline import asked_over_time, compared_over_time, over_time

__all__ = [
    "asked_over_time",
    "asked_waits",
    "compared_over_time",
    "compared_waits",
    "comparison",
    "curve",
    "heat_map",
    "over_time",
    "waits",
]
