"""CPU-bound queries in a closed loop: how throughput and hold follow the size of the pool.

72 callers ask again as soon as they have their answer. Each query computes for some 4 ms at the
server, so that beyond a few connections the cores decide and a bigger pool only lends more.
Client and server share the cores; the client goes first, as on a machine of its own.
"""

import asyncio
import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from bench.accuracy.cases import PARAMETERS
from bench.accuracy.noise import Watch, client_first
from bench.accuracy.recording import DRIVERS, MAX_CONNECTIONS
from bench.accuracy.runs import Folder
from pools.live import postgres
from pools.live.clock import precise_loop
from pools.live.drivers.postgres import PostgresDriver, Work
from pools.live.plan import pool_arguments
from pools.live.record import Record
from pools.trace import Outcome, Trace
from sim.capacity import Capacity
from sim.engine import simulate
from sim.query import parse

CALLERS = 72
SIZES = (1, 2, 3, 4, 8, 16, 32, 64)
CALIBRATED_AT = (1, 2, 4, 16, 64)
ROWS = 55_000
ROWS_MAX = 20_000
CORES_PERCENT = range(100, 212, 2)
CONTENTION_PERCENT = range(0, 52, 2)
HALVINGS = 20
SIMULATED_S = 10.0
# Queries of one length would march in step for ever, which no real ones do.
SPREAD = 0.1
# A hold of 64 connections lasts a fifth of a second: several of them have to pass first.
SETTLE_S, WINDOW_S = 1.0, 2.0
# The speed of a shared machine changes within minutes: sizes take turns, and medians count.
ROUNDS = 5
SUM = Work("SELECT sum(n) FROM generate_series(1, CAST($1 AS int)) n", lambda _hold_s: ROWS)


def record(folder: Folder, real_time: bool) -> None:
    """Measure every round of each library that the folder does not have as a whole.

    A round is judged by its own calibration, so one that was interrupted is measured anew.
    """
    missing = [
        (kind, *one)
        for turn, kind in itertools.product(range(ROUNDS), DRIVERS)
        if not all(folder.has(name) for name, _ in _named(kind, turn))
        for one in _named(kind, turn)
    ]
    if not missing:
        return
    with postgres.start(MAX_CONNECTIONS) as server, client_first(real_time):
        for kind, name, size in missing:
            with asyncio.Runner(loop_factory=precise_loop) as runner:
                found = runner.run(_drive(kind, size, server))
            folder.write(name, found | {"real_time": real_time})
            print(f"{name}: {found}", flush=True)


def _named(kind: str, turn: int) -> Iterator[tuple[str, int]]:
    for size in SIZES:
        yield _name(kind, size, turn, False), size
        if size in CALIBRATED_AT:
            yield _name(kind, size, turn, True), size


def _name(kind: str, size: int, turn: int, calibrates: bool) -> str:
    return f"{kind} closed loop {size} round {turn + 1}" + " calibration" * calibrates


async def _drive(kind: str, size: int, server: postgres.EmbeddedPostgres) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    pool = parse(f"kind={kind}&{PARAMETERS[kind].format(size=size, overflow=0)}").pool
    driver = DRIVERS[kind](server.target, pool_arguments(pool), SUM)
    made = Record.of([math.nan] * ROWS_MAX)
    await driver.open(made, size)
    try:
        made.start_s = loop.time()
        until_s = made.start_s + SETTLE_S + WINDOW_S
        rows = itertools.count()
        callers = [loop.create_task(_call(driver, made, rows, until_s)) for _ in range(CALLERS)]
        await asyncio.sleep(SETTLE_S)
        watch = Watch(server.postmaster)
        await asyncio.sleep(WINDOW_S)
        noise = watch.seen()
        await asyncio.gather(*callers)
    finally:
        made.is_over = True
        await driver.close()
    return _numbers(made.trace, WINDOW_S) | {"cores": os.cpu_count()} | noise


async def _call(driver: PostgresDriver, made: Record, rows: Iterator[int], until_s: float) -> None:
    """Ask, use, return and ask again."""
    loop = asyncio.get_running_loop()
    while (now_s := loop.time()) < until_s and (row := next(rows)) < ROWS_MAX:
        made.trace.asked_s[row] = made.at(now_s)
        await driver.request(row, 0.0)


@dataclass(frozen=True, slots=True)
class Station:
    """The server's cores as fitted: what a query computes, and waits apart from that, in s."""

    compute_s: float
    wait_s: float
    cores: float
    contention: float


def judged(folder: Folder) -> dict[str, Any]:
    """Return what was measured beside what the fitted station says, for each library."""
    return {kind: _judged(folder, kind) for kind in DRIVERS}


