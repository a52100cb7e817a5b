"""The kinds of fault: what each does to network, server or check, and to which clients.

A strike happens once, at a random moment of a run, and stays until the run is over.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import psutil

from pools.live.check import LiveCheck
from tests.faults import impostors
from tests.faults.cluster import DATABASE, ROLE, Cluster
from tests.faults.proxy import FaultProxy, Handler

DATABASE_CLIENTS = ("sqlalchemy", "sqlalchemy-null", "asyncpg", "psycopg")
HTTP_CLIENTS = ("aiohttp", "httpx")


@dataclass(slots=True)
class World:
    """What a strike may touch."""

    proxy: FaultProxy
    cluster: Cluster
    check: LiveCheck
    rng: random.Random
    held: list[Any]


Strike: TypeAlias = Callable[[World], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. `from_start`: in force before the check connects."""

    name: str
    strike: Strike
    clients: tuple[str, ...] = DATABASE_CLIENTS
    from_start: bool = False


def _both(name: str, strike: Strike) -> Kind:
    return Kind(name, strike, DATABASE_CLIENTS + HTTP_CLIENTS)


def latency(world: World) -> None:
    """Half a second each way at most."""
    world.proxy.up.latency_s = world.proxy.down.latency_s = world.rng.uniform(0.05, 0.5)


def jitter(world: World) -> None:
    """Every piece late by a random time."""
    world.proxy.up.jitter_s = world.proxy.down.jitter_s = world.rng.uniform(0.05, 0.5)


def bandwidth(world: World) -> None:
    """From 200 bytes to 20 kB a second."""
    world.proxy.down.bytes_per_s = world.rng.choice([200.0, 1_000.0, 20_000.0])


def slices(world: World) -> None:
    """A few bytes at a time."""
    world.proxy.down.slice_bytes = world.rng.randint(1, 7)
    world.proxy.down.latency_s = 0.002


def hole_up(world: World) -> None:
    """What the client sends is swallowed."""
    world.proxy.up.swallows = True


def hole_down(world: World) -> None:
    """What the server sends is swallowed."""
    world.proxy.down.swallows = True


def hole_both(world: World) -> None:
    """Both are."""
    world.proxy.up.swallows = world.proxy.down.swallows = True


def limit(world: World) -> None:
    """Each connection ends after some bytes."""
    world.proxy.down.limit_bytes = world.rng.randint(1, 3_000)


def corrupt_down(world: World) -> None:
    """Some bytes from the server are others."""
    world.proxy.down.corrupt_share = world.rng.choice([0.001, 0.05, 0.5])


def corrupt_up(world: World) -> None:
    """Some bytes from the client are others."""
    world.proxy.up.corrupt_share = world.rng.choice([0.001, 0.05])


def flicker(world: World) -> Awaitable[None]:
    """Refuse and accept in turns."""

    async def run() -> None:
        for _ in range(4):
            world.proxy.refuse()
            await asyncio.sleep(world.rng.uniform(0.05, 0.3))
            await world.proxy.open()
            await asyncio.sleep(world.rng.uniform(0.05, 0.3))

    return run()


def posing(handler: Handler) -> Strike:
    """Something else answers on the port from now on."""

    def strike(world: World) -> None:
        world.proxy.impostor = handler

    return strike


def taken_over(handler: Handler) -> Strike:
    """Connections are reset, and something else answers from now on."""

    def strike(world: World) -> None:
        world.proxy.impostor = handler
        world.proxy.reset()

    return strike


def sql(statement: str) -> Strike:
    """The operator says something to the server."""

    async def strike(world: World) -> None:
        connection = await world.cluster.connect()
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    return strike


async def slots_taken(world: World) -> None:
    """Others take every slot that is left, the reserved ones too."""
    while len(world.held) < 60:
        try:
            world.held.append(await world.cluster.connect())
        except Exception:  # noqa: BLE001  full
            return


def kill_backend(world: World) -> None:
    """One backend dies by SIGKILL: the server ends all others and recovers."""
    backends = world.cluster.backends()
    if backends:
        with contextlib.suppress(psutil.NoSuchProcess):
            world.rng.choice(backends).kill()


def signalled(number: signal.Signals) -> Strike:
    """The server is told to stop."""

    def strike(world: World) -> Awaitable[None]:
        return asyncio.to_thread(world.cluster.stop, number)

    return strike


async def restarted(world: World) -> None:
    """The server restarts."""
    await asyncio.to_thread(world.cluster.stop, signal.SIGINT)
    await asyncio.to_thread(world.cluster.start)


