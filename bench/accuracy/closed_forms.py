"""Closed forms: the simulation beside queues whose answer is known exactly.

Each point is a scenario, its seed the number of its row, simulated as often as its line says.
The interval of a point is Student's over its replications, at 99 %.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.page import table
from pools.trace import Outcome, Trace
from sim.closed_forms import (
    engset,
    m_g_1,
    m_g_c_ps_latency_s,
    m_m_c_k,
    m_m_c_with_patience,
    machine_repair,
)
from sim.engine import simulate
from sim.kernel.coverage import uncovered
from sim.query import parse
from sim.scenario import Scenario
from sim.theory import student_t, wait_s_mean, wait_s_percentile

Array = NDArray[np.float64]
CONFIDENCE = 0.99
RATE_PER_S = 5000.0
HOLD_S_MIN = 1e-4
FREE = "rtt_ms=0&connect_ms=0&max_connections=10000&reserved=0&replications=1"
QUEUE = "kind=sqlalchemy&pool_size={c}&max_overflow=0&pool_timeout={patience:.9g}&cpu_fraction=0"
FOR_EVER_S = 300.0
SETTLE_S_MIN = 0.5
RUN_S_MAX = 3000.0
PATIENCE_S_MIN = 0.05
AT_ONCE_S = 1e-6
SHARING = "kind=sqlalchemy&pool_size=0&cpu_fraction=1&cores={c}"
BOUNDED = "kind=psycopg&max_size={c}&min_size={c}&max_waiting={queue}&timeout=300&cpu_fraction=0"
CLOSED = "pattern=closed&users={users}&think_ms={think:.9g}&hold_ms={hold:.9g}&cpu_fraction=0"
COMPILED, INTERPRETED = 200_000, 40_000


@dataclass(frozen=True, slots=True)
class Point:
    """A queue: its family, what it is, its query, what is known exactly of it.

    `exact` is by name: wait_s, latency_s (means), wait_s_p95, wait_s_p99, lost_ratio.
    """

    family: str
    what: str
    query: str
    requests: int
    exact: Mapping[str, float]


def measure(share: float = 1.0) -> dict[str, Any]:
    """Simulate all points, or a share of the requests of each."""
    rows = []
    for seed, point in enumerate(points(), start=1):
        rows += compare(point, seed, share)
        print(f"{seed:>3} {point.family} {point.what}", flush=True)
    return {"confidence": CONFIDENCE, "rows": rows}


def render(found: Mapping[str, Any]) -> str:
    """Return the section as Markdown."""
    rows: list[dict[str, Any]] = found["rows"]
    means = [row for row in rows if row["of"] in ("wait_s", "latency_s")]
    tails = [row for row in rows if row["of"].startswith("wait_s_p")]
    judged = [row for row in rows if row["half"] is not None]
    inside = sum(abs(row["found"] - row["exact"]) <= row["half"] for row in judged)
    points_ = {(row["family"], row["what"]) for row in rows}
    said = (
        f"{len(points_)} queues, seeds 1 to {len(points_)}. {inside} of {len(judged)} values lie"
        f" inside their {found['confidence']:.0%} interval. Relative error of mean times:"
        f" {_mean_error(means):.2%} on average, {_worst(means):.2%} at worst; of p95 and p99"
        f" waits of M/M/c: {_mean_error(tails):.2%} on average, {_worst(tails):.2%} at worst."
    )
    head = ("Queue", "Point", "Value", "Requests", "Exact", "Here", "±", "Error")
    return f"{_TEXT}\n{said}\n\n{table(head, map(_cells, rows), 'lllrrrrr')}"


_TEXT = """## Closed forms: the simulation beside exact answers

