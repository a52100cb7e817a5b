"""Who waits in httpcore's pool, in order of asking, and until when.

When a connection falls idle, httpcore points every queued request for its host at it; all but
one then find it busy and wait again, in their old places and with a fresh timeout. Here the
first alone is woken, and for the others it is noted that their timeouts began afresh.

Source: httpcore/_async/connection_pool.py (AsyncPoolRequest, handle_async_request),
httpcore 1.0.9.
"""

import math
from heapq import heappop, heappush

from pools.protocol import Request, Stage


class Queue:
    """Requests that have asked and not ended; those QUEUED wait in here."""

    def __init__(self, wait_s: float) -> None:
        """Start with nobody. `wait_s` is the timeout of requests without their own."""
        self._wait_s = wait_s
        self._asked = 0
        self._tickets: dict[int, int] = {}
        self._waiting: dict[int, list[tuple[int, Request]]] = {}
        self._restarts: dict[int, list[tuple[float, float]]] = {}

    def enter(self, request: Request) -> None:
        """Give a request its place in the order."""
        self._asked += 1
        self._tickets[request.row] = self._asked

    def leave(self, request: Request) -> None:
        """Forget a request that has ended."""
        del self._tickets[request.row]

    def push(self, request: Request) -> None:
        """Let a request wait, in its place."""
        request.stage = Stage.QUEUED
        waiting = self._waiting.setdefault(request.host, [])
        heappush(waiting, (self._tickets[request.row], request))

    def pop(self, host: int) -> None:
        """Take out the first for a host."""
        heappop(self._waiting[host])

    def first(self, but: dict[int, float]) -> tuple[int, Request | None]:
        """Return the place and the request of who is first, leaving out some hosts."""
        best: tuple[int, Request | None] = (0, None)
        for host, waiting in self._waiting.items():
            while waiting and waiting[0][1].stage is not Stage.QUEUED:
                heappop(waiting)
            if waiting and host not in but and (best[1] is None or waiting[0][0] < best[0]):
                best = waiting[0]
        return best

    def wait_s(self, request: Request) -> float:
        """Return how long a request waits at most."""
        return self._wait_s if request.timeout_s is None else request.timeout_s

    def restart(self, host: int, now: float, before: float) -> None:
        """Note that the timeouts for a host begin afresh, for places below `before`."""
        restarts = self._restarts.setdefault(host, [])
        while restarts and restarts[-1][1] <= before:
            restarts.pop()
        restarts.append((now, before))

    def deadline_s(self, request: Request) -> float:
        """Return when a waiting request's timeout is over."""
        ticket = self._tickets[request.row]
        restarts = self._restarts.get(request.host, [])
        began_s = next((at_s for at_s, before in reversed(restarts) if ticket < before), -math.inf)
        return max(request.expires_s, began_s + self.wait_s(request))

    def due(self, request: Request) -> list[Request]:
        """Return whose timeouts end with this request's, in the order in which they began."""
        at_s = self.deadline_s(request)
        if at_s == request.expires_s:
            return [request]
        entries = sorted(self._waiting[request.host])
        waiting = (one for _, one in entries if one.stage is Stage.QUEUED)
        return [one for one in waiting if self.deadline_s(one) == at_s]
