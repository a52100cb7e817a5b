"""The tables of the section on real pools."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bench.accuracy.bounds import (
    ALWAYS,
    MOSTLY,
    OPENED,
    REPLAYED,
    TIMEOUTS_POINTS,
    WAITS,
    Bound,
    Row,
    covered,
    error,
    median_error,
    outside,
    worst_timeouts,
)
from bench.accuracy.page import table

MEDIAN_ERROR = 0.02
SHARE_MOSTLY = 0.90
COVERAGE = 0.85
KNEE = 0.95
THROUGHPUT, HOLD = Bound(0.05, 0.0), Bound(0.10, 0.0)


def promises(found: Mapping[str, Any]) -> str:
    """Return each target with what came out."""
    rows = [*_replayed(found["runs"]), *_foretold(found["runs"]), *_cpu_bound(found["closed_loop"])]
    shown = (
        (what, target, came, "yes" if holds else "**no**") for what, target, came, holds in rows
    )
    return table(("What", "Promised", "Here", "Kept"), shown)


def _replayed(rows: Sequence[Row]) -> Iterator[tuple[str, str, str, bool]]:
    database, http = _database(rows), _http(rows)
    for what in WAITS:
        middle = median_error(database, "replayed", what)
        yield (
            f"replayed, {what} wait: median error",
            f"{MEDIAN_ERROR:.0%}",
            f"{middle:.2%}",
            middle <= MEDIAN_ERROR,
        )
    said = "mean, p95 within 6 % or 0.5 ms; p99 within 10 % or 1 ms"
    for name, some in (("every run", database), ("aiohttp, every run", http)):
        yield f"replayed, {name}", said, *_all(some, "replayed", REPLAYED)
    points = worst_timeouts(rows, "replayed")
    yield (
        "replayed, share timed out",
        f"{TIMEOUTS_POINTS:g} point",
        f"worst {points:.2f} points",
        points <= TIMEOUTS_POINTS,
    )
    opened = [row for row in database if row["measured"]["opened"]]
    beyond = [
        row["name"]
        for row in opened
        if not OPENED.holds(row["measured"]["opened"], row["replayed"]["opened"])
    ]
    yield "replayed, connections opened", "3 % or 5", _kept(opened, beyond), not beyond


def _foretold(rows: Sequence[Row]) -> Iterator[tuple[str, str, str, bool]]:
    mostly, always = (dict.fromkeys(WAITS, bound) for bound in (MOSTLY, ALWAYS))
    beyond = outside(rows, "foretold", mostly)
    share = 1.0 - len(beyond) / len(rows)
    yield (
        f"foretold, runs within {MOSTLY} on all three",
        f"{SHARE_MOSTLY:.0%}",
        f"{share:.0%}, {_kept(rows, beyond)}",
        share >= SHARE_MOSTLY,
    )
    yield f"foretold, every run within {ALWAYS}", "all", *_all(rows, "foretold", always)
    for what in WAITS:
        share = covered(rows, what)
        yield (
            f"independent, 95 % interval (and 0.5 ms) holds the measured {what}",
            f"{COVERAGE:.0%}",
            f"{share:.0%}",
            share >= COVERAGE,
        )


def _cpu_bound(loops: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    for kind, loop in loops.items():
        rows = loop["rows"]
        for what, bound in (("throughput_per_s", THROUGHPUT), ("hold_ms", HOLD)):
            worst = max((abs(row[f"{what}_off"]), row["size"]) for row in rows)
            yield (
                f"CPU-bound, {kind}, {what.partition('_')[0]} for pools 1 to 64",
                f"{bound.ratio:.0%}",
                f"worst {worst[0]:.1%}, at {worst[1]}",
                worst[0] <= bound.ratio,
            )
        measured, simulated = _knee(rows, _served), _knee(rows, _simulated)
        said = f"measured {measured}, simulated {simulated}"
        yield f"CPU-bound, {kind}, knee", "at the right size", said, measured == simulated


def constants(found: Mapping[str, Any]) -> str:
    """Return what calibration found."""
    rows = [
        (kind, size, *(f"{value:.3f}" for value in made.values()))
        for kind, of in found["constants"].items()
        for size, made in of.items()
    ]
    return table(("Kind", "Pool", "Overhead", "Handover", "Entry", "Late"), rows, "lrrrrr")


def waits(rows: Sequence[Row]) -> str:
    """Return every run: measured, and the error of both simulations."""
    head = ("Run", "Requests", "Mean", "p95", "p99", "Replayed", "", "", "Foretold", "", "")
    shown = (
        (
            row["name"],
            f"{row['requests']:,}",
            *(f"{row['measured'][what]:.2f}" for what in WAITS),
            *(_error(row, "replayed", what, REPLAYED[what]) for what in WAITS),
            *(_error(row, "foretold", what, MOSTLY) for what in WAITS),
        )
        for row in rows
    )
    return table(head, shown, "lrrrrrrrrrr")


def events(rows: Sequence[Row]) -> str:
    """Return time-outs and connections opened, where there were any."""
    head = ("Run", "Timed out", "replayed", "foretold", "Opened", "replayed", "foretold")
    who = ("measured", "replayed", "foretold")
    shown = (
        (
            row["name"],
            *(f"{row[one]['timeouts']:.2%}" for one in who),
            *(f"{row[one]['opened']:.0f}" for one in who),
        )
        for row in rows
        if row["measured"]["timeouts"] or row["measured"]["opened"]
    )
    return table(head, shown, "lrrrrrr")


def stations(loops: Mapping[str, Any]) -> str:
    """Return the fitted servers."""
    head = ("Kind", "Computes", "Waits", "Cores", "Contention")
    rows = [
        (
            kind,
            f"{made['compute_s'] * 1e3:.2f} ms",
            f"{made['wait_s'] * 1e3:.2f} ms",
            f"{made['cores']:.3f}",
            f"{made['contention']:.3f}",
        )
        for kind, loop in loops.items()
        if (made := loop["station"])
    ]
    return table(head, rows, "lrrrr")


def closed_loop(loops: Mapping[str, Any]) -> str:
    """Return throughput and hold for each size."""
    head = ("Kind", "Pool", "Throughput /s", "simulated", "Hold ms", "simulated", "Spread")
    rows = [
        (
            kind,
            row["size"],
            f"{row['throughput_per_s']:.0f}",
            f"{row['throughput_per_s_off']:+.1%}",
            f"{row['hold_ms']:.1f}",
            f"{row['hold_ms_off']:+.1%}",
            f"{row['spread']:.1%}",
        )
        for kind, loop in loops.items()
        for row in loop["rows"]
    ]
    return table(head, rows, "lrrrrrr")


def noise(rows: Sequence[Row]) -> str:
    """Return how late the client was and what others used."""
    head = ("Run", "Late p50", "p99", "worst", "Others, cores", "Stolen", "Stalls")
    shown = (
        (
            row["name"],
            f"{row['late_ms_p50']:.2f}",
            f"{row['late_ms_p99']:.2f}",
            f"{row['late_ms_max']:.1f}",
            f"{row['other_cores']:.2f}",
            f"{row['stolen_cores']:.3f}",
            ", ".join(f"{ms:.0f}" for ms in row["stalls_ms"]) if len(row["stalls_ms"]) > 1 else "",
        )
        for row in rows
    )
    return table(head, shown, "lrrrrrl")


def _all(rows: Sequence[Row], who: str, bounds: Mapping[str, Bound]) -> tuple[str, bool]:
    beyond = outside(rows, who, bounds)
    return _kept(rows, beyond), not beyond


def _kept(rows: Sequence[Row], beyond: Sequence[str]) -> str:
    named = f" (not: {'; '.join(beyond)})" if beyond else ""
    return f"{len(rows) - len(beyond)} of {len(rows)}{named}"


def _database(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row["name"].startswith("aiohttp")]


def _http(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["name"].startswith("aiohttp")]


def _error(row: Row, who: str, what: str, bound: Bound) -> str:
    mark = "" if bound.holds(row["measured"][what], row[who][what]) else " !"
    return f"{error(row, who, what):+.1%}{mark}"


def _knee(rows: Sequence[Mapping[str, Any]], whose: Callable[[Mapping[str, Any]], float]) -> int:
    """Return the smallest size that serves nearly as much as any."""
    most = max(whose(row) for row in rows)
    return int(min(row["size"] for row in rows if whose(row) >= KNEE * most))


def _served(row: Mapping[str, Any]) -> float:
    return float(row["throughput_per_s"])


def _simulated(row: Mapping[str, Any]) -> float:
    return _served(row) * (1.0 + float(row["throughput_per_s_off"]))
