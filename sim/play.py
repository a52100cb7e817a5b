"""Plays a Script with a pool's logic, message by message, and returns the Trace.

The counterpart of `pools.twin.play`, which plays it with the real library.
"""

from collections.abc import Callable

from pools.trace import Trace
from sim.agenda import Agenda, Call
from sim.callers import Visit
from sim.record import Record
from sim.script import Ask, Loop, Script, Use
from sim.server import Server
from sim.stage import ScriptWorld

NOT_READY = "the pool was not ready when the first request asked"
TICK_EVERY = 1024


def play(script: Script, tick: Callable[[int], None] | None = None) -> Trace:
    """Play a script with the logic of its pool.

    `tick` is called now and then with the number of requests so far; it may raise to cancel.
    """
    return _Play(script, tick).run()


class _Turn:
    """A looping task: which turn it is at."""

    __slots__ = ("count", "loop")

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.count = 0


class _Play:
    """One run."""

    def __init__(self, script: Script, tick: Callable[[int], None] | None) -> None:
        self._script = script
        self._tick = tick
        self._agenda = Agenda(initial_time=script.clock_s)
        self._record = Record()
        self._due = len(script.asks) + len(script.loops)
        self._truncated = ""
        self._begun: dict[int, Visit] = {}
        server = Server(script, self._agenda)
        self._worlds = [
            ScriptWorld(script, number, self._agenda, self._record, server, self._ended)
            for number in range(script.pools)
        ]

    def run(self) -> Trace:
        """Run to the end."""
        script, agenda = self._script, self._agenda
        for world in self._worlds:
            world.logic.create(script.clock_s)
        self._at(script.first_ask_s, self._check, None)
        for number, ask in enumerate(script.asks):
            self._at(ask.at_s, self._start_ask, (number, ask))
        for loop in script.loops:
            self._at(loop.at_s, self._start_loop, loop)
        self._at(script.limit_s, self._stop, f"stopped at {script.limit_s:g} s")
        agenda.run()
        self._record.shift(script.zero_s)
        return self._record.trace(self._truncated)

    def _at(self, at_s: float, callback: Callable[[Call], None], payload: object) -> None:
        self._agenda.call(callback, self._script.zero_s + at_s, payload)

    def _check(self, _: Call) -> None:
        if not all(world.is_ready for world in self._worlds):
            self._truncated = NOT_READY
            self._agenda.stop()
        if not self._due:
            self._left()

    def _stop(self, event: Call) -> None:
        self._truncated = event.payload
        self._agenda.stop()

    def _start_ask(self, event: Call) -> None:
        number: int
        ask: Ask
        number, ask = event.payload
        visit = self._begun[number] = self._visit(ask.use, ask.pool)
        visit.rival = ask.rival
        if ask.cancel_s is not None:
            self._at(ask.cancel_s, self._cancel, number)
        self._ask(visit, ask.pool)

    def _cancel(self, event: Call) -> None:
        number = event.payload
        if number in self._begun:
            self._worlds[self._script.asks[number].pool].callers.cancel(self._begun[number])

    def _start_loop(self, event: Call) -> None:
        self._next_turn(_Turn(event.payload))

    def _next_turn(self, turn: _Turn) -> None:
        loop = turn.loop
        now_s = self._agenda.now - self._script.zero_s
        if now_s >= loop.until_s or (loop.turns is not None and turn.count >= loop.turns):
            self._leave()
            return
        visit = self._visit(loop.uses[turn.count % len(loop.uses)], loop.pool)
        visit.loop = turn
        turn.count += 1
        self._ask(visit, loop.pool)

    def _visit(self, use: Use, pool: int) -> Visit:
        row = self._record.ask(self._agenda.now, pool)
        if self._tick is not None and not (row + 1) % TICK_EVERY:
            self._tick(row + 1)
        return Visit(row, use)

    def _ask(self, visit: Visit, pool: int) -> None:
        self._worlds[pool].logic.acquire(visit, self._agenda.now)

    def _ended(self, visit: Visit) -> None:
        turn = visit.loop
        if turn is None:
            if visit.rival is not None:
                self._go_on(visit, 0.0, self._cancel, visit.rival)
            self._leave()
            return
        loop: Loop = turn.loop
        think_s = loop.thinks_s[(turn.count - 1) % len(loop.thinks_s)]
        self._go_on(visit, think_s, self._turns, turn)

    def _go_on(
        self, visit: Visit, pause_s: float, step: Callable[[Call], None], payload: object
    ) -> None:
        """Let a caller take its next step: after a pause, a turn of the event loop, or now."""
        hops = self._script.pool.release_hops(visit.explicit)
        if pause_s > 0.0:
            self._agenda.call(step, self._agenda.now + pause_s, payload)
        elif hops and visit.link is not None:
            self._agenda.call(step, self._agenda.now, payload)
        else:
            step(Call(step, payload))

    def _turns(self, event: Call) -> None:
        self._next_turn(event.payload)

    def _leave(self) -> None:
        self._due -= 1
        if not self._due:
            self._left()

    def _left(self) -> None:
        at_s = self._agenda.now + self._script.drain_s
        self._agenda.call(lambda _: self._agenda.stop(), at_s)
