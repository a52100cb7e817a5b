"""What the caller of a Script does with its PostgreSQL connection, message by message.

    [BEGIN] [prepare, once a connection] query | hold | [COMMIT] -> released -> [ROLLBACK] release

A step that finds its connection dead ends in `broke`, a step that is cancelled while the
server owes an answer in `interrupted`; then the pool's logic goes on.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from pools.protocol import PoolLogic, Request, Stage
from pools.trace import Outcome
from sim.agenda import Agenda, Call
from sim.record import Record
from sim.script import Use
from sim.server import Link, Query, Server

_WAITING = (Stage.NEW, Stage.QUEUED, Stage.WOKEN, Stage.OPENING)
Step = Callable[[], None]


class Visit(Request):
    """A request of a Script. `steps` is what its caller still has to do."""

    __slots__ = (
        "closes",
        "explicit",
        "in_transaction",
        "is_cancelled",
        "link",
        "loop",
        "queries",
        "released",
        "rival",
        "steps",
        "use",
    )

    def __init__(self, row: int, use: Use) -> None:
        """Make a request; `loop` is the looping task it belongs to, if any."""
        super().__init__(row, use.host, use.timeout_s)
        self.use = use
        self.closes = use.closes
        self.idempotent = use.idempotent
        self.explicit = use.explicit
        self.queries = 0 if use.work_s is None else 1
        self.in_transaction = True
        self.is_cancelled = False
        self.link: Link | None = None
        self.loop: Any = None
        self.released = False
        self.rival: int | None = None
        self.steps: Iterator[Step] = iter(())


class Home(Protocol):
    """What callers need of their pool's world."""

    logic: PoolLogic
    record: Record
    agenda: Agenda
    server: Server


class PostgresCallers:
    """The callers of one pool, each in the middle of something."""

    def __init__(self, home: Home, *, transactions: bool, prepares: bool) -> None:
        """Speak as SQLAlchemy and psycopg do (`transactions`) or as asyncpg's own pool."""
        self._home = home
        self._agenda = home.agenda
        self._transactions = transactions
        self._prepares = prepares

    def begin(self, visit: Visit, link: Link) -> None:
        """Start using a connection."""
        visit.link = link
        visit.steps = self._steps(visit, link)
        self._go_on(visit)

    def cancel(self, visit: Visit) -> None:
        """Cancel the caller, whatever it is doing."""
        now, logic, link = self._agenda.now, self._home.logic, visit.link
        if visit.stage is Stage.ENDED or visit.is_cancelled:
            return
        visit.is_cancelled = True
        self._home.record.outcome[visit.row] = Outcome.CANCELLED
        if visit.stage in _WAITING or link is None:
            logic.give_up(visit, now)
        elif link.talk is visit and (visit.explicit or not visit.released):
            link.talk = None
            self._release(visit)
            logic.interrupted(visit, now)
        elif not visit.released:
            visit.steps = self._last_steps(visit)
            self._go_on(visit)
        elif visit.stage is Stage.RETURNING:
            logic.give_up(visit, now)

    def lost(self, link: Link) -> None:
        """Let a caller that waits for an answer find its connection dead."""
        visit, link.talk = link.talk, None
        if isinstance(visit, Visit):
            self._agenda.call(self._breaks, self._agenda.now, visit)

    def _steps(self, visit: Visit, link: Link) -> Iterator[Step]:
        use = visit.use
        if use.work_s is not None:
            if self._transactions:
                yield lambda: self._talk(visit, 1)
                if self._prepares and not link.prepared:
                    yield lambda: self._talk(visit, 1)
                    link.prepared = True
            yield lambda: self._ask(visit)
        if use.hold_s > 0.0:
            yield lambda: self._hold(visit)
        if use.work_s is not None and use.commits and self._transactions:
            visit.in_transaction = False
            yield lambda: self._talk(visit, 1)
            yield from self._last_steps(visit, in_transaction=False)
        else:
            yield from self._last_steps(visit)

    def _last_steps(self, visit: Visit, in_transaction: bool | None = None) -> Iterator[Step]:
        if in_transaction is None:
            in_transaction = self._transactions and visit.use.work_s is not None
        self._release(visit)
        if in_transaction:
            yield lambda: self._talk(visit, 1)
        self._home.logic.release(visit, self._agenda.now)

    def _go_on(self, visit: Visit) -> None:
        step = next(visit.steps, None)
        if step is not None:
            step()

    def _release(self, visit: Visit) -> None:
        if not visit.released:
            visit.released = True
            record = self._home.record
            record.released[visit.row] = self._agenda.now
            if not visit.is_cancelled:
                record.outcome[visit.row] = Outcome.OK

    def _hold(self, visit: Visit) -> None:
        at_s = self._agenda.now + visit.use.hold_s
        self._agenda.call(self._held, at_s, (visit, visit.steps))

    def _held(self, event: Call) -> None:
        visit, steps = event.payload
        if visit.steps is steps:
            self._go_on(visit)

    def _talk(self, visit: Visit, round_trips: int) -> None:
        link = self._linked(visit)
        if link is not None:
            link.talk = visit
            at_s = self._agenda.now + round_trips * self._home.server.rtt_s
            self._agenda.call(self._answered, at_s, (visit, link))

    def _ask(self, visit: Visit) -> None:
        link, server = self._linked(visit), self._home.server
        if link is None:
            return
        link.talk = visit

        def worked() -> None:
            at_s = self._agenda.now + server.latency_s
            self._agenda.call(self._answered, at_s, (visit, link))

        query = Query(server, self._agenda, link, visit.use.work_s or 0.0, worked)
        at_s = self._agenda.now + server.latency_s
        self._agenda.call(self._arrives, at_s, (query, visit.use.compute_s))

    def _arrives(self, event: Call) -> None:
        query, compute_s = event.payload
        query.start(compute_s)

    def _answered(self, event: Call) -> None:
        visit, link = event.payload
        if link.talk is visit:
            link.talk = None
            self._go_on(visit)

    def _linked(self, visit: Visit) -> Link | None:
        link = visit.link
        if link is not None and link.is_open:
            return link
        self._break(visit)
        return None

    def _breaks(self, event: Call) -> None:
        self._break(event.payload)

    def _break(self, visit: Visit) -> None:
        record, was_released = self._home.record, visit.released
        self._release(visit)
        if not visit.is_cancelled:
            how = Outcome.RELEASE_FAILED if was_released else Outcome.CONNECTION_LOST
            record.outcome[visit.row] = how
        visit.steps = iter(())
        self._home.logic.broke(visit, self._agenda.now)
