"""The steps of a live check, in the child process: server, calibrate, load."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg

from pools.live import asking, postgres, problems
from pools.live.binaries import Binaries
from pools.live.calibrate import ask_once, calibrate_http
from pools.live.client import connect
from pools.live.clock import precise_loop
from pools.live.drivers import Driver
from pools.live.drivers.choosing import (
    HTTP_KINDS,
    LIBRARIES,
    calibration,
    database_driver,
    http_driver,
)
from pools.live.drivers.postgres import CONNECT_TIMEOUT_S
from pools.live.facts import Calibration, ServerFacts, trace_as_json
from pools.live.guard import Door, Goes, GuardedLoop, only, only_unix
from pools.live.http_server import HttpServer
from pools.live.load import Load, Schedule
from pools.live.near_load import near_load
from pools.live.policy import Policy
from pools.live.preflight import Facts, Look, ask_a_few, shown
from pools.live.problems import Problem
from pools.live.record import Record

Order = dict[str, Any]
Say = Callable[[dict[str, Any]], None]
OBSERVE_S = 0.1
OBSERVE_S_MAX = 5.0
SERVER_START_S = 20.0
CLEAN_UP_S = 1.0
SOCKETS_MOST = 200


class Steps:
    """Runs an order step by step and says how each goes."""

    def __init__(self, order: Order, say: Say) -> None:
        """Take the order; `say` sends one message to the parent."""
        self.order = order
        self.say = say
        self.step = "server"

    def begin(self, step: str) -> None:
        """Start the next step."""
        self.step = step
        self.tell(0.0, {})

    def tell(self, fraction: float, numbers: dict[str, Any], state: str = "running") -> None:
        """Report progress of the present step."""
        self.say({"step": self.step, "state": state, "fraction": fraction, "numbers": numbers})

    async def run(self) -> None:
        """Run all steps; end with one message that holds the result or the problem."""
        ends_at_s = self.order["ends_at_s"]
        total = asyncio.timeout_at(ends_at_s)
        # What ignores being cancelled, or hangs in closing, is not waited for.
        last = asyncio.get_running_loop().call_at(
            ends_at_s + CLEAN_UP_S, lambda: self.fail(self.too_late())
        )
        try:
            async with total:
                await self.carry_out()
        except Exception as error:  # noqa: BLE001  becomes a Problem
            late = isinstance(error, TimeoutError) and total.expired()
            problem = self.too_late() if late else await self.explain(error)
            self.fail(problem)
        finally:
            last.cancel()

    def fail(self, problem: Problem) -> None:
        """Say why the present step and with it the check failed."""
        self.tell(1.0, {}, "failed")
        self.say({"problem": asdict(problem)})

    def too_late(self) -> Problem:
        """Say that the whole check ran into its deadline."""
        return problems.too_late(self.order["deadline_s"])

    async def explain(self, error: Exception) -> Problem:
        """Turn an exception of the present step into words."""
        return problems.explain(error, self.step)

    async def carry_out(self) -> None:
        """Check against a server that is made for it."""
        http = self.order["kind"] in HTTP_KINDS
        await (self.against_http() if http else self.against_postgres())

    async def against_postgres(self) -> None:
        """Check a database pool on a throw-away PostgreSQL."""
        self.begin("server")
        server = await self._start_postgres()
        self.open_door(only_unix(str(server.socket_path)))
        try:
            facts = ServerFacts(
                "PostgreSQL",
                server.binaries.version,
                server.binaries.provider,
                server.max_connections - self.order["own_slots"],
            )
            self.tell(1.0, {"max_connections": facts.max_connections}, "done")
            self.begin("preflight")
            self.found(await asking.look(server.target, tries_settings=False))
            self.begin("calibrate")
            costs = await calibration(self.order["kind"])(server.target, self._fraction)
            driver = database_driver(self.order["kind"])
            make = partial(driver, server.target, self.order["pool"])
            costs = await self.near_load(make, costs)
            async with _observed(server) as seen:
                result = await self.load(make(), costs)
        finally:
            await asyncio.to_thread(server.close)
        facts = replace(facts, connections_most=max(seen, default=None))
        self.say({"done": result | {"server": asdict(facts)}})

    async def against_http(self) -> None:
        """Check the HTTP client on a local HTTP server."""
        self.begin("server")
        server = await HttpServer.start()
        self.open_door(only(Policy(), server.host, server.port))
        try:
            facts = ServerFacts("aiohttp.web", version("aiohttp"), "built in")
            self.tell(1.0, {}, "done")
            self.begin("preflight")
            self.found(await ask_a_few(partial(ask_once, server.url)))
            self.begin("calibrate")
            costs = await calibrate_http(server, self._fraction)
            make = partial(http_driver(self.order["kind"]), server, self.order["pool"])
            costs = await self.near_load(make, costs)
            result = await self.load(make(), costs)
        finally:
            await server.close()
        self.say({"done": result | {"server": asdict(facts)}})

    async def near_load(self, make: Callable[[], Driver], costs: Calibration) -> Calibration:
        """Add what a short load of its own shows, and end the calibration."""
        schedule = Schedule(**self.order["near_load"])
        lags = await near_load(make, schedule, self.order["near_warm"], self._fraction)
        costs = replace(costs, lags=lags)
        self.tell(1.0, costs.in_ms(), "done")
        return costs

    def found(self, facts: Facts) -> None:
        """Hand on what a look has found, and end that step."""
        self.say({"look": Look(facts).as_json()})
        self.tell(1.0, shown(facts), "done")

    def opened(self) -> None:
        """Hear that the pool is open and the load begins."""

    def open_door(self, goes: Goes) -> None:
        """From here on, connections may be made: to there and nowhere else."""
        loop = asyncio.get_running_loop()
        if not isinstance(loop, GuardedLoop):
            raise TypeError("a check runs on a guarded loop alone")
        loop.door = Door(goes, SOCKETS_MOST)

    async def load(self, driver: Driver, costs: Calibration) -> dict[str, Any]:
        """Open the pool, drive the schedule through it; return what was measured."""
        self.begin("load")
        schedule = Schedule(**self.order["schedule"])
        record = Record.of(schedule.arrivals_s)
        load = Load(driver, schedule, record, self.tell)
        await driver.open(record, self.order["warm"])
        self.opened()
        try:
            await load.run()
            await driver.finish()
        finally:
            record.is_over = True
            await driver.close()
        self.tell(1.0, {"sent": len(schedule.arrivals_s), "ok": record.ok}, "done")
        names = LIBRARIES[self.order["kind"]]
        return {
            "client_cpu": load.client_cpu,
            "late_s": load.late_s,
            "others": record.others,
            "trace": trace_as_json(record.trace),
            "calibration": asdict(costs),
            "versions": {name: version(name) for name in names} | {"python": _python()},
        }

    async def _start_postgres(self) -> postgres.EmbeddedPostgres:
        asked = self.order["server"]
        return await asyncio.wait_for(
            asyncio.to_thread(
                postgres.start,
                asked["max_connections"],
                reserved=asked["reserved"],
                role_limit=asked["role_limit"],
                binaries=Binaries(Path(asked["directory"]), asked["provider"], asked["version"]),
                places=tuple(asked["places"]),
                held_open=self.order.get("held_open", ()),
            ),
            SERVER_START_S,
        )

    def _fraction(self, fraction: float) -> None:
        self.tell(fraction, {})


def run(kind: type[Steps], order: Order, say: Say) -> None:
    """Carry out an order on a guarded loop with precise timers."""

    async def carry_out() -> None:
        await kind(order, say).run()

    with asyncio.Runner(loop_factory=lambda: precise_loop(GuardedLoop)) as runner:
        runner.run(carry_out())


@asynccontextmanager
async def _observed(server: postgres.EmbeddedPostgres) -> AsyncIterator[list[int]]:
    """Have the server count the role's connections a few times a second, on a reserved slot.

    Ends the block with ServerFailed as soon as the server no longer answers.
    """
    seen: list[int] = []
    connection = await connect(server.control, timeout_s=CONNECT_TIMEOUT_S)

    async def observe() -> None:
        while True:
            seen.append(await connection.fetchval(postgres.COUNT, timeout=OBSERVE_S_MAX) - 1)
            await asyncio.sleep(OBSERVE_S)

    try:
        async with asyncio.TaskGroup() as group:
            observer = group.create_task(observe())
            yield seen
            observer.cancel()
    except* (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as lost:
        raise postgres.ServerFailed("server_ended", "it no longer answers") from lost
    finally:
        connection.terminate()


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))
