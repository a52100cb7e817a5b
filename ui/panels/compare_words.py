"""How B differs from A, in words and tables."""

from collections.abc import Mapping

from pools.kinds import KINDS
from sim.compare import Comparison
from sim.difference import Difference
from sim.query import all_settings
from ui.words import NOTHING, number, time_unit

# Name in sim.difference, name on the page, unit.
ROWS: Mapping[str, tuple[str, str]] = {
    "wait_s_p99": ("Wait, p99", "s"),
    "wait_s_p95": ("Wait, p95", "s"),
    "wait_s_p50": ("Wait, p50", "s"),
    "wait_s_mean": ("Wait, mean", "s"),
    "latency_s_p99": ("Latency, p99", "s"),
    "latency_s_p95": ("Latency, p95", "s"),
    "latency_s_p50": ("Latency, p50", "s"),
    "latency_s_mean": ("Latency, mean", "s"),
    "timeout_ratio": ("Timeouts", "ratio"),
    "failed_ratio": ("Failures", "ratio"),
    "throughput_per_s": ("Throughput", "/s"),
    "opened_per_s": ("Opened", "/s"),
    "in_use_mean": ("In use, mean", "connections"),
}
TOLD = ("latency_s_mean", "timeout_ratio", "opened_per_s", "throughput_per_s")


def headline(found: Comparison) -> tuple[str, str]:
    """Return the p99 wait's difference as a sentence, and others that are sure as another."""
    p99 = found.differences.get("wait_s_p99")
    first = "p99 wait: too few requests to say" if p99 is None else f"p99 wait {changed(p99, 's')}"
    sure = (
        (*ROWS[name], found.differences[name])
        for name in TOLD
        if name in found.differences and found.differences[name].is_sure
    )
    told = "; ".join(f"{title.lower()} {changed(one, unit)}" for title, unit, one in sure)
    return f"{first}.", f"{told[:1].upper()}{told[1:]}." if told else ""


def changed(one: Difference, unit: str) -> str:
    """Say a difference with its interval: `−41 ms, between −47 and −35`."""
    change = one.change
    value, low, high = change.value or 0.0, change.low, change.high
    if not value and not low and not high:
        return "the same"
    scale, sign = _unit(unit, max(abs(end) for end in (value, low or 0.0, high or 0.0)))
    if low is None or high is None:
        return f"{_signed(value / scale)} {sign}"
    said = f"{_signed(value / scale)} {sign}, between {_signed(low / scale)} and"
    said = f"{said} {_signed(high / scale)}"
    return said if one.is_sure else f"{said}: no sure difference"


def differences(found: Comparison) -> list[dict[str, str]]:
    """Return the rows of the table of numbers."""
    known = ((ROWS[name], one) for name, one in found.differences.items() if name in ROWS)
    order = [title for title, _ in ROWS.values()]
    rows = sorted(known, key=lambda row: order.index(row[0][0]))
    return [
        {
            "": title,
            "A": _value(one.one, unit),
            "B": _value(one.other, unit),
            "B − A": changed(one, unit),
        }
        for (title, unit), one in rows
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


def _value(value: float, unit: str) -> str:
    scale, sign = _unit(unit, abs(value))
    return f"{number(value / scale)} {sign}"


def _unit(unit: str, largest: float) -> tuple[float, str]:
    if unit == "ratio":
        return 0.01, "%"
    return time_unit(largest) if unit == "s" else (1.0, unit)


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{number(abs(value))}"
