"""The real pools on a real PostgreSQL and HTTP server, in real time, on this machine.

Measured by driving them (`recording`, `closed_loop`), judged by simulating the same (`judging`).
An interrupted measurement goes on where it was; `judge` simulates what was measured last again.
"""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from bench.accuracy import closed_loop
from bench.accuracy import real_pools_shown as shown
from bench.accuracy.cases import PARAMETERS, PART, Case, parts
from bench.accuracy.judging import between, constants_of, judged
from bench.accuracy.noise import awake, real_time
from bench.accuracy.recording import STALL_MS, record
from bench.accuracy.runs import Folder

TEXT = Path(__file__).with_suffix(".md")
FOLDER = "real_pools"
BEFORE_OTHERS = (
    "Client and server ran before all normal processes (`SCHED_RR`), because others worked on the"
    " same machine."
)
AMONG_OTHERS = "Client and server ran at normal priority, among whatever else the machine did."


def measure() -> dict[str, Any]:
    """Drive all pools, or those that an interrupted measurement left, and judge."""
    folder = Folder(FOLDER)
    folder.begin()
    with awake(), real_time() as before_others:
        for kind in PARAMETERS:
            cases = (case for part in parts(kind) for some in part for case in some)
            record(cases, folder, before_others)
        closed_loop.record(folder, before_others)
    folder.end()
    return judge()


def judge() -> dict[str, Any]:
    """Simulate what was measured last."""
    folder = Folder(FOLDER)
    cases, made = [], []
    constants: dict[str, dict[str, Any]] = {}
    for kind in PARAMETERS:
        for part, (calibrating, judging) in enumerate(parts(kind)):
            found = _constants(folder, calibrating)
            cases += judging
            made += [between(found, _capacity(case)) for case in judging]
            constants[f"{kind} {part + 1}"] = {
                str(size): one.in_ms() for size, one in found.items()
            }
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        rows = list(processes.map(judged, map(folder.run_of, cases), made))
    return {
        "constants": constants,
        "runs": rows,
        "closed_loop": closed_loop.judged(folder),
    }


def render(found: Mapping[str, Any]) -> str:
    """Put the tables into the text."""
    rows, loops = found["runs"], found["closed_loop"]
    return TEXT.read_text(encoding="utf-8").format(
        count=len(rows),
        real_time=BEFORE_OTHERS if all(row["real_time"] for row in rows) else AMONG_OTHERS,
        stall_ms=STALL_MS,
        part=PART,
        callers=closed_loop.CALLERS,
        rounds=closed_loop.ROUNDS,
        cores=next(iter(loops.values()))["rows"][0]["cores"],
        promises=shown.promises(found),
        constants=shown.constants(found),
        waits=shown.waits(rows),
        events=shown.events(rows),
        stations=shown.stations(loops),
        closed_loop=shown.closed_loop(loops),
        noise=shown.noise(rows),
    )


def _constants(folder: Folder, calibrating: Iterable[Case]) -> dict[int, Any]:
    return {_capacity(case): constants_of(folder.run_of(case)) for case in calibrating}


def _capacity(case: Case) -> int:
    capacity = case.scenario.capacity
    if capacity is None:
        raise ValueError(f"{case.name} has no limit")
    return capacity
