"""How far a simulated number may be from a measured one, and which runs keep to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Row = Mapping[str, Any]
WAITS = ("mean", "p95", "p99")
# What the measurement itself is good to: the turn of an event loop in which a wait is noted.
SHARP_MS = 0.5


@dataclass(frozen=True, slots=True)
class Bound:
    """A share of the measured value or an absolute floor, whichever is wider."""

    ratio: float
    floor: float

    def holds(self, measured: float, simulated: float) -> bool:
        """Whether a simulated value is near enough."""
        return abs(simulated - measured) <= max(self.ratio * measured, self.floor)

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.ratio:.0%} or {self.floor:g} ms"


NEAR = Bound(0.06, 0.5)
NEAR_P99 = Bound(0.10, 1.0)
MOSTLY = Bound(0.10, 1.0)
ALWAYS = Bound(0.20, 2.0)
OPENED = Bound(0.03, 5.0)
REPLAYED = {"mean": NEAR, "p95": NEAR, "p99": NEAR_P99}
TIMEOUTS_POINTS = 1.0


def outside(rows: Iterable[Row], who: str, bounds: Mapping[str, Bound]) -> list[str]:
    """Return the names of the runs with a wait out of bounds."""
    return [
        row["name"]
        for row in rows
        if not all(bound.holds(row["measured"][w], row[who][w]) for w, bound in bounds.items())
    ]


def error(row: Row, who: str, what: str) -> float:
    """Return the relative error of a simulated number."""
    measured: float = row["measured"][what]
    return float(row[who][what] / measured - 1.0)


def median_error(rows: Sequence[Row], who: str, what: str) -> float:
    """Return the median of the relative errors, without their sign."""
    return median(abs(error(row, who, what)) for row in rows)


def worst_timeouts(rows: Iterable[Row], who: str) -> float:
    """Return the largest difference in the share that timed out, in percentage points."""
    return max(abs(row[who]["timeouts"] - row["measured"]["timeouts"]) * 100.0 for row in rows)


def covered(rows: Sequence[Row], what: str) -> float:
    """Return how often the interval of independent runs holds the measured number."""
    inside = (
        row["low"][what] - SHARP_MS <= row["measured"][what] <= row["high"][what] + SHARP_MS
        for row in rows
    )
    return sum(inside) / len(rows)
