"""The tables of the section on the live check."""

from collections.abc import Callable, Sequence

from bench.accuracy.bounds import SHARP_MS, WAITS, Row, error
from bench.accuracy.page import table

THROUGHPUT = 0.02
WAIT, WAIT_P99 = 0.10, 0.15
TIMEOUTS_POINTS = 2.0


def promises(rows: Sequence[Row]) -> str:
    """Return each target with the cells that keep it."""
    checks: tuple[tuple[str, str, Callable[[Row], bool]], ...] = (
        ("throughput", "2 %", _throughput_fits),
        ("mean wait", "10 %, 0.5 ms or the run's own interval", lambda row: _fits(row, "mean")),
        ("p95 wait", "10 %, 0.5 ms or the run's own interval", lambda row: _fits(row, "p95")),
        ("p99 wait", "15 % or 0.5 ms", lambda row: _near(row, "p99", WAIT_P99)),
        ("share timed out", "2 points", _timeouts_fit),
    )
    return table(
        ("What", "Promised", "Cells that keep it"),
        ((what, promised, _kept(rows, fits)) for what, promised, fits in checks),
    )


def cells(rows: Sequence[Row]) -> str:
    """Return every cell."""
    head = ("Cell", "Requests", "/s", "", "Mean", "", "p95", "", "p99", "", "Timed out", "")
    head += ("Replayed mean", "p95", "p99", "Late p99", "Stalls")
    return table(head, map(_cell, rows), "l" + "r" * 15)


def _cell(row: Row) -> tuple[str, ...]:
    measured, simulated = row["measured"], row["simulated"]
    waits = [
        text
        for what in WAITS
        for text in (f"{measured[what]:.2f}", _marked(row, what, _wait_fits(row, what)))
    ]
    stalls = row["stalls_ms"]
    return (
        row["name"],
        f"{row['requests']:,}",
        f"{measured['throughput']:.1f}",
        _marked(row, "throughput", _throughput_fits(row)),
        *waits,
        f"{measured['timeouts']:.1%}",
        f"{simulated['timeouts']:.1%}{'' if _timeouts_fit(row) else ' !'}",
        *(f"{error(row, 'replayed', what):+.1%}" for what in WAITS),
        f"{row['late_ms_p99']:.2f}",
        ", ".join(f"{ms:.0f}" for ms in stalls) if len(stalls) > 1 else "",
    )


def _marked(row: Row, what: str, fits: bool) -> str:
    return f"{error(row, 'simulated', what):+.1%}{'' if fits else ' !'}"


def _kept(rows: Sequence[Row], fits: Callable[[Row], bool]) -> str:
    beyond = [row["name"] for row in rows if not fits(row)]
    named = f" (not: {'; '.join(beyond)})" if beyond else ""
    return f"{len(rows) - len(beyond)} of {len(rows)}{named}"


def _wait_fits(row: Row, what: str) -> bool:
    return _near(row, what, WAIT_P99) if what == "p99" else _fits(row, what)


def _fits(row: Row, what: str) -> bool:
    interval = row["interval"][what]
    inside = interval is not None and interval[0] <= row["simulated"][what] <= interval[1]
    return inside or _near(row, what, WAIT)


def _near(row: Row, what: str, ratio: float) -> bool:
    measured = row["measured"][what]
    return abs(row["simulated"][what] - measured) <= max(ratio * measured, SHARP_MS)


def _throughput_fits(row: Row) -> bool:
    return abs(error(row, "simulated", "throughput")) <= THROUGHPUT


def _timeouts_fit(row: Row) -> bool:
    off = row["simulated"]["timeouts"] - row["measured"]["timeouts"]
    return abs(off) * 100.0 <= TIMEOUTS_POINTS
