"""The cheapest settings that meet a goal: found by search, then proved by a run of their own.

    goal --> cases --> rules (timeouts, recycle, ping) --> size (bisection) --> kept (bisection)
                                                               |                     |
                              levers, if no size will do <-----+        confirmation, fresh streams

Cheaper means fewer connections held at peak over the fleet, then fewer kept while idle. Every
candidate meets the same arrivals and holds (common random numbers). The closed form only says
where to begin.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from sim.advise.cases import capacity_allowed, cases_of, obstacle
from sim.advise.counted import Evaluate, Tick
from sim.advise.judge import Effort, Judge
from sim.advise.levers import levers_of
from sim.advise.recommendation import Reason, Recommendation, Tried
from sim.advise.rules import ruled
from sim.advise.search import smallest
from sim.advise.sizing import CONNECTIONS_MAX, Sizing, sizing_of
from sim.advise.start import closed_form
from sim.advise.words import KEEPING, SIZES, said, size_text, spelt
from sim.scenario import Scenario
from sim.verdict import CHURN_WARNING

CONFIRMATIONS_MAX = 8


class NoGoal(ValueError):
    """Nothing was asked for, so there is nothing to look for."""


def advise(
    scenario: Scenario,
    evaluate: Evaluate,
    effort: Effort | None = None,
    tick: Tick | None = None,
    watch: Callable[[Tried], None] | None = None,
) -> Recommendation:
    """Find the cheapest settings of the scenario's pool that meet its goal.

    `tick` is called now and then; it may raise to cancel. `watch` is told of each setting tried.
    Raises NoGoal if the scenario asks for nothing.
    """
    if not scenario.goal.is_asked:
        raise NoGoal("goal_wait_ms, goal_timeouts or goal_burst must be above 0, got none of them")
    effort = effort or Effort()
    pool, reasons = ruled(scenario)
    ready = replace(scenario, pool=pool)
    judge = Judge(ready, cases_of(ready), evaluate, effort, tick, watch)
    search = _Search(ready, judge)
    proof = search.proved() if not obstacle(ready) else None
    if proof is None:
        helped = levers_of(ready, evaluate, effort, tick)
        why = obstacle(ready) or _why_not(ready, judge.rows)
        return Recommendation(scenario, scenario, None, None, judge.rows, (), why, helped)
    return Recommendation(
        asked=scenario,
        scenario=replace(scenario, pool=proof.pool),
        proof=proof,
        cheaper=search.cheaper,
        rows=judge.rows,
        reasons=(*_size_reasons(ready, proof), *reasons),
    )


class _Search:
    """The search for one kind of pool: its size first, then what it keeps."""

    def __init__(self, scenario: Scenario, judge: Judge) -> None:
        self._scenario, self._judge = scenario, judge
        self._sizing = sizing_of(scenario.pool)
        allowed = capacity_allowed(scenario)
        self._high = CONNECTIONS_MAX if allowed is None else min(allowed, CONNECTIONS_MAX)
        self.cheaper: Tried | None = None

    def proved(self) -> Tried | None:
        """Return the confirmation of the cheapest that meets the goal, or None."""
        sizing, low = self._sizing, 1
        if sizing is None:
            return self._as_it_is()
        start = closed_form(self._scenario)
        for _ in range(CONFIRMATIONS_MAX):
            size = smallest(self._meets, start, low, self._high)
            if size is None:
                return None
            proof = self._confirmed(sizing, size)
            if proof is not None:
                self.cheaper = self._cheaper(sizing, proof)
                return proof
            low = start = size + 1
        return None

    def _as_it_is(self) -> Tried | None:
        if not self._judge.judge(self._scenario.pool).meets:
            return None
        proof = self._judge.confirm(self._scenario.pool)
        return proof if proof.meets else None

    def _meets(self, size: int) -> bool:
        return self._at(size).meets

    def _at(self, size: int) -> Tried:
        assert self._sizing is not None  # noqa: S101  only sized pools come here
        return self._judge.judge(self._sizing.sized(self._scenario.pool, size))

    def _confirmed(self, sizing: Sizing, size: int) -> Tried | None:
        """Lower what a pool of that size keeps as far as it goes, and confirm that, or itself."""
        full = self._at(size)
        churn_max = max(CHURN_WARNING, full.opened_ratio)
        least = max(1, sizing.starts_at(full.in_use_mean / self._scenario.fleet.pools, size))

        def keeps(count: int) -> bool:
            return self._judge.judge(sizing.keeping(full.pool, count), churn_max).meets

        keep = smallest(keeps, least, least, size - 1) if self._may_keep_less() else None
        chosen = [sizing.keeping(full.pool, keep)] if keep is not None else []
        for pool in (*chosen, full.pool):
            proof = self._judge.confirm(pool)
            if proof.meets:
                return proof
        return None

    def _may_keep_less(self) -> bool:
        return self._scenario.pool.name != "aiohttp" or self._scenario.workload.hosts > 1

    def _cheaper(self, sizing: Sizing, proof: Tried) -> Tried | None:
        """Return the next cheaper setting: one connection fewer in each pool."""
        size = (proof.pool.capacity or 0) - 1
        return self._judge.judge(sizing.sized(self._scenario.pool, size)) if size >= 1 else None


def _why_not(scenario: Scenario, rows: tuple[Tried, ...]) -> str:
    if not rows:
        return "No setting could be simulated."
    best = min(rows, key=lambda one: one.worst.excess)
    allowed = capacity_allowed(scenario)
    limit = f" The budget allows {allowed} connections for each pool." if allowed else ""
    return f"Nearest came {size_text(best) or scenario.pool.title}: {said(best.worst)}.{limit}"


def _size_reasons(scenario: Scenario, proof: Tried) -> Iterator[Reason]:
    """Say of each setting that gives the pool its size what it stands for, in connections."""
    pools, held, kept = scenario.fleet.pools, proof.held or 0, proof.kept
    fleet = f" over {pools} pools" if pools > 1 else ""
    most = (
        f"{held} connections at most{fleet}; {proof.in_use_mean:.3g} are in use on average. One"
        " fewer in each pool was not enough."
    )
    keep = (
        f"{kept} connections{fleet} stay while idle; {100.0 * proof.opened_ratio:.2g} % of requests"
        f" pay for a new one, at most {100.0 * CHURN_WARNING:g} % are to."
    )
    for name, value in proof.settings.items():
        if name in SIZES:
            why = keep if name in KEEPING else most
            yield Reason(name, spelt(value), why, "simulated")
