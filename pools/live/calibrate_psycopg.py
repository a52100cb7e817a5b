"""What connecting and a round trip cost with psycopg: medians of single measurements, unloaded."""

from collections.abc import Callable

from pools.live.calibrate import timed
from pools.live.client import Target
from pools.live.client_psycopg import connect_psycopg
from pools.live.drivers.postgres import CONNECT_TIMEOUT_S
from pools.live.facts import Calibration

CONNECTS, ROUND_TRIPS = 8, 150
WARM_UPS = 6  # psycopg prepares a statement when it is used for the sixth time


async def calibrate_psycopg(target: Target, tell: Callable[[float], None]) -> Calibration:
    """Measure the costs that matter to psycopg's pool; a pooler may be in front."""

    async def connect_once() -> None:
        made = await connect_psycopg(target, timeout_s=CONNECT_TIMEOUT_S)
        made.terminate()

    connect_cost = await timed(CONNECTS, 1, connect_once)
    tell(0.5)
    connection = await connect_psycopg(target, timeout_s=CONNECT_TIMEOUT_S)
    try:
        await connection.set_autocommit(True)
        rtt = await timed(ROUND_TRIPS, WARM_UPS, lambda: connection.execute("SELECT 1"))
    finally:
        connection.terminate()
    return Calibration(connect=connect_cost, rtt=rtt)
