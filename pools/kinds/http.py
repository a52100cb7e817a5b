"""What the connection pools of HTTP clients have in common."""

from typing import ClassVar

from pools.kinds.base import Pool
from pools.protocol import Request, Slot, Stage, Step, World
from pools.trace import Outcome

# The TCP handshake.
CONNECT_ROUND_TRIPS = 1


class HttpPool(Pool):
    """The configuration of an HTTP client's pool."""

    __slots__ = ()
    serves: ClassVar[str] = "http"

    def release_hops(self, explicit: bool) -> int:
        """None: the reader of a response goes on before the waiter that its end woke."""
        return 0


class HttpLogic:
    """The decisions that they share: none on opening, and how a request ends."""

    def __init__(self, world: World) -> None:
        """Start with nothing."""
        self._world = world

    def create(self, now: float) -> None:
        """Be ready: these pools open nothing of their own accord."""
        self._world.ready(ok=True)

    def exchanged(self, slot: Slot, step: Step, ok: bool, now: float) -> None:
        """Do nothing: these pools have no conversations of their own."""

    def timer(self, token: object, now: float) -> None:
        """Do nothing, unless a pool sets timers."""

    def _reject(self, request: Request, outcome: Outcome) -> None:
        request.stage = Stage.ENDED
        request.slot = None
        self._world.reject(request, outcome)

    def _finish(self, request: Request) -> None:
        request.stage = Stage.ENDED
        self._world.available(request)
        self._world.finished(request)
