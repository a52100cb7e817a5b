"""What clients do around their requests: several checkouts, giving up, asking again.

    call ── attempt ── checkout, checkout, ...      a call has one attempt at a time; an attempt
         └─ attempt ── checkout, ...                whose client has gone may still be unwinding

Everything random was drawn before (`sim.plans`).
"""

import math
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pools.trace import Calls, Outcome
from sim.agenda import Call as Event
from sim.client import BUDGET_SAVED_MAX
from sim.client_world import ClientVisit, ClientWorld
from sim.plans import Plan, plans
from sim.users import Users
from sim.workload import Arrivals

if TYPE_CHECKING:
    from sim.engine import Run

_OK = int(Outcome.OK)


class Call:
    """One request of a client, whatever it takes."""

    __slots__ = ("attempt", "attempts", "host", "is_over", "plan", "row", "user", "world")

    def __init__(self, row: int, plan: Plan, world: ClientWorld, host: int, user: int) -> None:
        """Make a call that has not begun; `user` is the closed loop's user, or -1."""
        self.row = row
        self.plan = plan
        self.world = world
        self.host = host
        self.user = user
        self.attempts = 0
        self.is_over = False
        self.attempt: Attempt | None = None


class Attempt:
    """One try at a call: which checkout it is at, and which connections it holds."""

    __slots__ = ("call", "count", "current", "held", "is_cancelled", "outcome")

    def __init__(self, call: Call) -> None:
        """Begin with nothing."""
        self.call = call
        self.count = 0
        self.current: ClientVisit | None = None
        self.held: list[ClientVisit] = []
        self.outcome = Outcome.OK
        self.is_cancelled = False

    @property
    def is_wanted(self) -> bool:
        """Whether its client still waits for it."""
        return self.call.attempt is self


