"""One trial: a live check against a server behind the fault proxy, one fault, one judgement.

Everything random comes from (seed, index), so a trial can be played again. Observers are
independent of the check: the kernel's table of sockets, the server's processes, a superuser.
"""

import asyncio
import base64
import contextlib
import dataclasses
import json
import logging
import math
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from pools.live.check import LiveCheck, start_own
from pools.live.deadline import ENDED_AFTER_S
from pools.live.policy import Policy
from pools.live.preflight import Facts, HttpFacts, PostgresFacts, Spread
from pools.live.secret import Secret
from pools.live.target import Own, OwnHttp, OwnPostgres, Tls
from sim.query import parse
from tests.faults.cluster import DATABASE, RESERVED, ROLE, SLOTS, Cluster
from tests.faults.kinds import DATABASE_CLIENTS, KINDS, Kind, World
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.witness import Witness, witness

DEADLINES_S = (5.0, 5.0, 5.0, 5.0, 9.0)
GONE_S = 2.0
MOMENT_S_MAX = 2.0
SAMPLE_S = 0.02
TOLD_S = 1.0  # until the caller knows, which here is a busy network and server as well
LIVE_STATES = {"01", "02"}  # ESTABLISHED, SYN_SENT
POOL = {
    "sqlalchemy": "pool_size={n}&max_overflow=0",
    "sqlalchemy-null": "",
    "asyncpg": "min_size={low}&max_size={n}",
    "psycopg": "min_size={low}&max_size={n}",
    "aiohttp": "limit={n}",
    "httpx": "pool_connections={n}",
}
NULL_CONNECTIONS = 12


@dataclass(frozen=True, slots=True)
class Case:
    """What one trial does; equal (seed, index) give equal cases."""

    seed: int
    index: int
    client: str
    fault: str
    moment_s: float
    connections: int
    query: str
    deadline_s: float

    @property
    def sockets_most(self) -> int:
        """Two sockets for each connection (one cancels), four to look and to observe."""
        return 2 * self.connections + 4


@dataclass(slots=True)
class Seen:
    """What a trial came to. `complaints` is empty if every promise was kept.

    `wall_s` is from the call that starts the check until the kernel has ended its process, as
    the witness saw it; `told_s` until the caller knew. `stalled_s` is how long the machine stood
    still after the deadline: it then ends no process, and that is not the check's fault.
    """

    case: Case
    state: str = ""
    code: str = ""
    wall_s: float = 0.0
    told_s: float = 0.0
    gone_s: float = 0.0
    sockets_peak: int = 0
    backends_peak: int = 0
    stalled_s: float = 0.0
    struck: bool = False
    complaints: list[str] = field(default_factory=list)

    @property
    def late_s(self) -> float:
        """How long after its deadline the process was gone; negative: before."""
        return self.wall_s - self.case.deadline_s

    def too_late(self) -> Iterator[str]:
        """Say what ended, or was said to have ended, later than promised."""
        if self.late_s > ENDED_AFTER_S + self.stalled_s:
            yield f"ended after {self.wall_s:.2f} s"
        if self.told_s > max(self.wall_s, self.case.deadline_s + ENDED_AFTER_S) + TOLD_S:
            yield f"said to have ended after {self.told_s:.2f} s"


def case_of(seed: int, index: int) -> Case:
    """Draw a trial. Kinds take turns, so that a short run has all of them."""
    kind = list(KINDS.values())[index % len(KINDS)]
    rng = random.Random(f"{seed}/{index}")
    client = rng.choice(kind.clients)
    pool = rng.randint(1, 5)
    settings = POOL[client].format(n=pool, low=rng.randint(0, min(1, pool)))
    rate, hold_ms = rng.choice([20, 60]), rng.choice([5, 50, 200])
    connections = NULL_CONNECTIONS if client == "sqlalchemy-null" else pool
    return Case(
        seed,
        index,
        client,
        kind.name,
        0.0 if kind.from_start else rng.uniform(0.0, MOMENT_S_MAX),
        connections,
        f"kind={client}&{settings}&rate={rate}&hold_ms={hold_ms}&duration_s=1.5&warm_up_s=0",
        rng.choice(DEADLINES_S),
    )


