"""A figure as plain values, before anything draws it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """What Plotly draws: traces and layout as plain values; `label` says it in words."""

    traces: list[dict[str, Any]]
    layout: dict[str, Any]
    label: str
    height: int
