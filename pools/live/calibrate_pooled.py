"""What connecting and a round trip cost behind a pooler in transaction mode.

Simple queries alone: a prepared one takes two steps, between which the pooler may change the
server connection.
"""

import time
from collections.abc import Awaitable, Callable
from statistics import median

from pools.live.asking import CONNECT_TIMEOUT_S
from pools.live.client import Target, connect
from pools.live.facts import Calibration, Cost

CONNECTS, ROUND_TRIPS = 8, 100


async def calibrate_pooled(target: Target, kind: str, tell: Callable[[float], None]) -> Calibration:
    """Measure the costs that matter to a PostgreSQL pool of that kind."""

    async def connect_once() -> None:
        (await connect(target, timeout_s=CONNECT_TIMEOUT_S)).terminate()

    connect_cost = await _median_of(CONNECTS, connect_once)
    tell(0.5)
    connection = await connect(target, timeout_s=CONNECT_TIMEOUT_S)
    rtt = await _median_of(ROUND_TRIPS, lambda: connection.execute("SELECT 1"))
    connection.terminate()
    return Calibration(connect=connect_cost, rtt=rtt, reset=rtt if kind == "asyncpg" else None)


async def _median_of(count: int, act: Callable[[], Awaitable[object]]) -> Cost:
    times = []
    for turn in range(count + 1):
        began_s = time.perf_counter()
        await act()
        if turn:
            times.append(time.perf_counter() - began_s)
    return Cost(median(times), count)
