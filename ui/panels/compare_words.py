"""How B differs from A, in words and tables."""

from pools.kinds import KINDS
from sim.compare import Comparison, Delta
from sim.query import all_settings
from sim.result import Estimate
from ui.words import NOTHING, number, time_unit

LEADING = "Wait, p99"
TOLD_MAX = 3


def headline(found: Comparison) -> tuple[str, str]:
    """Return the p99 wait's difference as a sentence, and the others that are sure."""
    by_name = {delta.name: delta for delta in found.deltas}
    leading = by_name[LEADING]
    sure = [one for one in found.deltas if one.is_sure and one.name not in (LEADING, "Wait, mean")]
    sure = [one for one in sure if not one.name.startswith("Latency, p")]
    told = "; ".join(f"{one.name.lower()} {changed(one)}" for one in sure[:TOLD_MAX])
    return f"p99 wait {changed(leading)}.", f"{told[:1].upper()}{told[1:]}." if told else ""


def changed(delta: Delta) -> str:
    """Say a difference with its interval: `-41 ms, between -47 and -35`."""
    change = delta.change
    if change.value is None:
        return "not known: too few requests"
    if change.value == 0.0 and not change.low and not change.high:
        return "the same"
    scale, unit = _unit(delta.unit, change)
    if change.low is None or change.high is None:
        return f"{_signed(change.value / scale)} {unit}"
    low, high = _signed(change.low / scale), _signed(change.high / scale)
    said = f"{_signed(change.value / scale)} {unit}, between {low} and {high}"
    return said if delta.is_sure else f"{said}: no sure difference"


def deltas(found: Comparison) -> list[dict[str, str]]:
    """Return the rows of the table of numbers."""
    return [
        {
            "": one.name,
            "A": _value(one, one.before),
            "B": _value(one, one.after),
            "B − A": changed(one),
        }
        for one in found.deltas
    ]


def settings(found: Comparison) -> list[dict[str, str]]:
    """Return the rows of the table of settings that differ."""
    known = {name: one for kind in KINDS for name, one in all_settings(kind).items()}
    rows = []
    for name, values in found.settings.items():
        shown = [NOTHING if one is None else known[name].spell(one) for one in values]
        unit = f" ({known[name].unit})" if known[name].unit else ""
        rows.append({"Setting": f"{name}{unit}", "A": shown[0], "B": shown[1]})
    return rows


def _value(delta: Delta, one: Estimate) -> str:
    if one.value is None:
        return NOTHING
    scale, unit = _unit(delta.unit, one)
    return f"{number(one.value / scale)} {unit}"


def _unit(unit: str, one: Estimate) -> tuple[float, str]:
    if unit == "ratio":
        return 0.01, "%"
    if unit != "s":
        return 1.0, unit
    ends = [abs(end) for end in (one.value, one.low, one.high) if end is not None]
    return time_unit(max(ends, default=0.0))


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{number(abs(value))}"
