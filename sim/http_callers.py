"""What the caller of a Script does with its HTTP connection, message by message.

    grant -> request ---- latency ----> server works ---- latency ----> response -> release

The end of the response is the release: there is nothing to hold afterwards.
"""

import math

from pools.protocol import Stage
from pools.trace import Outcome
from sim.agenda import Call
from sim.callers import Home, Visit
from sim.server import Link, Query

_WAITING = (Stage.NEW, Stage.QUEUED, Stage.WOKEN, Stage.OPENING)


class HttpCallers:
    """The callers of one pool, each waiting for a connection or for a response."""

    def __init__(self, home: Home, keep_alive_s: float) -> None:
        """Start with nobody; servers hang up after that much silence."""
        self._home = home
        self._agenda = home.agenda
        self._keep_alive_s = keep_alive_s

    def begin(self, visit: Visit, link: Link) -> None:
        """Send the request. The server takes work and hold alike before it answers."""
        visit.link, link.talk = link, visit
        work_s = (visit.use.work_s or 0.0) + visit.use.hold_s

        def worked() -> None:
            now = self._agenda.now
            if visit.closes:
                self._home.server.end(link)
            elif self._keep_alive_s < math.inf:
                self._agenda.call(self._silent, now + self._keep_alive_s, (query, link))
            self._agenda.call(self._answered, now + self._home.server.latency_s, (visit, link))

        query = Query(self._home.server, self._agenda, link, work_s, worked)
        at_s = self._agenda.now + self._home.server.latency_s
        self._agenda.call(self._arrives, at_s, (query, visit.use.compute_s))

    def cancel(self, visit: Visit) -> None:
        """Cancel the caller, whatever it is doing."""
        now, logic, link = self._agenda.now, self._home.logic, visit.link
        if visit.is_cancelled or not math.isnan(self._home.record.released[visit.row]):
            return
        visit.is_cancelled = True
        self._home.record.outcome[visit.row] = Outcome.CANCELLED
        if visit.stage in _WAITING:
            logic.give_up(visit, now)
        elif link is not None and link.talk is visit:
            link.talk = None
            self._home.record.released[visit.row] = now
            logic.interrupted(visit, now)

    def lost(self, link: Link) -> None:
        """Let a caller that waits for an answer find its connection dead."""
        visit, link.talk = link.talk, None
        if not isinstance(visit, Visit):
            return
        record, now = self._home.record, self._agenda.now
        record.released[visit.row] = now
        record.outcome[visit.row] = Outcome.CONNECTION_LOST
        self._home.logic.broke(visit, now)
        if visit.stage is not Stage.ENDED:
            record.released[visit.row] = math.nan
            record.outcome[visit.row] = Outcome.UNFINISHED

    def _arrives(self, event: Call) -> None:
        query, compute_s = event.payload
        query.link.last = query
        query.start(compute_s)

    def _silent(self, event: Call) -> None:
        query, link = event.payload
        if link.last is query and not link.ended:
            self._home.server.hang_up(link)

    def _answered(self, event: Call) -> None:
        visit, link = event.payload
        if link.talk is visit:
            link.talk = None
            now = self._agenda.now
            self._home.record.released[visit.row] = now
            self._home.record.outcome[visit.row] = Outcome.OK
            self._home.logic.release(visit, now)
