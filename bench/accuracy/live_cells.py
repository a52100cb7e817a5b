"""The live check on the built-in servers, 20 s a cell, beside its own simulation.

Driven by `pools.live.check` as the page does it, with its calibration before each load. An
interrupted measurement goes on where it was; `judge` simulates what was measured last again.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.bounds import Row
from bench.accuracy.cases import PARAMETERS, TIMEOUT
from bench.accuracy.judging import numbers
from bench.accuracy.live_cells_shown import cells, promises
from bench.accuracy.noise import real_time
from bench.accuracy.recording import ATTEMPTS, STALL_MS
from bench.accuracy.runs import Folder
from pools.live import check
from pools.live.compare import replayed, simulated
from pools.live.report import LiveReport
from pools.trace import Outcome, Trace
from sim.estimate import Groups
from sim.query import parse
from sim.result import Estimate
from sim.scenario import Scenario

TEXT = Path(__file__).with_suffix(".md")
FOLDER = "live_cells"
DURATION_S, WARM_UP_S = 20.0, 2.0
BATCHES = 9
# pool, hold in ms, rate, acquire timeout in s (0: the library's own)
CELLS = (
    (2, 10.0, 55.0, 0.0),
    (2, 10.0, 120.0, 0.0),
    (5, 20.0, 125.0, 0.0),
    (5, 25.0, 150.0, 0.0),
    (10, 45.0, 130.0, 0.0),
    (10, 45.0, 190.0, 0.0),
    (20, 90.0, 195.0, 0.0),
    (5, 25.0, 200.0, 0.25),
)


def measure() -> dict[str, Any]:
    """Run every cell, or those that an interrupted measurement left, and judge."""
    folder = Folder(FOLDER)
    folder.begin()
    with real_time() as before_others:
        for name, scenario in _named():
            if not folder.has(name):
                folder.write(name, _checked(name, scenario) | {"real_time": before_others})
    folder.end()
    return judge()


def judge() -> dict[str, Any]:
    """Simulate what was measured last."""
    folder = Folder(FOLDER)
    return {"cells": [_judged(name, folder.read(name)) for name, _ in _named()]}


def render(found: Mapping[str, Any]) -> str:
    """Put the tables into the text."""
    rows = found["cells"]
    return TEXT.read_text(encoding="utf-8").format(
        count=len(rows), promises=promises(rows), cells=cells(rows), stall_ms=STALL_MS
    )


def _named() -> Iterator[tuple[str, Scenario]]:
    for kind, parameters in PARAMETERS.items():
        for seed, (size, hold_ms, rate, timeout_s) in enumerate(CELLS):
            pool = parameters.format(size=size, overflow=0)
            within = f", within {timeout_s * 1e3:g} ms" if timeout_s else ""
            pool += f"&{TIMEOUT[kind]}={timeout_s}" if timeout_s else ""
            load = f"rate={rate}&hold_ms={hold_ms}&warm_connections={size}&seed={seed + 1}"
            run = f"duration_s={DURATION_S}&warm_up_s={WARM_UP_S}&max_connections=60"
            name = f"{kind} {size}, {hold_ms:g} ms, {rate:g} per s{within}"
            yield name, parse(f"kind={kind}&{pool}&{load}&{run}")


def _checked(name: str, scenario: Scenario) -> dict[str, Any]:
    """Run a live check until the machine left it alone, or for the last time."""
    tried: list[LiveReport] = []
    while len(tried) < ATTEMPTS and not any(_stall_ms(one) <= STALL_MS for one in tried):
        started = check.start(scenario, session=name, duration_s_max=DURATION_S)
        started.wait()
        if started.report is None:
            raise RuntimeError(f"{name}: {started.problem}")
        tried.append(started.report)
    kept = min(tried, key=_stall_ms)
    print(f"{name}: {[_stall_ms(one) for one in tried]}", flush=True)
    return {"report": kept.as_json(), "stalls_ms": [_stall_ms(one) for one in tried]}


def _stall_ms(report: LiveReport) -> float:
    late_s = np.asarray(report.late_s)[np.asarray(report.trace.asked_s) >= WARM_UP_S]
    return round(float(late_s.max()) * 1e3, 2)


def _judged(name: str, kept: Mapping[str, Any]) -> Row:
    report = LiveReport.from_json(kept["report"])
    measured = _numbers(report.trace, report.scenario)
    return {
        "name": name,
        "requests": len(report.trace.asked_s),
        "measured": measured,
        "simulated": _numbers(simulated(report), report.scenario),
        "replayed": _numbers(replayed(report), report.scenario),
        "interval": _intervals(report),
        "lags_ms": report.calibration.lags.in_ms() if report.calibration.lags else {},
        "late_ms_p99": round(report.lag_s["p99"] * 1e3, 3),
        "stalls_ms": kept["stalls_ms"],
        "real_time": kept["real_time"],
    }


def _numbers(trace: Trace, scenario: Scenario) -> dict[str, float]:
    """Return waits in ms, the share timed out, and requests served a second."""
    released_s = np.asarray(trace.released_s)
    in_time = (released_s >= scenario.warm_up_s) & (released_s < scenario.duration_s)
    served = int((in_time & (np.asarray(trace.outcome) == Outcome.OK)).sum())
    per_s = served / (scenario.duration_s - scenario.warm_up_s)
    found = numbers(trace, scenario) | {"throughput": per_s}
    return {what: round(value, 5) for what, value in found.items()}


def _intervals(report: LiveReport) -> dict[str, tuple[float, float] | None]:
    """Return the measured run's own 95 % intervals of mean and p95, from batches of 2 s."""
    trace = report.trace
    asked_s, granted_s = np.asarray(trace.asked_s), np.asarray(trace.granted_s)
    ended_s = np.where(np.isnan(granted_s), np.asarray(trace.released_s), granted_s)
    edges = np.linspace(WARM_UP_S, DURATION_S, BATCHES + 1)
    batches = [
        (ended_s - asked_s)[(asked_s >= low) & (asked_s < high)] * 1e3
        for low, high in itertools.pairwise(edges)
    ]
    waits = Groups.of(batches)
    return {"mean": _ends(waits.mean()), "p95": _ends(waits.percentile(95.0))}


def _ends(estimate: Estimate) -> tuple[float, float] | None:
    if estimate.low is None or estimate.high is None:
        return None
    return round(max(0.0, estimate.low), 3), round(estimate.high, 3)
