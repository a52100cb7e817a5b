"""The worker process around a pool: what its event loop and the library's own code cost.

The constants that a calibration fits. All are 0 by default: a worker that costs nothing.
"""

from dataclasses import dataclass

from pools.setting import Settings, setting

# A request runs on its worker's event loop when it comes, when it has its connection, and when
# the server has answered.
LOOP_VISITS = 3
HOLDING_VISITS = 2
_NONE = "0: not part of the answer until measured"


@dataclass(frozen=True, slots=True)
class Worker(Settings):
    """What a worker process spends beside its queries."""

    loop_cpu_s: float = setting(
        0.0,
        "Processor time of the worker's event loop for one request, in three visits: when it"
        " comes, when it has its connection, when the server has answered.",
        source=_NONE + "; on one machine asyncpg 0.29, SQLAlchemy 0.52, aiohttp 0.42 ms",
        query="loop_cpu_ms",
        unit="ms",
        low=0.0,
        high=1000.0,
        step=0.1,
    )
    overhead_s: float = setting(
        0.0,
        "What a hold lasts beyond hold_ms and round trips: driver, protocol, the library's code.",
        source=_NONE + "; on one machine asyncpg 0.3, SQLAlchemy 0.65 ms",
        query="overhead_ms",
        unit="ms",
        low=0.0,
        high=1000.0,
        step=0.1,
    )
    entry_s: float = setting(
        0.0,
        "From a request's start until it asks the pool.",
        source=_NONE + "; on one machine asyncpg 0.03, SQLAlchemy 0.06, aiohttp 0.09 ms",
        query="entry_ms",
        unit="ms",
        low=0.0,
        high=1000.0,
        step=0.01,
    )
    handover_s: float = setting(
        0.0,
        "From a connection's return until the waiter that it woke runs; a newcomer may take the"
        " connection meanwhile.",
        source=_NONE + "; on one machine asyncpg 0.02, SQLAlchemy 0.055, aiohttp 0.09 ms",
        query="handover_ms",
        unit="ms",
        low=0.0,
        high=1000.0,
        step=0.01,
    )

    @property
    def hold_s(self) -> float:
        """What it adds to each hold while its event loop is free, in seconds."""
        return self.overhead_s + self.loop_cpu_s * HOLDING_VISITS / LOOP_VISITS
