"""How long requests wait: the share that waits longer than each time, one curve or more."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sim.result import Estimate, SimulationResult, Survival
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
    note,
)
from ui.plot.figure import Figure
from ui.words import duration, number, time_unit

HEIGHT = 320
MARKED = (("p50", 50.0), ("p95", 5.0), ("p99", 1.0))


def waits(result: SimulationResult) -> Figure:
    """Draw the share of requests that wait longer than each time, with p50, p95 and p99."""
    curve = result.survival
    scale, unit = _unit_of(curve)
    traces = [
        _survival(curve, scale, unit, "simulated", TEAL),
        _marks(result, scale, unit),
    ]
    return Figure(traces, _waits_layout([curve], unit), _say_waits(result), HEIGHT)


def comparison(simulated: Survival, measured: Survival, replayed: Survival) -> Figure:
    """Lay measured waits over simulated ones, and over those of the replay, on the same axes."""
    curves = {"simulated": simulated, "replayed": replayed, "measured": measured}
    figure = _together(curves, [TEAL, VIOLET, ORANGE], "Waits measured, simulated and replayed.")
    figure.traces[1]["line"] |= {"dash": "dot"}
    return figure


def asked_waits(simulated: Survival, library: Survival) -> Figure:
    """Lay the library's waits over the simulated ones: where they agree, a line in a band."""
    curves = {"simulation": simulated, "library": library}
    figure = _together(curves, [TEAL, ORANGE], "Waits in the simulation and with the library.")
    figure.traces[0]["line"] |= {"width": BAND, "color": faded(TEAL, BAND_ALPHA)}
    return figure


def compared_waits(a: Survival, b: Survival) -> Figure:
    """Lay the waits of B over those of A, which are broken lines."""
    figure = _together({"A": a, "B": b}, [GREY, TEAL], "Waits of A and of B.")
    figure.traces[0]["line"] |= {"dash": "dash"}
    return figure


def _together(curves: Mapping[str, Survival], inks: Sequence[str], label: str) -> Figure:
    """Draw curves on the same axes; later ones lie on top."""
    scale, unit = _unit_of(*curves.values())
    traces = [
        _survival(curve, scale, unit, name, ink) | {"showlegend": True}
        for (name, curve), ink in zip(curves.items(), inks, strict=True)
    ]
    said = (
        f" {name.capitalize()}: {_share_waiting(curve)} wait, the longest {_longest(curve)}."
        for name, curve in curves.items()
    )
    layout = _waits_layout([*curves.values()], unit)
    return Figure(traces, layout, label + "".join(said), HEIGHT)


def _survival(curve: Survival, scale: float, unit: str, name: str, ink: str) -> Trace:
    """Draw one curve as steps, down to the floor of the axis where nobody waits longer."""
    floor = _floor(curve)
    points = [(0.0, 100.0)] if curve.wait_s else []
    points += [
        (float(f"{wait_s / scale:.6g}"), max(floor, float(f"{100.0 * ratio:.6g}")))
        for wait_s, ratio in zip(curve.wait_s, curve.ratio, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [wait for wait, _ in points],
        "y": [percent for _, percent in points],
        "line": {"width": 2, "color": ink, "shape": "hv"},
        "hovertemplate": f"{name}: %{{y:.3g}} % wait longer than %{{x:.4g}} {unit}<extra></extra>",
        "showlegend": False,
    }


def _marks(result: SimulationResult, scale: float, unit: str) -> Trace:
    known = [(name, at, getattr(result.wait_s, name)) for name, at in MARKED]
    found = [(name, at, one) for name, at, one in known if one.value is not None]
    longest = max([*result.survival.wait_s, 0.0]) / scale
    places = [one.value / scale for _, _, one in found]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": places,
        "y": [at for _, at, _ in found],
        "text": [f"{name} {duration(one.value)}" for name, _, one in found],
        "textposition": [
            "bottom left" if longest and x > 0.6 * longest else "top right" for x in places
        ],
        "error_x": _whiskers([one for _, _, one in found], scale),
        "marker": {"size": 8, "color": VIOLET},
        "cliponaxis": False,
        "showlegend": False,
        "hovertemplate": f"%{{x:.4g}} {unit}<extra>95 % interval as whiskers</extra>",
    }


def _whiskers(found: Sequence[Estimate], scale: float) -> dict[str, Any]:
    above = [((one.high or one.value or 0.0) - (one.value or 0.0)) / scale for one in found]
    below = [
        ((one.value or 0.0) - (one.value or 0.0 if one.low is None else one.low)) / scale
        for one in found
    ]
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": VIOLET,
        "thickness": 1.5,
        "width": 5,
    }


def _waits_layout(curves: Sequence[Survival], unit: str) -> Layout:
    floor = min([_floor(curve) for curve in curves], default=0.1)
    decades = [100.0, 10.0, 1.0, 0.1, 0.01, 0.001]
    empty = not any(curve.wait_s for curve in curves)
    nobody = not any(curve.ratio and curve.ratio[0] > 0 for curve in curves)
    return base(f"unit {unit}", top=28 if len(curves) > 1 else 8) | {
        "hovermode": "closest",
        "annotations": note("No request was counted." if empty else "No request waited.")
        if nobody
        else [],
        "xaxis": {
            "title": {"text": f"wait ({unit})"},
            "rangemode": "tozero",
            **({"range": [0, 1]} if nobody else {}),
        },
        "yaxis": {
            "title": {"text": "share that waits longer"},
            "type": "log",
            "range": [math.log10(floor), 2.15],
            "tickvals": [tick for tick in decades if tick >= floor],
            "ticktext": [f"{number(tick)} %" for tick in decades if tick >= floor],
            "fixedrange": True,
        },
    }


def _floor(curve: Survival) -> float:
    """Return where the axis ends, in percent: half of the smallest share seen, at most 0.5."""
    return min([0.5, *(50.0 * ratio for ratio in curve.ratio if ratio > 0)])


def _unit_of(*curves: Survival) -> tuple[float, str]:
    return time_unit(max((wait for curve in curves for wait in curve.wait_s), default=0.0))


def _share_waiting(curve: Survival) -> str:
    return f"{number(100.0 * curve.ratio[0])} %" if curve.ratio else "none counted"


def _longest(curve: Survival) -> str:
    return duration(max(curve.wait_s, default=0.0))


def _say_waits(result: SimulationResult) -> str:
    known = ((name, getattr(result.wait_s, name).value) for name, _ in MARKED)
    said = ", ".join(f"{name} {duration(value)}" for name, value in known if value is not None)
    return f"Waits for a connection: {said or 'too few requests to say'}."
