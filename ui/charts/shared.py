"""What all charts share: colours, margins, small pieces of layout.

Colours stand at 3:1 or better against both the light and the dark background; text, grid and
hover labels take theirs from the page's theme in the browser.
"""

from typing import Any

TEAL, GREY, ORANGE, VIOLET = "#1c8aa0", "#7d8a93", "#b8691c", "#8a70cc"

# Two curves that agree: a thin line in a wide band of the other's colour, so both are seen.
BAND, BAND_ALPHA = 6, 0.5

Trace = dict[str, Any]
Layout = dict[str, Any]


def base(revision: str, top: int = 28) -> Layout:
    """Return what all charts share. Zoom and legend stay while `revision` does."""
    return {
        "uirevision": revision,
        "margin": {"l": 56, "r": 16, "t": top, "b": 44},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "traceorder": "normal",
            "uirevision": "kept",
        },
    }


def note(text: str) -> list[Layout]:
    """Write a sentence into the middle of an empty chart."""
    return [
        {"text": text, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
    ]


def faded(ink: str, alpha: float) -> str:
    """Return a colour (#rrggbb) with that opacity."""
    red, green, blue = (int(ink[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha})"
