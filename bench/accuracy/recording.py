"""Drives real pools through cases and records how each went."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from bench.accuracy.cases import Case
from bench.accuracy.noise import Watch, lateness_ms
from bench.accuracy.runs import Folder
from pools.live import postgres
from pools.live.clock import precise_loop
from pools.live.drivers import Driver
from pools.live.drivers.http import AiohttpDriver
from pools.live.drivers.postgres import AsyncpgDriver, SqlalchemyDriver
from pools.live.facts import trace_as_json
from pools.live.http_server import HttpServer
from pools.live.load import Load, Schedule
from pools.live.plan import pool_arguments
from pools.live.record import Record
from sim.workload import draw

DRAIN_S = 20.0
MAX_CONNECTIONS = 200
# A run in which a request started later than this was disturbed, and is repeated.
STALL_MS = 20.0
ATTEMPTS = 3
DriveOnce = Callable[[], Coroutine[Any, Any, dict[str, Any]]]
DRIVERS = {"asyncpg": AsyncpgDriver, "sqlalchemy": SqlalchemyDriver}


def record(cases: Iterable[Case], folder: Folder, real_time: bool) -> None:
    """Drive every case that the folder does not have yet; the servers serve all of them."""
    missing = [case for case in cases if not folder.has(case.name)]
    database = [case for case in missing if case.kind in DRIVERS]
    if database:
        with postgres.start(MAX_CONNECTIONS) as server:
            for case in database:
                _keep(case, folder, real_time, partial(_on_postgres, case, server))
    for case in missing:
        if case.kind not in DRIVERS:
            _keep(case, folder, real_time, partial(_on_http, case))


def _keep(case: Case, folder: Folder, real_time: bool, drive_once: DriveOnce) -> None:
    """Drive a case until the machine left it alone, or for the last time; keep the quietest."""
    tried: list[dict[str, Any]] = []
    while len(tried) < ATTEMPTS and not any(_was_quiet(one) for one in tried):
        with asyncio.Runner(loop_factory=precise_loop) as runner:
            tried.append(runner.run(drive_once()))
    kept = min(tried, key=_stall_ms)
    kept["noise"] |= {"real_time": real_time, "stalls_ms": [_stall_ms(one) for one in tried]}
    folder.write(case.name, kept)
    print(f"{case.name}: {kept['noise']}", flush=True)


def _was_quiet(kept: Mapping[str, Any]) -> bool:
    return _stall_ms(kept) <= STALL_MS


def _stall_ms(kept: Mapping[str, Any]) -> float:
    return float(kept["noise"]["late_ms_max"])


async def _on_postgres(case: Case, server: postgres.EmbeddedPostgres) -> dict[str, Any]:
    driver = DRIVERS[case.kind](server.target, pool_arguments(case.scenario.pool))
    return await drive(case, driver, server.postmaster)


async def _on_http(case: Case) -> dict[str, Any]:
    server = await HttpServer.start()
    try:
        driver = AiohttpDriver(server, pool_arguments(case.scenario.pool))
        return await drive(case, driver, server.process.pid)
    finally:
        await server.close()


async def drive(case: Case, driver: Driver, server_pid: int) -> dict[str, Any]:
    """Put the requests of a case to a pool; return the trace and the noise, as JSON values."""
    asked, scenario = draw(case.scenario), case.scenario
    arrivals_s, holds_s = asked.asked_s.tolist(), asked.hold_s.tolist()
    schedule = Schedule(arrivals_s, holds_s, scenario.duration_s, DRAIN_S)
    made = Record.of(arrivals_s)
    load = Load(driver, schedule, made, lambda _fraction, _numbers: None)
    await driver.open(made, scenario.warm_connections)
    try:
        watch = Watch(server_pid)
        await load.run()
        late_s = np.asarray(load.late_s)[asked.asked_s >= scenario.warm_up_s]
        noise = watch.seen() | lateness_ms(late_s)
        await driver.finish()
    finally:
        made.is_over = True
        await driver.close()
    return {"trace": trace_as_json(made.trace), "late_s": load.late_s, "noise": noise}
