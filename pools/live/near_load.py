"""A short load before the one that counts: what library and event loop add, near that load.

A cold processor is slower, and a busy machine wakes its sleepers late: what a hold lasts beyond
what was asked for, measured on an idle pool, is not what it is under load.
"""

from collections.abc import Callable

from pools.live.drivers import Driver
from pools.live.lags import Lags, lags_of
from pools.live.load import Load, Schedule
from pools.live.record import Record

# The first requests prepare their statements and fill caches.
SETTLES = 0.2


async def near_load(
    make: Callable[[], Driver], schedule: Schedule, warm: int, tell: Callable[[float], None]
) -> Lags | None:
    """Drive a pool of its own; None if it served nothing, which the load itself will explain."""
    driver, record = make(), Record.of(schedule.arrivals_s)
    load = Load(driver, schedule, record, lambda fraction, _: tell(fraction))
    try:
        await driver.open(record, warm)
    except Exception:  # noqa: BLE001  the load that counts meets the same and says so
        return None
    try:
        await load.run()
        await driver.finish()
    finally:
        record.is_over = True
        await driver.close()
    return lags_of(record.trace, load.late_s, schedule.holds_s, SETTLES * schedule.duration_s)
