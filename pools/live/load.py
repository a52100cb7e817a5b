"""Drives a pool with a schedule that was fixed in advance (open loop).

A request starts at its scheduled instant whether or not the pool keeps up, and every time is
counted from that instant, so that a slow pool cannot hide its own queue. How late the client
itself was, and how much processor it used, is measured: a busy client proves nothing.
"""

import asyncio
import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pools.live.drivers import Driver
from pools.live.record import Record

LEAD_S = 0.1
PROGRESS_S = 0.2


@dataclass(frozen=True, slots=True)
class Schedule:
    """When requests start (seconds from the start, ascending) and how long each holds."""

    arrivals_s: Sequence[float]
    holds_s: Sequence[float]
    duration_s: float
    drain_s: float


@dataclass(slots=True)
class Load:
    """One run of a schedule.

    `run` sets `late_s`, how long after its scheduled instant each request really started
    (seconds), and `client_cpu`, the share of one core that this process used meanwhile.
    """

    driver: Driver
    schedule: Schedule
    record: Record
    progress: Callable[[float, dict[str, Any]], None]
    client_cpu: float = math.nan
    late_s: list[float] = field(default_factory=list)
    _sent: int = 0
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Send every request at its time, wait for the last within the drain, cut the rest."""
        loop = asyncio.get_running_loop()
        start_s = self.record.start_s = loop.time() + LEAD_S
        holds = self.schedule.holds_s
        self.late_s = [0.0] * len(holds)

        def launch(row: int, due_s: float) -> None:
            self._sent += 1
            task = loop.create_task(self._one(row, due_s, holds[row]))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

        for row, at_s in enumerate(self.schedule.arrivals_s):
            loop.call_at(start_s + at_s, launch, row, start_s + at_s)
        teller = loop.create_task(self._tell())
        with _swept():
            cpu_s, began_s = time.process_time(), loop.time()
            await asyncio.sleep(start_s + self.schedule.duration_s - loop.time())
            self.client_cpu = (time.process_time() - cpu_s) / (loop.time() - began_s)
            await self._drain()
        teller.cancel()

    async def _one(self, row: int, due_s: float, hold_s: float) -> None:
        self.late_s[row] = asyncio.get_running_loop().time() - due_s
        await self.driver.request(row, hold_s)

    async def _drain(self) -> None:
        pending = set(self._under_way)
        if pending:
            _, pending = await asyncio.wait(pending, timeout=self.schedule.drain_s)
        self.record.is_over = True
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=2.0)

    async def _tell(self) -> None:
        """Report how far the run is, a few times a second."""
        loop, total_s = asyncio.get_running_loop(), self.schedule.duration_s
        while True:
            await asyncio.sleep(PROGRESS_S)
            done = self._sent - len(self._under_way)
            failed = done - self.record.ok
            numbers = {"sent": self._sent, "under_way": len(self._under_way), "failed": failed}
            self.progress(min(1.0, (loop.time() - self.record.start_s) / total_s), numbers)


@contextlib.contextmanager
def _swept() -> Iterator[None]:
    """Let the collector look at nothing that is there already: it would stop the loop for it."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