class Clients:
    """All clients of a run."""

    def __init__(self, run: "Run") -> None:
        """Take over a run's callers."""
        scenario = run.scenario
        self._run = run
        self._client = scenario.client
        self._budget = scenario.client.retry_budget
        self._saved = BUDGET_SAVED_MAX
        self._live: set[Attempt] = set()
        self._deadlines: deque[tuple[float, Attempt]] = deque()
        self._deadline_is_set = False
        self._leaked = 0
        self._next: Callable[[Call], None] = _nobody
        self._asked, self._ended = array("d"), array("d")
        self._outcomes, self._attempts = array("q"), array("q")
        for world in run.worlds:
            world.goes_on = self.goes_on

    def follow(self, arrivals: Arrivals) -> None:
        """Let the clients of an open workload come."""
        run = self._run
        drawn = plans(run.scenario, run.streams, arrivals.hold_s)
        pools, hosts = arrivals.pool.tolist(), arrivals.host.tolist()
        rows = zip(arrivals.asked_s.tolist(), pools, hosts, drawn, strict=True)
        self._come(iter(rows))

    def loop(self) -> None:
        """Let the users of a closed workload come, again and again."""
        run = self._run
        drawn = plans(run.scenario, run.streams)
        users = Users(run, lambda world, host, user: self.begin(next(drawn), world, host, user))
        self._next = lambda call: users.ended(call.user)
        users.start()

    def _come(self, rows: Iterator[tuple[float, int, int, Plan]]) -> None:
        run, upcoming = self._run, next(rows, None)
        if upcoming is None:
            run.no_more()
            return

        def arrive(event: Event) -> None:
            _, pool, host, plan = event.payload
            if run.is_full():
                run.no_more()
                return
            upcoming = next(rows, None)
            if upcoming is None:
                run.no_more()
            else:
                run.agenda.call(arrive, upcoming[0], upcoming)
            self.begin(plan, run.worlds[pool], host)

        run.agenda.call(arrive, upcoming[0], upcoming)

    def calls(self) -> Calls:
        """Return what became of every call."""
        return Calls(self._asked, self._ended, self._outcomes, self._attempts)

    def begin(self, plan: Plan, world: Any, host: int, user: int = -1) -> None:  # noqa: ANN401
        """Let a client ask."""
        now, run = self._run.agenda.now, self._run
        call = Call(len(self._asked), plan, world, host, user)
        self._asked.append(now)
        self._ended.append(math.nan)
        self._outcomes.append(Outcome.UNFINISHED)
        self._attempts.append(0)
        self._saved = min(BUDGET_SAVED_MAX, self._saved + self._budget)
        run.enters()
        if plan.cancel_s < math.inf:
            run.agenda.call(self._cancels, now + plan.cancel_s, call)
        self._try(call, now)

    def goes_on(self, visit: ClientVisit) -> bool:
        """Go on to a nested checkout, if there is one, while the connection is held."""
        attempt: Attempt = visit.attempt
        plan = attempt.call.plan
        if not plan.nested or attempt.count == len(plan.hold_s):
            return False
        attempt.held.append(visit)
        self._check_out(attempt)
        return True

    def ended(self, visit: Any) -> None:  # noqa: ANN401  a ClientVisit, as all visits here are
        """Go on after a checkout: to the next, to the connections still held, or to the end."""
        attempt: Attempt = visit.attempt
        outcome = self._outcome_of(visit)
        if outcome != _OK and attempt.outcome is Outcome.OK:
            attempt.outcome = Outcome(outcome)
        if attempt.held:
            self._unwind(attempt)
        elif attempt.outcome is Outcome.OK and attempt.count < len(attempt.call.plan.hold_s):
            self._check_out(attempt)
        else:
            attempt.current = None
            self._over(attempt)

    def _outcome_of(self, visit: ClientVisit) -> int:
        record, row = self._run.record, visit.row
        outcome = record.outcome[row]
        if visit.leaks and outcome == _OK:
            self._leaked += 1
        elif record.connection[row] >= 0 and math.isnan(record.returned[row]):
            # Cancelled: who is done with a connection does not see what becomes of it.
            record.returned[row] = self._run.agenda.now
        return outcome

    def why_unserved(self) -> str:
        """Say why those in progress could never be served, where clients are the cause."""
        live, count = self._live, len(self._live)
        holding = sum(bool(attempt.held) for attempt in live)
        if holding == count:
            return "each holds a connection while it waits for another"
        if holding:
            return f"{holding} of them hold a connection while they wait for another"
        return f"{self._leaked} connections were never returned" if self._leaked else ""

    def _try(self, call: Call, now: float) -> None:
        attempt = call.attempt = Attempt(call)
        self._live.add(attempt)
        call.attempts += 1
        self._attempts[call.row] = call.attempts
        if self._client.client_timeout_s:
            self._set_deadline(attempt, now + self._client.client_timeout_s)
        self._check_out(attempt)

    def _set_deadline(self, attempt: Attempt, at_s: float) -> None:
        """Keep deadlines in order, which they come in; one event serves them all."""
        deadlines = self._deadlines
        while deadlines and not deadlines[0][1].is_wanted:
            deadlines.popleft()
        deadlines.append((at_s, attempt))
        if not self._deadline_is_set:
            self._deadline_is_set = True
            self._run.agenda.call(self._expire, at_s)

    def _expire(self, _: Event) -> None:
        deadlines, now = self._deadlines, self._run.agenda.now
        while deadlines and (deadlines[0][0] <= now or not deadlines[0][1].is_wanted):
            attempt = deadlines.popleft()[1]
            if attempt.is_wanted:
                self._give_up(attempt, Outcome.CLIENT_TIMEOUT)
                self._fail(attempt.call, Outcome.CLIENT_TIMEOUT)
        self._deadline_is_set = bool(deadlines)
        if deadlines:
            self._run.agenda.call(self._expire, deadlines[0][0])

    def _check_out(self, attempt: Attempt) -> None:
        run, call, number = self._run, attempt.call, attempt.count
        now, world, plan = run.agenda.now, call.world, call.plan
        attempt.count += 1
        row = run.record.ask(now, world.number)
        visit = ClientVisit(row, world, plan.hold_s[number], call.host, attempt)
        visit.await_s = plan.await_s[number]
        visit.leaks = plan.leaks[number]
        attempt.current = visit
        run.counts()
        world.ask(visit, now)

    def _unwind(self, attempt: Attempt) -> None:
        """Return the connection taken last of those still held."""
        visit = attempt.current = attempt.held.pop()
        if attempt.is_cancelled:
            self._cancel(visit, attempt.outcome)
        else:
            attempt.call.world.conclude(visit)

    def _over(self, attempt: Attempt) -> None:
        self._live.discard(attempt)
        call = attempt.call
        if not attempt.is_wanted:
            self._run.leaves()
        elif attempt.outcome is Outcome.OK:
            self._answer(call, Outcome.OK)
        else:
            self._fail(call, attempt.outcome)

    def _cancels(self, event: Event) -> None:
        call: Call = event.payload
        if call.is_over:
            return
        if call.attempt is not None:
            self._give_up(call.attempt, Outcome.CANCELLED)
        self._answer(call, Outcome.CANCELLED)

    def _give_up(self, attempt: Attempt, fate: Outcome) -> None:
        """Let a client go while its attempt still has to end."""
        call = attempt.call
        call.attempt = None
        self._run.enters()
        if self._client.abandoned == "cancelled" and attempt.current is not None:
            attempt.is_cancelled, attempt.outcome = True, fate
            self._cancel(attempt.current, fate)

    def _cancel(self, visit: ClientVisit, fate: Outcome) -> None:
        visit.fate = fate
        visit.attempt.call.world.cancel(visit)

    def _fail(self, call: Call, outcome: Outcome) -> None:
        """Ask again after a pause, if the client may."""
        call.attempt = None
        if not self._may_retry(call):
            self._answer(call, outcome)
            return
        pause_s = self._client.pause_s(call.attempts)
        if self._client.retry_jitter:
            pause_s *= float(call.plan.jitter[call.attempts - 1])
        self._run.agenda.call(self._tries_again, self._run.agenda.now + pause_s, call)

    def _may_retry(self, call: Call) -> bool:
        if call.attempts > self._client.retries or self._run.is_full():
            return False
        if self._budget:
            if self._saved < 1.0:
                return False
            self._saved -= 1.0
        return True

    def _tries_again(self, event: Event) -> None:
        if not event.payload.is_over:
            self._try(event.payload, self._run.agenda.now)

    def _answer(self, call: Call, outcome: Outcome) -> None:
        call.is_over, call.attempt = True, None
        self._ended[call.row] = self._run.agenda.now
        self._outcomes[call.row] = outcome
        self._next(call)
        self._run.leaves()


def _nobody(_: Call) -> None:
    """Do nothing: nobody waits for an open workload's answers."""
