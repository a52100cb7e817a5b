"""The real pools on a real PostgreSQL and HTTP server, in real time, on this machine.

Measured by driving them (`recording`, `closed_loop`), judged by simulating the same (`judging`).
An interrupted measurement goes on where it was; `judge` simulates what was measured last again.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from bench.accuracy import closed_loop
from bench.accuracy import real_pools_shown as shown
from bench.accuracy.cases import PARAMETERS, Case, calibrating, judging
from bench.accuracy.judging import between, constants_of, judged
from bench.accuracy.noise import real_time
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
    with real_time() as before_others:
        for kind in PARAMETERS:
            record([*calibrating(kind), *judging(kind)], folder, before_others)
        closed_loop.record(folder, before_others)
    folder.end()
    return judge()


def judge() -> dict[str, Any]:
    """Simulate what was measured last."""
    folder = Folder(FOLDER)
    constants = {kind: _constants(folder, kind) for kind in PARAMETERS}
    cases = [case for kind in PARAMETERS for case in judging(kind)]
    made = [between(constants[case.kind], _capacity(case)) for case in cases]
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        rows = list(processes.map(judged, map(folder.run_of, cases), made))
    return {
        "constants": {
            kind: {str(size): made.in_ms() for size, made in of.items()}
            for kind, of in constants.items()
        },
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


def _constants(folder: Folder, kind: str) -> dict[int, Any]:
    return {_capacity(case): constants_of(folder.run_of(case)) for case in calibrating(kind)}


def _capacity(case: Case) -> int:
    capacity = case.scenario.capacity
    if capacity is None:
        raise ValueError(f"{case.name} has no limit")
    return capacity