def to_child(number: signal.Signals) -> Strike:
    """Something happens to the check's own process."""

    def strike(world: World) -> None:
        os.kill(world.check.pid, number)

    return strike


OF_THE_ROLE = f"FROM pg_stat_activity WHERE usename = '{ROLE}'"
NETWORK = (
    _both("latency", latency),
    _both("jitter", jitter),
    _both("bandwidth", bandwidth),
    _both("slices", slices),
    _both("blackhole up", hole_up),
    _both("blackhole down", hole_down),
    _both("blackhole both ways", hole_both),
    _both("limit", limit),
    _both("corrupt down", corrupt_down),
    _both("corrupt up", corrupt_up),
    _both("reset", lambda world: world.proxy.reset()),
    _both("FIN", lambda world: world.proxy.fin()),
    _both("half-open", lambda world: world.proxy.half_open()),
    _both("refuse", lambda world: world.proxy.refuse()),
    _both("refuse, accept, refuse", flicker),
    _both("handshake unanswered", lambda world: world.proxy.ignore()),
)
SERVER = (
    Kind("pg_terminate_backend", sql(f"SELECT pg_terminate_backend(pid) {OF_THE_ROLE}")),
    Kind("pg_cancel_backend", sql(f"SELECT pg_cancel_backend(pid) {OF_THE_ROLE}")),
    Kind("backend killed", kill_backend),
    Kind("backends frozen", lambda world: world.cluster.freeze()),
    Kind("server frozen", lambda world: world.cluster.freeze(postmaster=True)),
    Kind("fast restart", restarted),
    Kind("fast stop", signalled(signal.SIGINT)),
    Kind("immediate stop", signalled(signal.SIGQUIT)),
    Kind("server killed", signalled(signal.SIGKILL)),
    Kind("slots exhausted", slots_taken),
    Kind("role limit", sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT 1")),
    Kind("role without login", sql(f"ALTER ROLE {ROLE} NOLOGIN")),
    Kind("password changed", sql(f"ALTER ROLE {ROLE} PASSWORD 'another'")),
    Kind("statement_timeout", sql(f"ALTER ROLE {ROLE} SET statement_timeout = 1")),
    Kind("database closed", sql(f"ALTER DATABASE {DATABASE} CONNECTION LIMIT 0")),
)
IMPOSTORS = tuple(
    Kind(name, posing(handler), from_start=True)
    for name, handler in {
        "silent server": impostors.silent,
        "deaf server": impostors.deaf,
        "closes at once": impostors.closes,
        "garbage": impostors.garbage,
        "one byte now and then": impostors.drips,
        "web server": impostors.speaks_http,
        "endless message": impostors.announces_much,
        "huge message": impostors.sends_much,
        "flood of parameters": impostors.floods,
        "unknown login": impostors.unknown_login,
        "GSSAPI": impostors.wants_gssapi,
        "wrong SCRAM nonce": impostors.wrong_nonce,
        "password told": impostors.tells_the_password,
        "hostile SQLSTATE": impostors.hostile_code,
        "starting up": impostors.starting,
    }.items()
)
TAKEN_OVER = (
    Kind("becomes garbage", taken_over(impostors.garbage)),
    Kind("becomes silent", taken_over(impostors.silent)),
    Kind("becomes huge message", taken_over(impostors.sends_much)),
)
HTTP_IMPOSTORS = tuple(
    Kind(f"HTTP {name}", posing(handler), HTTP_CLIENTS, from_start=True)
    for name, handler in {
        "garbage": impostors.http_garbage,
        "long header": impostors.http_long_header,
        "dripping header": impostors.http_dripping_header,
        "endless 100 Continue": impostors.http_continues,
        "endless body": impostors.http_endless_body,
        "bomb": impostors.http_bomb,
        "short body": impostors.http_short_body,
        "redirect": impostors.http_redirects,
        "status 500": impostors.http_fails,
        "silent": impostors.silent,
    }.items()
)
CHECK = (
    _both("check frozen", to_child(signal.SIGSTOP)),
    _both("check killed", to_child(signal.SIGKILL)),
    _both("check terminated", to_child(signal.SIGTERM)),
    _both("cancelled", lambda world: world.check.cancel()),
    _both("nothing", lambda _: None),
)
KINDS = {
    kind.name: kind
    for kind in (*NETWORK, *SERVER, *IMPOSTORS, *TAKEN_OVER, *HTTP_IMPOSTORS, *CHECK)
}
