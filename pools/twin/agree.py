"""Two traces of one script beside each other: how many requests went the same way."""

import math
from dataclasses import dataclass

from pools.trace import Outcome, Trace

TOLERANCE_S = 2e-6
TIMES = ("asked_s", "granted_s", "released_s", "returned_s")


@dataclass(frozen=True, slots=True)
class Difference:
    """The first request that did not go the same way: which one, when, and what each did.

    `number` counts from 1 in order of asking; `asked_s` is the earlier of both.
    """

    number: int
    asked_s: float
    simulation: str
    library: str

    def __str__(self) -> str:
        """Say it in one sentence."""
        return (
            f"Request {self.number}, asked at {self.asked_s:.6f} s:"
            f" in the simulation it {self.simulation}; with the library it {self.library}."
        )


def identical_requests(simulated: Trace, real: Trace) -> int:
    """Count the requests that went the same way in two traces of one script."""
    return sum(_is_same(simulated, real, row) for row in range(_rows_of_both(simulated, real)))


def first_difference(simulated: Trace, real: Trace) -> Difference | None:
    """Return the first request that did not go the same way, or None if all did."""
    both = _rows_of_both(simulated, real)
    last = max(len(simulated.asked_s), len(real.asked_s))
    for row in range(last):
        if row >= both or not _is_same(simulated, real, row):
            asked_s = min(trace.asked_s[row] for trace in (simulated, real) if _has(trace, row))
            return Difference(row + 1, asked_s, _what(simulated, row), _what(real, row))
    return None


def _rows_of_both(simulated: Trace, real: Trace) -> int:
    return min(len(simulated.asked_s), len(real.asked_s))


def _has(trace: Trace, row: int) -> bool:
    return row < len(trace.asked_s)


def _is_same(one: Trace, other: Trace, row: int) -> bool:
    return (
        one.outcome[row] == other.outcome[row]
        and one.connection[row] == other.connection[row]
        and all(_is_same_time(getattr(one, name)[row], getattr(other, name)[row]) for name in TIMES)
    )


def _is_same_time(one: float, other: float) -> bool:
    return abs(one - other) <= TOLERANCE_S or (math.isnan(one) and math.isnan(other))


def _what(trace: Trace, row: int) -> str:
    """Say what happened to a request; connections are numbered from 1 as they were begun."""
    if not _has(trace, row):
        return "was never asked"
    asked_s = trace.asked_s[row]
    parts = [f"asked at {asked_s:.6f} s"]
    if math.isnan(trace.granted_s[row]):
        parts.append("got no connection")
    else:
        number = trace.connection[row] + 1
        parts.append(f"got connection {number} after {_ms(trace.granted_s[row] - asked_s)}")
    for name, done in (("released_s", "was over"), ("returned_s", "had returned it")):
        at_s = getattr(trace, name)[row]
        if not math.isnan(at_s):
            parts.append(f"{done} after {_ms(at_s - asked_s)}")
    ended = Outcome(trace.outcome[row]).name.lower().replace("_", " ")
    return ", ".join([*parts, f"and ended as: {ended}"])


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3f} ms"
