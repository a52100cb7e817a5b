"""Who waits for a pool built on asyncio.Queue: asyncpg's and SQLAlchemy's.

    queue --put--> woken, next turn of the loop --robbed by a newcomer--> queue, at the tail

Source: CPython 3.11 asyncio/queues.py (Queue.get, _wakeup_next).
"""

from collections import deque

from pools.protocol import ENDED, QUEUED, WOKEN, Request, World
from pools.trace import Outcome


class Waiters(deque[Request]):
    """Requests in the order in which they began to wait; some may have left since."""

    def __init__(self, world: World) -> None:
        """Start with nobody."""
        super().__init__()
        self._world = world

    def join(self, request: Request) -> None:
        """Let a request wait behind all others, also if it was woken in vain."""
        request.stage = QUEUED
        self.append(request)

    def wake(self) -> None:
        """Wake the first that still waits; it continues after what is already due."""
        while self:
            request = self.popleft()
            if request.stage is QUEUED:
                request.stage = WOKEN
                self._world.wake(request)
                return

    def reject(self, request: Request, outcome: Outcome) -> None:
        """End a request without a connection."""
        request.stage = ENDED
        request.slot = None
        self._world.reject(request, outcome)

    def finish(self, request: Request) -> None:
        """Let a request's release return."""
        request.stage = ENDED
        request.slot = None
        self._world.finished(request)

    def fail(self, request: Request) -> None:
        """Let a request's release raise."""
        request.stage = ENDED
        request.slot = None
        self._world.failed(request)
