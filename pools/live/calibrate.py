"""What the library and the server cost here: medians of many single measurements, unloaded.

Round trip: `SELECT 1`, already prepared. Pre-ping: SQLAlchemy's own, as the difference
between checkouts of engines with and without it. Reset: the release of asyncpg's pool.
Checkout: one whole borrowing with an empty hold, as the load does it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

import aiohttp
import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from pools.live.client import Target, connect
from pools.live.drivers.postgres import CONNECT_TIMEOUT_S
from pools.live.facts import Calibration, Cost
from pools.live.http_server import HttpServer

CONNECTS = 12
ROUND_TRIPS = 200
CHECKOUTS = 120
WARM_UPS = 10
Tell = Callable[[float], None]


async def calibrate_postgres(target: Target, kind: str, tell: Tell) -> Calibration:
    """Measure the costs that matter to a PostgreSQL pool of that kind."""
    connect_cost = await timed(CONNECTS, 1, lambda: _connect_once(target))
    tell(0.3)
    connection = await connect(target, timeout_s=CONNECT_TIMEOUT_S)
    rtt_cost = await timed(ROUND_TRIPS, WARM_UPS, lambda: connection.fetchval("SELECT 1"))
    await connection.close()
    tell(0.6)
    if kind == "asyncpg":
        return Calibration(connect=connect_cost, rtt=rtt_cost, reset=await _reset(target))
    plain, pinged = await _checkout(target, False), await _checkout(target, True)
    ping = Cost(max(0.0, pinged.median_s - plain.median_s), pinged.n)
    return Calibration(connect=connect_cost, rtt=rtt_cost, pre_ping=ping)


async def ask_once(url: str) -> tuple[int, int]:
    """Return status and length of one answer, over a connection of its own."""
    async with (
        _session(aiohttp.TCPConnector(), None) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        return answer.status, len(await answer.content.read(64))


async def calibrate_http(server: HttpServer, tell: Tell) -> Calibration:
    """Measure the costs that matter to an HTTP client."""
    connects: list[float] = []
    connector = aiohttp.TCPConnector(force_close=True)
    async with _session(connector, _connect_times(connects)) as session:
        await timed(CONNECTS, 1, lambda: _get(session, server.url))
    tell(0.5)
    async with _session(aiohttp.TCPConnector(), None) as session:
        rtt_cost = await timed(ROUND_TRIPS, WARM_UPS, lambda: _get(session, server.url))
    return Calibration(connect=Cost(median(connects), len(connects)), rtt=rtt_cost)


async def timed(count: int, warm_ups: int, act: Callable[[], Awaitable[object]]) -> Cost:
    """Do something so often, after warm-ups, and return the median of how long each took."""
    times = []
    for turn in range(warm_ups + count):
        began_s = time.perf_counter()
        await act()
        if turn >= warm_ups:
            times.append(time.perf_counter() - began_s)
    return Cost(median(times), count)


async def _connect_once(target: Target) -> None:
    connection = await connect(target, timeout_s=CONNECT_TIMEOUT_S)
    connection.terminate()


async def _checkout(target: Target, pre_ping: bool) -> Cost:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(target, timeout_s=CONNECT_TIMEOUT_S),
        pool_size=1,
        pool_pre_ping=pre_ping,
    )

    async def once() -> None:
        async with engine.connect():
            pass

    try:
        return await timed(CHECKOUTS, WARM_UPS, once)
    finally:
        await engine.dispose()


async def _reset(target: Target) -> Cost:
    async def open_one(*_: object, **__: object) -> object:
        return await connect(target, timeout_s=CONNECT_TIMEOUT_S)

    times = []
    async with asyncpg.create_pool(connect=open_one, min_size=1, max_size=1) as pool:
        for _ in range(CHECKOUTS):
            connection = await pool.acquire()
            began_s = time.perf_counter()
            await pool.release(connection)
            times.append(time.perf_counter() - began_s)
    return Cost(median(times), len(times))


def _session(
    connector: aiohttp.TCPConnector, config: aiohttp.TraceConfig | None
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=CONNECT_TIMEOUT_S),
        trust_env=False,
        trace_configs=[config] if config else None,
    )


def _connect_times(times: list[float]) -> aiohttp.TraceConfig:
    began: dict[int, float] = {}

    async def start(*_: object) -> None:
        began[id(asyncio.current_task())] = time.perf_counter()

    async def end(*_: object) -> None:
        times.append(time.perf_counter() - began[id(asyncio.current_task())])

    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(start)
    config.on_connection_create_end.append(end)
    return config


async def _get(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url, allow_redirects=False) as answer:
        answer.raise_for_status()
        await answer.content.read(64)