Sources and formulas are in `sim/closed_forms.py` and `sim/theory.py`; tests hold them against \
numerics of their own. Patience is a pool's timeout, places are those of `max_waiting`, users \
without a queue are those whose timeout is a microsecond. Every cell is shown, none was chosen.
"""


def points() -> Iterator[Point]:
    """Yield all queues, in the order of their seeds."""
    for c, rho, millions in _M_M_C:
        yield _m_m_c(c, rho, millions)
    for law, cv, rho, millions in _M_G_1:
        yield _m_g_1(law, cv, rho, millions)
    for c, rho, patience in _PATIENCE:
        yield _patience(c, rho, patience)
    for c, cv, rho in _SHARING:
        yield _sharing(c, cv, rho)
    for c, rho, queue in _BOUNDED:
        yield _bounded(c, rho, queue)
    for users, c, think in _USERS:
        yield _engset(users, c, think)
        yield _machine_repair(users, c, think)


# Capacity, utilisation, millions of requests: as many as bring the error of the mean to 1 %.
_M_M_C = (
    (1, 0.3, 1), (1, 0.6, 1), (1, 0.8, 4), (1, 0.9, 10), (2, 0.5, 1), (2, 0.7, 2), (2, 0.8, 4),
    (2, 0.9, 10), (3, 0.6, 2), (3, 0.85, 6), (5, 0.5, 2), (5, 0.7, 2), (5, 0.8, 4), (5, 0.9, 10),
    (8, 0.8, 4), (10, 0.7, 4), (10, 0.8, 4), (10, 0.9, 10), (15, 0.85, 6), (20, 0.8, 6),
    (20, 0.9, 10), (35, 0.9, 10), (50, 0.9, 10),
)  # fmt: skip
_M_G_1 = (
    ("constant", 0.0, 0.3, 1), ("constant", 0.0, 0.5, 1), ("constant", 0.0, 0.7, 2),
    ("constant", 0.0, 0.8, 2), ("constant", 0.0, 0.9, 6), ("lognormal", 0.5, 0.3, 1),
    ("lognormal", 0.5, 0.6, 1), ("lognormal", 0.5, 0.8, 4), ("gamma", 1.5, 0.5, 4),
    ("gamma", 1.5, 0.7, 6), ("hyperexponential", 2.0, 0.3, 4), ("hyperexponential", 2.0, 0.6, 6),
    ("lognormal", 2.0, 0.3, 8), ("lognormal", 2.0, 0.5, 10),
)  # fmt: skip
# Capacity, offered load over capacity, patience in holds.
_PATIENCE = (
    (1, 0.8, 1.0), (2, 0.9, 0.5), (3, 0.95, 2.0), (5, 0.8, 0.5), (5, 1.1, 0.5), (10, 0.9, 0.3),
    (10, 1.2, 0.2), (20, 1.0, 0.25),
)  # fmt: skip
# Cores, cv of the demand, utilisation.
_SHARING = (
    (1, 0.0, 0.4), (1, 0.0, 0.7), (1, 0.0, 0.8), (1, 1.0, 0.4), (1, 1.0, 0.7), (1, 1.0, 0.8),
    (1, 2.0, 0.4), (1, 2.0, 0.7), (2, 1.0, 0.7), (4, 1.0, 0.85),
)  # fmt: skip
# Capacity, offered load over capacity, places in the queue.
_BOUNDED = ((1, 0.8, 3), (2, 0.9, 4), (3, 0.7, 2), (5, 1.1, 5), (10, 1.0, 5))
# Users, capacity, think time in holds.
_USERS = ((10, 3, 3.0), (20, 5, 2.0), (50, 10, 4.0), (30, 10, 1.5))


def _hold_s(load: float) -> float:
    return max(HOLD_S_MIN, load / RATE_PER_S)


def _open(c: int, rho: float) -> tuple[float, float, str]:
    """Return rate, hold and the query of both."""
    hold_s = float(f"{_hold_s(rho * c):.9g}")
    rate = float(f"{rho * c / hold_s:.9g}")
    return rate, hold_s, f"rate={rate:.9g}&hold_ms={hold_s * 1e3:.9g}"


def _m_m_c(c: int, rho: float, millions: int) -> Point:
    rate, hold_s, load = _open(c, rho)
    exact = {"wait_s": wait_s_mean(rate, hold_s, c)} | {
        f"wait_s_p{p}": wait_s_percentile(rate, hold_s, c, p) for p in (95, 99)
    }
    query = f"{QUEUE.format(c=c, patience=FOR_EVER_S)}&{load}"
    return Point("M/M/c", f"c = {c}, ρ = {rho}", query, millions * 1_000_000, exact)


def _m_g_1(law: str, cv: float, rho: float, millions: int) -> Point:
    rate, hold_s, load = _open(1, rho)
    query = f"{QUEUE.format(c=1, patience=FOR_EVER_S)}&{load}&hold_cv={cv}&hold_distribution={law}"
    exact = {"wait_s": m_g_1(rate, hold_s, cv).wait_s_mean}
    family = "M/G/1" if cv else "M/D/1"
    what = f"{law}, cv = {cv:g}, ρ = {rho}" if cv else f"ρ = {rho}"
    return Point(family, what, query, millions * 1_000_000, exact)


def _patience(c: int, rho: float, patience: float) -> Point:
    rate, hold_s, load = _open(c, rho)
    patience_s = float(f"{max(patience * hold_s, PATIENCE_S_MIN):.6g}")
    # The shortest timeout that can be set asks for longer holds.
    longer = patience_s / (patience * hold_s)
    rate, hold_s = rate / longer, hold_s * longer
    load = f"rate={rate:.9g}&hold_ms={hold_s * 1e3:.9g}"
    known = m_m_c_with_patience(rate, hold_s, c, patience_s)
    query = f"{QUEUE.format(c=c, patience=patience_s)}&{load}"
    exact = {"wait_s": known.wait_s_mean, "lost_ratio": known.lost_ratio}
    what = f"c = {c}, ρ = {rho}, patience {patience:g} h"
    return Point("M/M/c with patience", what, query, 2_000_000, exact)


def _sharing(c: int, cv: float, rho: float) -> Point:
    rate, hold_s, load = _open(c, rho)
    query = f"{SHARING.format(c=c)}&{load}&hold_cv={cv}"
    exact = {"latency_s": m_g_c_ps_latency_s(rate, hold_s, c)}
    what = f"{c} cores, cv = {cv:g}, ρ = {rho}"
    return Point("M/G/1-PS" if c == 1 else "M/M/c-PS", what, query, 4_000_000, exact)


def _bounded(c: int, rho: float, queue: int) -> Point:
    rate, hold_s, load = _open(c, rho)
    known = m_m_c_k(rate, hold_s, c, c + queue)
    exact = {"wait_s": known.wait_s_mean, "lost_ratio": known.lost_ratio}
    query = f"{BOUNDED.format(c=c, queue=queue)}&{load}"
    return Point("M/M/c/K", f"c = {c}, ρ = {rho}, K = {c + queue}", query, 400_000, exact)


def _users(users: int, think: float) -> tuple[float, float, str]:
    hold_s = 0.01
    return think * hold_s, hold_s, CLOSED.format(users=users, think=think * 10.0, hold=10.0)


def _engset(users: int, c: int, think: float) -> Point:
    think_s, hold_s, load = _users(users, think)
    query = f"kind=asyncpg&max_size={c}&min_size={c}&acquire_timeout={AT_ONCE_S:f}&{load}"
    exact = {"lost_ratio": engset(users, think_s, hold_s, c).lost_ratio}
    return Point("Engset", f"{users} users, c = {c}, think {think:g} h", query, 400_000, exact)


def _machine_repair(users: int, c: int, think: float) -> Point:
    think_s, hold_s, load = _users(users, think)
    exact = {"wait_s": machine_repair(users, think_s, hold_s, c).wait_s_mean}
    query = f"kind=asyncpg&max_size={c}&min_size={c}&{load}"
    what = f"{users} users, c = {c}, think {think:g} h"
    return Point("Machine repair", what, query, 400_000, exact)


def compare(point: Point, seed: int, share: float = 1.0) -> list[dict[str, Any]]:
    """Simulate a point and lay what was found beside what is exact."""
    scenario, play, count = _planned(point, seed, share)
    seen = [_seen(play(scenario, number), scenario) for number in range(count)]
    rows = []
    for name, exact in point.exact.items():
        found, half = _found(seen, name)
        row = {"family": point.family, "what": point.what, "of": name, "exact": exact}
        requests = sum(len(one["wait_s"]) for one in seen)
        rows.append(row | {"found": found, "half": half, "requests": requests})
    return rows


def _planned(
    point: Point, seed: int, share: float
) -> tuple[Scenario, Callable[[Scenario, int], Trace], int]:
    """Return a replication that has settled before it is counted, who plays it, how often."""
    plain = parse(f"{point.query}&{FREE}&seed={seed}&duration_s=1&warm_up_s=0")
    play, requests = simulate, INTERPRETED
    if not uncovered(plain):
        from sim.kernel.simulate import simulate_arrays  # noqa: PLC0415 - it compiles

        play, requests = simulate_arrays, COMPILED
    requests = min(requests, RUN_S_MAX * plain.requests_expected)
    settle_s = _settle_s(plain)
    query = f"duration_s={settle_s + requests / plain.requests_expected:.6g}"
    made = parse(f"{point.query}&{FREE}&seed={seed}&{query}&warm_up_s={settle_s:.6g}")
    return made, play, max(5, round(share * point.requests / requests))


def _settle_s(scenario: Scenario) -> float:
    """Return six relaxation times where they are known, else a hundred holds."""
    load, capacity = scenario.offered_load, scenario.capacity or scenario.server.cores
    if scenario.workload.is_closed or load >= capacity:
        return max(SETTLE_S_MIN, 100.0 * scenario.hold_s_mean)
    relaxation_s = scenario.hold_s_mean / (capacity * (1.0 - math.sqrt(load / capacity)) ** 2)
    return max(SETTLE_S_MIN, 6.0 * relaxation_s)


def _seen(trace: Trace, scenario: Scenario) -> dict[str, Array]:
    asked, granted, released = (
        np.asarray(column) for column in (trace.asked_s, trace.granted_s, trace.released_s)
    )
    counted = (asked >= scenario.warm_up_s) & (asked < scenario.duration_s)
    ok = np.asarray(trace.outcome) == Outcome.OK
    waits = np.where(np.isnan(granted), released, granted) - asked
    return {
        "wait_s": waits[counted],
        "latency_s": (released - asked)[counted & ok],
        "lost_ratio": (~ok[counted]).astype(np.float64),
    }


def _found(seen: Sequence[Mapping[str, Array]], name: str) -> tuple[float, float | None]:
    if name.startswith("wait_s_p"):
        waits = np.concatenate([one["wait_s"] for one in seen])
        return float(np.percentile(waits, int(name.removeprefix("wait_s_p")))), None
    means = np.asarray([one[name].mean() for one in seen])
    error = float(means.std(ddof=1)) / math.sqrt(len(means))
    return float(means.mean()), student_t(len(means) - 1, CONFIDENCE) * error


def _error(row: Mapping[str, Any]) -> float:
    return float(row["found"] / row["exact"] - 1.0) if row["exact"] else 0.0


def _mean_error(rows: Sequence[Mapping[str, Any]]) -> float:
    return sum(abs(_error(row)) for row in rows) / len(rows)


def _worst(rows: Sequence[Mapping[str, Any]]) -> float:
    return max(abs(_error(row)) for row in rows)


_NAMES = {
    "wait_s": "mean wait",
    "latency_s": "mean time",
    "wait_s_p95": "p95 wait",
    "wait_s_p99": "p99 wait",
    "lost_ratio": "lost",
}


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    is_share = row["of"] == "lost_ratio"
    scale, unit = (100.0, " %") if is_share else (1e3, " ms")
    half = "" if row["half"] is None else f"{row['half'] * scale:.2g}"
    return (
        row["family"],
        row["what"],
        _NAMES[row["of"]],
        f"{row['requests']:,}",
        f"{row['exact'] * scale:.4g}{unit}",
        f"{row['found'] * scale:.4g}{unit}",
        half,
        f"{_error(row):+.2%}",
    )