def _judged(folder: Folder, kind: str) -> dict[str, Any]:
    """Judge each round by its own calibration; of each number, the median over rounds counts."""
    stations, rounds = [], []
    for turn in range(ROUNDS):
        calibration = {size: folder.read(_name(kind, size, turn, True)) for size in CALIBRATED_AT}
        stations.append(fitted(calibration))
        rounds.append(
            [
                _compared(folder.read(_name(kind, size, turn, False)), kind, size, stations[-1])
                for size in SIZES
            ]
        )
    rows = [_medians(of_one_size) for of_one_size in zip(*rounds, strict=True)]
    return {"station": _medians([asdict(station) for station in stations]), "rows": rows}


def _compared(
    measured: Mapping[str, float], kind: str, size: int, station: Station
) -> dict[str, float]:
    """Return a measurement, and by how much the simulation differs."""
    again = simulated(kind, size, station)
    off = {f"{name}_off": again[name] / measured[name] - 1.0 for name in again}
    return {"size": size, **measured, **off}


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the medians, and how far apart the throughputs were."""
    medians = {name: round(median(one[name] for one in found), 5) for name in found[0]}
    if "throughput_per_s" in medians:
        rates = [one["throughput_per_s"] for one in found]
        medians["spread"] = round((max(rates) - min(rates)) / median(rates), 4)
    return medians


def fitted(measured: Mapping[int, Mapping[str, float]]) -> Station:
    """Fit the station: demand and wait from one connection, cores and contention from all.

    The cores and the contention are those with the least squared error of the logarithm of
    throughput, on a grid.
    """
    alone = measured[1]
    compute_s = alone["server_cores"] / alone["throughput_per_s"]
    wait_s = alone["hold_ms"] / 1e3 - compute_s
    stations = (
        Station(compute_s, wait_s, cores / 100.0, contention / 100.0)
        for cores, contention in itertools.product(CORES_PERCENT, CONTENTION_PERCENT)
    )
    return min(stations, key=lambda station: _misfit(station, measured))


def _misfit(station: Station, measured: Mapping[int, Mapping[str, float]]) -> float:
    return sum(
        math.log(throughput_per_s(station, size) / one["throughput_per_s"]) ** 2
        for size, one in measured.items()
    )


def throughput_per_s(station: Station, size: int) -> float:
    """Return the throughput of a pool that is never idle, by balance.

    n queries compute on average; those of a pool of K that do not are waiting for `wait_s`, so
    that n = K - throughput x wait. The work done is throughput x demand; at a broken n it is
    that of the whole numbers around it, in proportion.
    """
    counts = np.arange(size + 1)
    capacity = Capacity(station.cores, station.contention)
    work = [0.0, *(count * capacity.speed(count) for count in range(1, size + 1))]
    low, high = 0.0, size / (station.compute_s + station.wait_s)
    for _ in range(HALVINGS):
        rate = (low + high) / 2.0
        served = float(np.interp(size - rate * station.wait_s, counts, work)) / station.compute_s
        low, high = (rate, high) if rate < served else (low, rate)
    return (low + high) / 2.0


def simulated(kind: str, size: int, station: Station) -> dict[str, float]:
    """Return throughput and mean hold of the same closed loop, simulated."""
    hold_s = station.compute_s + station.wait_s
    cores = math.ceil(station.cores)
    pool = PARAMETERS[kind].format(size=size, overflow=0)
    scenario = parse(
        f"kind={kind}&{pool}&pattern=closed&users={CALLERS}&think_ms=0&hold_cv={SPREAD:g}"
        f"&hold_ms={hold_s * 1e3}&cpu_fraction={station.compute_s / hold_s}&cores={cores}"
        f"&other_cores={cores - station.cores}&contention={station.contention}&rtt_ms=0"
        f"&connect_ms=0&warm_connections={size}&max_connections={MAX_CONNECTIONS}"
        f"&duration_s={SETTLE_S + SIMULATED_S}&warm_up_s={SETTLE_S}&replications=1"
    )
    return _numbers(simulate(scenario), SIMULATED_S)


def _numbers(trace: Trace, window_s: float) -> dict[str, float]:
    """Return throughput and mean hold of what was returned in the window."""
    returned_s, granted_s = np.asarray(trace.returned_s), np.asarray(trace.granted_s)
    counted = (returned_s >= SETTLE_S) & (returned_s < SETTLE_S + window_s)
    counted &= np.asarray(trace.outcome) == Outcome.OK
    return {
        "throughput_per_s": round(float(counted.sum()) / window_s, 2),
        "hold_ms": round(float((returned_s - granted_s)[counted].mean()) * 1e3, 4),
    }
