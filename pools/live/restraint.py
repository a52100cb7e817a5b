"""What a check on somebody's server holds itself to, and when it stops.

It stops at the first "too many connections", after three failed connects in a row, and when
more than a fifth of at least twenty requests failed. That a pool lends nothing in time is not
a failure: it is what a check measures.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from pools.live.problems import LiveCheckFailed, Problem, sqlstate

FAILED_CONNECTS_MOST = 3
SAMPLES_MIN = 20
FAILED_SHARE_MOST = 0.2
NO_SLOT = "53300"
# A server notices after a second that who waits for a statement is gone
# (client_connection_check_interval); without that at the statement's end, half a second at most.
LINGERS_S = 1.0
Result = TypeVar("Result")


class NoSlot(ConnectionRefusedError):
    """One connection more than the check may have; the server was not asked."""


@dataclass(slots=True)
class Restraint:
    """Counts what happens. `most` connections at once; without it nothing is held back."""

    most: int | None = None
    open_now: int = 0
    requests: int = 0
    failed: int = 0
    failed_connects: int = 0
    stopped_by: BaseException | None = None
    _lingering_s: deque[float] = field(default_factory=deque)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def settled(self) -> None:
        """Wait while connections that were lost may still take their slots at the server."""
        if self.most is None:
            return
        await asyncio.sleep(0)  # whoever lost one says so in this turn of the loop
        loop, lingering_s = asyncio.get_running_loop(), self._lingering_s
        while lingering_s and self.open_now + len(lingering_s) >= self.most:
            if (left_s := lingering_s[0] - loop.time()) > 0.0:
                await asyncio.sleep(left_s)
            elif lingering_s:
                lingering_s.popleft()

    def lost(self) -> None:
        """Say that a connection was lost in use: the server learns of that later."""
        self._lingering_s.append(asyncio.get_running_loop().time() + LINGERS_S)

    def connecting(self) -> None:
        """Say that a connect begins. Raises NoSlot."""
        if self.most is not None and self.open_now >= self.most:
            raise NoSlot("the check has all the connections it may have")
        self.open_now += 1

    def connected(self) -> None:
        """Say that it succeeded."""
        self.failed_connects = 0

    def not_connected(self, error: BaseException) -> None:
        """Say that it failed."""
        self.closed()
        self.failed_connects += 1
        refused = sqlstate(error) == NO_SLOT
        if refused or self.failed_connects >= FAILED_CONNECTS_MOST:
            self.stop(error)

    def closed(self) -> None:
        """Say that a connection is gone."""
        self.open_now -= 1

    def answered(self, *, failed: bool) -> None:
        """Say how a request ended."""
        self.requests += 1
        self.failed += failed
        if self.requests >= SAMPLES_MIN and self.failed > self.requests * FAILED_SHARE_MOST:
            self.stop(LiveCheckFailed(too_many_failures(self.failed, self.requests)))

    def stop(self, why: BaseException) -> None:
        """End the check; the first reason counts. No further connection is made."""
        if self.most is not None and self.stopped_by is None:
            self.most, self.stopped_by = 0, why
            self._stopped.set()

    async def carry_out(self, work: Awaitable[Result]) -> Result:
        """Do some work, unless something stops the check: then raise that."""
        task = asyncio.ensure_future(work)
        watch = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            if self.stopped_by is not None:
                raise self.stopped_by
            return task.result()
        finally:
            watch.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=1.0)


def too_many_failures(failed: int, requests: int) -> Problem:
    """Say that requests failed too often to go on."""
    return Problem(
        "PW-LIVE-failures",
        "Too many requests failed",
        f"{failed} of {requests} requests failed, so the check stopped itself.",
        "Look into the server's log for the same moment; then try a lower rate.",
    )
