"""Virtual time for asyncio: a loop that jumps to its next timer instead of waiting.

Everything else of the loop is asyncio's own (`BaseEventLoop`). Timers with equal deadlines
fire in the order in which they were set, which asyncio's heap does not promise. A loop with
nothing ready and no timer would wait for ever: it raises Deadlock, so that a lost wake-up is
an error and not a hang. Why not a library: docs/decisions/0008-virtual-clock.md.
"""

import asyncio
import heapq
import importlib
import math
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, TypeVar

from pools.twin.network import Network

Result = TypeVar("Result")


class Deadlock(RuntimeError):
    """Nothing is ready and no timer is set: whoever waits now waits for ever."""


class _Timer(asyncio.TimerHandle):
    """A timer that knows when it was set."""

    __slots__ = ("_sequence",)
    _sequence: int
    _when: float

    def __lt__(self, other: Any) -> bool:  # noqa: ANN401  the heap holds nothing else
        mine, others = self._when, other._when
        return bool(mine < others or (mine == others and self._sequence < other._sequence))


class _Jump:
    """Stands where a loop keeps its selector: instead of waiting, time jumps."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        """Move on to the next timer unless something is ready. Raises Deadlock."""
        if timeout is None:
            raise Deadlock("nothing is ready and no timer is set")
        if timeout > 0.0:
            self._loop.jump()
        return ()


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose clock starts at `start_s` and whose network is in memory."""

    network: Network
    _scheduled: list[_Timer]

    def __init__(self, start_s: float = 1000.0) -> None:
        """Start the clock away from 0, which libraries read as "never"."""
        self._now_s = start_s
        super().__init__()
        self._sequence = 0
        self._selector = _Jump(self)
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now_s

    @property
    def _clock_resolution(self) -> float:
        """How far ahead timers are due: not at all, or times would not be exact."""
        return math.ulp(self._now_s)

    @_clock_resolution.setter
    def _clock_resolution(self, machine_s: float) -> None:
        """Keep ours; asyncio would set the machine's."""

    def jump(self) -> None:
        """Set the clock to the next timer."""
        self._now_s = max(self._now_s, self._scheduled[0].when())

    def call_at(  # type: ignore[override]  # typeshed ties the arguments to the callback
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401  asyncio's signature
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Set a timer; equal deadlines fire in the order of these calls."""
        self._sequence += 1
        timer = _Timer(when, callback, args, self, context)
        timer._sequence = self._sequence  # noqa: SLF001  our own class
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001  as BaseEventLoop does
        heapq.heappush(self._scheduled, timer)
        return timer

    async def create_connection(
        self,
        protocol_factory: Any,  # noqa: ANN401  asyncio's signature
        host: Any = None,  # noqa: ANN401
        port: Any = None,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Connect through the in-memory network; `sock` may be a socket connected before."""
        return await self.network.create_connection(
            protocol_factory, host, port, self.network.take(options.get("sock"))
        )

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:  # noqa: ANN401
        """Connect a socket through the in-memory network; the socket itself stays unused."""
        await self.network.connect(sock, *address[:2])

    async def getaddrinfo(
        self,
        host: Any,  # noqa: ANN401  asyncio's signature
        port: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Resolve any name at once: the in-memory network goes by name."""
        return [(2, 1, 6, "", (str(host), int(port or 0)))]

    def _process_events(self, event_list: object) -> None:
        """Nothing ever arrives from outside."""

    def _write_to_self(self) -> None:
        """Nobody else's thread has to be woken."""


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, Result]], start_s: float) -> Result:
    """Run a coroutine in virtual time from `start_s` and return its result."""
    loop = VirtualLoop(start_s)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main(loop))
    finally:
        _cancel_all(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _cancel_all(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


class _Clock:
    """Stands where a library's module says `time`: every clock it has is the loop's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.time = self.monotonic = self.perf_counter = loop.time


@contextmanager
def patched_clocks(loop: asyncio.AbstractEventLoop, *places: str) -> Iterator[None]:
    """Let library modules read the loop's time instead of the machine's.

    A place is "module:name" where the name is the `time` module or a function of it, such as
    "sqlalchemy.pool.base:time" or "aiohttp.connector:monotonic".
    """
    saved = []
    for place in places:
        module_name, name = place.split(":")
        module = importlib.import_module(module_name)
        before = getattr(module, name)
        saved.append((module, name, before))
        setattr(module, name, loop.time if callable(before) else _Clock(loop))
    try:
        yield
    finally:
        for module, name, before in saved:
            setattr(module, name, before)
