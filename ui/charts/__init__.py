"""A result becomes traces and layout for Plotly: pure functions, plain values."""

from ui.charts.survival import comparison, waits
from ui.charts.timeline import over_time

__all__ = ["comparison", "over_time", "waits"]
