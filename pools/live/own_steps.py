"""The steps of a check on somebody's server, in the child process: preflight, calibrate, load.

The order holds what was found and confirmed before; preflight looks again, and the check
starts only if that still holds.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from statistics import median
from typing import Any

from pools.live import asking, own_problems, policy, problems
from pools.live.client import Target, connect
from pools.live.drivers.choosing import calibration, database_driver, own_http_driver
from pools.live.drivers.own_http import OwnHttpDriver
from pools.live.drivers.postgres import PostgresDriver
from pools.live.facts import Calibration, Cost, ServerFacts
from pools.live.guard import Door, GuardedLoop, only
from pools.live.preflight import HttpFacts, Look, PostgresFacts, ask_a_few, shown
from pools.live.probe import tell_apart
from pools.live.problems import LiveCheckFailed, Problem
from pools.live.record import Record
from pools.live.restraint import Restraint
from pools.live.steps import Order, Say, Steps
from pools.live.target import OwnHttp, OwnPostgres, bracketed, from_order

CONNECTS_PER_S = 10
LOOK_SOCKETS = 4
OBSERVE_S = 0.5


class OwnSteps(Steps):
    """Runs an order against a target that a person named."""

    def __init__(self, order: Order, say: Say) -> None:
        """Take the order; the loop's door leads to the target alone."""
        super().__init__(order, say)
        self.step = "preflight"
        self.own = from_order(order["target"])
        self.pool_most = int(order.get("pool_most", 0))
        self.restraint = Restraint(self.pool_most)
        self.paced_before_s = 0.0

    async def explain(self, error: Exception) -> Problem:
        """Name the address that was used, and keep the secret out of a server's text.

        Where nothing but silence came before the login, ask the port what it is.
        """
        own = self.own
        secret = own.resource if isinstance(own, OwnHttp) else own.password
        where = f"{bracketed(own.host)}:{own.port}"
        problem = problems.explain(error, self.step, where=where, secrets=[secret.reveal()])
        if self.step != "preflight" or isinstance(own, OwnHttp):
            return problem
        row = await tell_apart(problem.code, own.host, own.port)
        return problems.in_words(row, where) if row else problem

    async def carry_out(self) -> None:
        """Look, and go on if that was not all that was asked for."""
        self._open_own_door()
        if isinstance(self.own, OwnHttp):
            await self._http(self.own)
        else:
            await self._postgres(self.own)

    def _open_own_door(self) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, GuardedLoop):
            raise TypeError("a check runs on a guarded loop alone")
        goes = only(policy.from_order(self.order["policy"]), self.own.host, self.own.port)
        paced = CONNECTS_PER_S if isinstance(self.own, OwnPostgres) else None
        # Each connection may need one more socket to cancel its query; one observer.
        self.door = Door(goes, 2 * self.pool_most + LOOK_SOCKETS, paced)
        loop.door = self.door

    async def _postgres(self, own: OwnPostgres) -> None:
        self.begin("preflight")
        first = asking.target_of(own, self.order["id"])
        facts = await asking.look(first)
        self.say({"look": Look(facts).as_json()})
        if self.order.get("ask_activity"):
            self.say({"activity": (await asking.activity(first)).as_json()})
        if self.order["only_look"]:
            self.tell(1.0, shown(facts), "done")
            self.say({"done": {}})
            return
        self._still_allowed(facts)
        self.tell(1.0, shown(facts), "done")
        self.begin("calibrate")
        target = asking.prepared(first, facts)
        calibrate = calibration(self.order["kind"], pooled=facts.is_pooled)
        costs = await calibrate(target, self._fraction)
        make = partial(self._driver, target, facts)
        async with self._observed(target, facts) as seen:
            costs = await self.restraint.carry_out(self.near_load(make, costs))
            result = await self.load(make(), costs)
        server = ServerFacts(
            "PostgreSQL",
            facts.version,
            "behind a pooler" if facts.is_pooled else "your server",
            facts.max_connections,
            max(seen, default=None),
        )
        self.say({"done": result | {"server": asdict(server)}})

    def _driver(self, target: Target, facts: PostgresFacts) -> PostgresDriver:
        kind = database_driver(self.order["kind"], pooled=facts.is_pooled)
        driver = kind(target, self.order["pool"])
        driver.restraint = self.restraint
        return driver

    def _still_allowed(self, facts: PostgresFacts) -> None:
        """Compare with what was confirmed. Raises LiveCheckFailed."""
        if facts.takes_reserved and not self.order["superuser_confirmed"]:
            raise LiveCheckFailed(own_problems.superuser())
        if facts.pool_most < self.pool_most:
            raise LiveCheckFailed(own_problems.too_few(facts, self.pool_most))

    @asynccontextmanager
    async def _observed(self, target: Target, facts: PostgresFacts) -> AsyncIterator[list[int]]:
        """Have the server count connections meanwhile; stop when others need the room."""
        seen: list[int] = []
        connection = await connect(target, timeout_s=asking.CONNECT_TIMEOUT_S)

        async def observe() -> None:
            while True:
                seen.append(await asking.count(connection))
                if facts.max_connections - facts.reserved - seen[-1] < facts.kept_free:
                    self.restraint.stop(LiveCheckFailed(own_problems.crowded(facts)))
                await asyncio.sleep(OBSERVE_S)

        observer = asyncio.create_task(observe())
        observer.add_done_callback(self._observer_ended)
        try:
            yield seen
        finally:
            observer.cancel()
            await asyncio.wait({observer})
            connection.terminate()

    def _observer_ended(self, observer: "asyncio.Task[None]") -> None:
        if not observer.cancelled() and (error := observer.exception()):
            self.restraint.stop(error)

    async def _http(self, own: OwnHttp) -> None:
        self.begin("preflight")
        facts, connect_s = await self._ask_http(own)
        self.found(facts)
        if self.order["only_look"]:
            self.say({"done": {}})
            return
        self.begin("calibrate")
        # The answer's own time is the hold, so what is left of a round trip is in it.
        costs = Calibration(connect=Cost(connect_s, 1), rtt=Cost(0.0, facts.answers.n))
        self.tell(1.0, {"answer_ms": round(facts.answers.mean_s * 1e3, 3)}, "done")
        kind = own_http_driver(self.order["kind"])
        driver = kind(own, self.order["pool"], self.restraint)
        result = await self.load(driver, costs)
        server = ServerFacts("HTTP", own.scheme, "your server")
        self.say({"done": result | {"server": asdict(server), "answers": asdict(facts.answers)}})

    async def _ask_http(self, own: OwnHttp) -> tuple[HttpFacts, float]:
        """Ask a few times in a row over one connection; return what was found, and connect."""
        driver = OwnHttpDriver(own, {"limit": 1}, Restraint(1))
        record = Record.of(())
        record.start_s = asyncio.get_running_loop().time()
        await driver.open(record, 0)
        try:
            facts = await ask_a_few(driver.get)
        finally:
            await driver.close()
        trace = record.trace
        opened = zip(trace.opening_s, trace.opened_s, strict=True)
        connect_s = median(end - begin for begin, end in opened)
        return facts, connect_s

    async def load(self, driver: Any, costs: Calibration) -> dict[str, Any]:  # noqa: ANN401
        """Put the load on the pool, unless something stops the check."""
        return await self.restraint.carry_out(super().load(driver, costs)) | {
            "paced_s": self.door.paced_s - self.paced_before_s
        }

    def opened(self) -> None:
        """Note how long connects have waited up to here: that is not in any wait."""
        self.paced_before_s = self.door.paced_s