@dataclass(slots=True)
class Stand:
    """What a row of trials shares: one PostgreSQL, one web server, one witness."""

    cluster: Cluster
    witness: Witness
    web_server: web.Server
    web_path: Path

    async def try_out(self, case: Case) -> Seen:
        """Play one trial and judge it."""
        self.cluster.start()
        await self.cluster.make_role()
        rng, seen = random.Random(f"{case.seed}/{case.index}/strike"), Seen(case)
        proxy = FaultProxy(self._upstream(case), rng)
        await proxy.open()
        try:
            await self._play(case, proxy, rng, seen)
        finally:
            await proxy.close()
        return seen

    def _upstream(self, case: Case) -> Any:
        database = case.client in DATABASE_CLIENTS
        path = self.cluster.socket_path if database else str(self.web_path)
        return lambda: asyncio.open_unix_connection(path)

    async def _play(self, case: Case, proxy: FaultProxy, rng: random.Random, seen: Seen) -> None:
        kind = KINDS[case.fault]
        target = self._target(case, proxy.port)
        if kind.from_start:
            kind.strike(World(proxy, self.cluster, None, rng, []))  # type: ignore[arg-type]
        began_s = time.monotonic()
        check = start_own(
            parse(case.query),
            target,
            _facts(target, case),
            session=str(case.index),
            deadline_s=case.deadline_s,
            allowed=Policy(),
        )
        self.witness.watch(check.pid, began_s + case.deadline_s)
        seen.complaints += _exposed(check, self.cluster.password)
        world = World(proxy, self.cluster, check, rng, [])
        async with self._watched(proxy.port, world, seen):
            striking = asyncio.create_task(_strike(kind, case, world, seen))
            told_s = await asyncio.to_thread(_wait, check, case.deadline_s)
            striking.cancel()
            await asyncio.gather(striking, return_exceptions=True)
        end = await asyncio.to_thread(self.witness.end_of, check.pid)
        seen.wall_s, seen.told_s = end.ended_s - began_s, told_s - began_s
        seen.stalled_s = end.stalled_s
        await self._heal(world)
        seen.gone_s = await self._gone(proxy, told_s)
        self._judge(check, seen)

    def _target(self, case: Case, port: int) -> Own:
        password = Secret(self.cluster.password)
        if case.client in DATABASE_CLIENTS:
            return OwnPostgres(HOST, port, ROLE, DATABASE, password, Tls("disable"))
        resource = Secret(f"/?token={self.cluster.password}")
        return OwnHttp("http", HOST, port, resource, "GET", Tls("disable"))

    @asynccontextmanager
    async def _watched(self, port: int, world: World, seen: Seen) -> AsyncIterator[None]:
        observer = await self.cluster.connect()

        async def sockets() -> None:
            while True:
                open_now = sockets_to(port, world.proxy.own_ports)
                seen.sockets_peak = max(seen.sockets_peak, open_now)
                await asyncio.sleep(SAMPLE_S)

        async def backends() -> None:
            with contextlib.suppress(Exception):  # the server is gone: so are its backends
                while True:
                    count = await observer.fetchval(
                        "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", ROLE
                    )
                    seen.backends_peak = max(seen.backends_peak, count)
                    await asyncio.sleep(SAMPLE_S)

        tasks = [asyncio.create_task(sockets()), asyncio.create_task(backends())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            observer.terminate()

    async def _heal(self, world: World) -> None:
        """End the fault: a frozen process or a network that is gone cannot let anything go."""
        self.cluster.thaw()
        world.proxy.heal()
        for connection in world.held:
            connection.terminate()

    async def _gone(self, proxy: FaultProxy, ended_s: float) -> float:
        """Return how long after the end the last connection was seen, at either server."""
        after_s = time.monotonic() - ended_s
        while after_s < 2 * GONE_S:
            left = len(self.cluster.backends()) + len(self.web_server.connections)
            if not left + sockets_to(proxy.port, set()):
                return after_s
            await asyncio.sleep(SAMPLE_S)
            after_s = time.monotonic() - ended_s
        return math.inf

    def _judge(self, check: LiveCheck, seen: Seen) -> None:
        case = seen.case
        seen.state, seen.code = check.state, check.problem.code if check.problem else ""
        if seen.gone_s > GONE_S:
            seen.complaints.append(f"connections were there {seen.gone_s:.1f} s after the end")
        if seen.sockets_peak > case.sockets_most:
            seen.complaints.append(f"{seen.sockets_peak} sockets, at most {case.sockets_most}")
        if seen.backends_peak > case.connections + 2:
            seen.complaints.append(f"{seen.backends_peak} backends for {case.connections}")
        seen.complaints += seen.too_late()
        if check.state == "failed" and not check.problem:
            seen.complaints.append("failed without a problem")
        said = _said(check)
        seen.complaints += [
            f"secret in output: {one}" for one in spellings(self.cluster.password) if one in said
        ]
        seen.complaints += [
            f"{unwanted} in output"
            for unwanted in ("Traceback", "None.", "\\u202e")
            if unwanted in said
        ]


async def _strike(kind: Kind, case: Case, world: World, seen: Seen) -> None:
    """Wait for the first connection, then for the moment, then strike."""
    await world.proxy.first.wait()
    await asyncio.sleep(case.moment_s)
    seen.struck = True
    if not kind.from_start:
        acted = kind.strike(world)
        if acted is not None:
            await acted


def _wait(check: LiveCheck, deadline_s: float) -> float:
    check.wait(deadline_s + 20.0)
    return time.monotonic()


def _facts(target: Own, case: Case) -> Facts:
    """Say what a look would have found: room for the connections of this case."""
    if isinstance(target, OwnHttp):
        return HttpFacts(200, Spread(0.02, 0.0, 10), 2)
    return PostgresFacts("18", SLOTS, RESERVED, 1, -1, 0, -1, 0, False, False, False)


def _said(check: LiveCheck) -> str:
    """Return everything a check hands to page, command line and log, as one text."""
    problem = dataclasses.asdict(check.problem) if check.problem else {}
    report = check.report.as_json() if check.report else {}
    text = json.dumps([problem, report]) + repr((check.steps, check.facts)) + str(check.problem)
    return "".join(letter for letter in text if letter.isprintable())


def _exposed(check: LiveCheck, password: str) -> list[str]:
    """Look for the secret where every account of this machine can look."""
    shown = b""
    for name in ("cmdline", "environ"):
        with contextlib.suppress(OSError):
            shown += Path(f"/proc/{check.pid}/{name}").read_bytes()
    return [f"secret in process: {one}" for one in spellings(password) if one.encode() in shown]


def spellings(secret: str) -> list[str]:
    """Return how a secret may be written."""
    return [secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")]


def sockets_to(port: int, without: set[int]) -> int:
    """Count the sockets that are connected, or connecting, to a port of this machine."""
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        there, here = int(remote[-4:], 16), int(local[-4:], 16)
        count += there == port and state in LIVE_STATES and here not in without
    return count


@asynccontextmanager
async def standing(cluster: Cluster) -> AsyncIterator[Stand]:
    """Add a web server on a Unix socket to the cluster."""

    async def answer(_: web.BaseRequest) -> web.Response:
        await asyncio.sleep(0.02)
        return web.Response(text="ok")

    # Its logs would hold the token: of each request, and of one that the network corrupted.
    mute = logging.getLogger("tests.faults.mute")
    mute.disabled = True
    server = web.Server(answer, access_log=None, logger=mute)
    runner = web.ServerRunner(server)
    await runner.setup()
    path = cluster.home / "web"
    await web.UnixSite(runner, str(path)).start()
    try:
        with witness() as observer:
            yield Stand(cluster, observer, server, path)
    finally:
        await runner.cleanup()
