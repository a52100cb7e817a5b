"""Plays a Script through a real library in virtual time and returns the Trace."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

from pools.trace import Trace
from pools.twin import clock
from pools.twin.adapter import Adapter
from pools.twin.network import Network, Wire
from pools.twin.notes import Note, trace_of
from sim.script import Ask, Loop, Script

# The adapter of each kind by the kind's name; imported when needed, so that a library that is
# not installed does not stand in the way of another.
ADAPTERS: Mapping[str, str] = {
    "asyncpg": "pools.twin.asyncpg:AsyncpgAdapter",
    "sqlalchemy": "pools.twin.sqlalchemy:SqlalchemyAdapter",
    "sqlalchemy-null": "pools.twin.sqlalchemy:SqlalchemyNullAdapter",
    "aiohttp": "pools.twin.aiohttp:AiohttpAdapter",
    "httpx": "pools.twin.httpx:HttpxAdapter",
    "psycopg": "pools.twin.psycopg:PsycopgAdapter",
}
NOT_READY = "the pool was not ready when the first request asked"
TICK_EVERY = 64


class NoTwin(LookupError):
    """The kind is simulated, but no real library is played for it; the message says so."""


def adapter_of(kind: str) -> type[Adapter]:
    """Return the adapter of a pool kind.

    Raises NoTwin if there is none, ImportError if its library is not installed.
    """
    if kind not in ADAPTERS:
        raise NoTwin(f"Kind {kind} is simulated, but its library cannot be asked yet.")
    module, name = ADAPTERS[kind].split(":")
    found: type[Adapter] = getattr(import_module(module), name)
    return found


def play(script: Script, tick: Callable[[int], None] | None = None) -> Trace:
    """Play a script with the real library.

    `tick` is called now and then with the number of requests so far; it may raise to cancel.
    """
    made = adapter_of(script.pool.name)

    async def main(loop: clock.VirtualLoop) -> Trace:
        stage = _Stage(loop, script, made, tick)
        with clock.patched_clocks(loop, *made.clocks), stage.adapter.chance():
            return await stage.play()

    with _quiet(made.loggers):
        return clock.run(main, script.clock_s)


class _Stage:
    """One run: network, server, pools and callers."""

    def __init__(
        self,
        loop: clock.VirtualLoop,
        script: Script,
        made: type[Adapter],
        tick: Callable[[int], None] | None,
    ) -> None:
        self._loop = loop
        self._script = script
        self._network = loop.network = Network(loop, script.costs.latency_s, self._fate)
        self.adapter = made(loop, self._network, script)
        self._notes: list[Note] = []
        self._callers: set[asyncio.Task[None]] = set()
        self._begun: dict[int, tuple[asyncio.Task[None], Note]] = {}
        self._due = len(script.asks) + len(script.loops)
        self._over: asyncio.Future[str] = loop.create_future()
        self._tick = tick

    async def play(self) -> Trace:
        script = self._script
        opening = self._loop.create_task(self.adapter.open())
        opening.add_done_callback(_look)
        self._at(script.first_ask_s, self._check, opening)
        for number, ask in enumerate(script.asks):
            self._at(ask.at_s, self._start_ask, number, ask)
        for one in script.loops:
            self._at(one.at_s, self._start_loop, one)
        for kill in script.kills:
            self._at(kill.at_s, self.adapter.kill, kill.which)
        self._at(script.limit_s, self._stop, f"stopped at {script.limit_s:g} s")
        try:
            why = await self._over
            if not why:
                await asyncio.sleep(script.drain_s)
            wires = [wire for wire in self._network.wires if wire.carries_requests]
            end_s = self._loop.time()
            return trace_of(self._notes, wires, script.zero_s, end_s, why)
        finally:
            await self._clear_up(opening)

    async def _clear_up(self, opening: "asyncio.Task[None]") -> None:
        """Leave nothing open, so that no library complains when it is forgotten."""
        for task in (opening, *self._callers):
            task.cancel()
        self.adapter.close()
        await asyncio.sleep(10.0 * self._script.costs.latency_s)

    def _at(self, at_s: float, call: Callable[..., object], *arguments: object) -> None:
        self._loop.call_at(self._script.zero_s + at_s, call, *arguments)

    def _check(self, opening: "asyncio.Task[None]") -> None:
        if not opening.done() or opening.exception() is not None:
            self._stop(NOT_READY)
        elif not self._due:
            self._stop("")

    def _stop(self, why: str) -> None:
        if not self._over.done():
            self._over.set_result(why)

    def _fate(self, wire: Wire) -> float | None:
        now = self._loop.time() - self._script.zero_s
        for outage in self._script.outages:
            if outage.from_s <= now < outage.until_s:
                return outage.after_s or 0.0
        return None

    def _start_ask(self, number: int, ask: Ask) -> None:
        if self._over.done():
            return
        note = self._note(ask.pool)
        self._begun[number] = self._start(self._ask(ask, note)), note
        if ask.cancel_s is not None:
            self._at(ask.cancel_s, self._cancel, number)

    def _cancel(self, number: int) -> None:
        task, note = self._begun.get(number, (None, None))
        if task is not None and note is not None and not task.done():
            note.cancelled()
            task.cancel()

    def _start_loop(self, one: Loop) -> None:
        if not self._over.done():
            self._start(self._loop_on(one))

    def _start(self, caller: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = self._loop.create_task(caller)
        self._callers.add(task)
        task.add_done_callback(self._left)
        return task

    def _left(self, task: "asyncio.Task[None]") -> None:
        self._callers.discard(task)
        self._due -= 1
        if not task.cancelled() and task.exception() is not None and not self._over.done():
            self._over.set_exception(task.exception() or RuntimeError())
        if not self._due:
            self._stop("")

    def _note(self, pool: int) -> Note:
        note = Note(self._loop, pool)
        self._notes.append(note)
        if self._tick is not None and len(self._notes) % TICK_EVERY == 0:
            try:
                self._tick(len(self._notes))
            except Exception as cancelled:  # noqa: BLE001  comes out of play
                if not self._over.done():
                    self._over.set_exception(cancelled)
        return note

    async def _ask(self, ask: Ask, note: Note) -> None:
        try:
            await self.adapter.use(ask.pool, ask.use, note)
        except asyncio.CancelledError:
            note.ended(None)
        except Exception as error:  # noqa: BLE001  every failure of a library is an outcome
            note.ended(self.adapter.outcome_of(error, note))
        else:
            note.ended(None)
        if ask.rival is not None:
            self._cancel(ask.rival)

    async def _loop_on(self, one: Loop) -> None:
        turn = 0
        until_s = self._script.zero_s + one.until_s
        while self._loop.time() < until_s and (one.turns is None or turn < one.turns):
            use = one.uses[turn % len(one.uses)]
            await self._ask(Ask(0.0, use, pool=one.pool), self._note(one.pool))
            await self.adapter.pause(one.thinks_s[turn % len(one.thinks_s)])
            turn += 1


def _look(opening: "asyncio.Task[None]") -> None:
    """Take note of a failure, so that asyncio does not complain that nobody did."""
    if not opening.cancelled():
        opening.exception()


@contextmanager
def _quiet(names: tuple[str, ...]) -> Iterator[None]:
    """Keep the libraries' log messages about the failures that a script plans."""
    saved = [(logger := logging.getLogger(name), logger.disabled) for name in names]
    for logger, _ in saved:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, before in saved:
            logger.disabled = before
