"""Puts pools to the goal's cases: a few replications at first, more while it is not sure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pools.kinds import Pool
from pools.setting import InvalidSettings
from sim.advise.bounds import Says, Share, share
from sim.advise.cases import Case, Limit, pools_at_most
from sim.advise.counted import Counted, Evaluate, Tick
from sim.advise.recommendation import Found, Tried
from sim.advise.sizing import kept
from sim.estimate import percentile_of
from sim.result import Estimate
from sim.scenario import Scenario

CONFIDENCE = 0.95
CONFIRMED = 0.975
# Numbers of replications for the confirmation: streams that the search has not seen.
FRESH = 1_000_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How many replications a judgement begins with, and how many requests it may cost.

    The confirmation may cost `confirm_times` as much as one judgement of the search.
    """

    first: int = 6
    requests_max: int = 120_000
    confirm_times: int = 4
    replications_max: int = 384

    def stages(self, requests_expected: float, times: int = 1) -> list[int]:
        """Return how many replications in all there are after each stage."""
        affordable = self.requests_max * times / max(requests_expected, 1.0)
        most = int(min(max(self.first, affordable), self.replications_max * times))
        stages = [self.first]
        while stages[-1] * 2 <= most:
            stages.append(stages[-1] * 2)
        return stages


class Judge:
    """Judges pools, remembers each, and tells `watch` of each."""

    def __init__(
        self,
        scenario: Scenario,
        cases: Sequence[Case],
        evaluate: Evaluate,
        effort: Effort,
        tick: Tick | None = None,
        watch: Callable[[Tried], None] | None = None,
    ) -> None:
        """Judge by these cases."""
        self._scenario, self._cases = scenario, tuple(cases)
        self._evaluate, self._effort, self._tick, self._watch = evaluate, effort, tick, watch
        self._known: dict[Pool, Tried] = {}

    @property
    def rows(self) -> tuple[Tried, ...]:
        """Everything tried in the search, in order."""
        return tuple(self._known.values())

    def judge(self, pool: Pool) -> Tried:
        """Put a pool to the cases, once."""
        if pool not in self._known:
            self._known[pool] = self._tried(pool)
        return self._known[pool]

    def confirm(self, pool: Pool) -> Tried:
        """Put a pool to the cases again, with fresh streams, more requests and more confidence."""
        return self._tried(pool, is_confirmation=True)

    def _tried(self, pool: Pool, *, is_confirmation: bool = False) -> Tried:
        found: list[Found] = []
        firsts: list[Counted] = []
        for case in self._cases:
            counted, said = self._case(case, pool, is_confirmation=is_confirmation)
            firsts = firsts or counted
            found += said
            if any(one.says is not Says.MEETS for one in said):
                break
        tried = _summed(self._scenario, pool, found, firsts, is_confirmation=is_confirmation)
        if self._watch is not None:
            self._watch(tried)
        return tried

    def _case(
        self, case: Case, pool: Pool, *, is_confirmation: bool
    ) -> tuple[list[Counted], list[Found]]:
        try:
            run = case.of(pool)
        except InvalidSettings:
            return [], [_not_run(case, limit) for limit in case.limits]
        start, times, confidence = 0, 1, CONFIDENCE
        if is_confirmation:
            start, times, confidence = FRESH, self._effort.confirm_times, CONFIRMED
        counted: list[Counted] = []
        for count in self._effort.stages(run.requests_expected, times):
            more = range(start + len(counted), start + count)
            counted += self._evaluate(run, case.window, more, self._tick)
            says = {
                _share(limit, counted, confidence).says(limit.ratio_max) for limit in case.limits
            }
            if Says.FAILS in says or says == {Says.MEETS}:
                break
        return counted, [_found(case, limit, counted, confidence) for limit in case.limits]


def _share(limit: Limit, counted: Sequence[Counted], confidence: float) -> Share:
    requests = [len(one.wait_s) for one in counted]
    return share([limit.misses(one) for one in counted], requests, confidence)


def _found(case: Case, limit: Limit, counted: Sequence[Counted], confidence: float) -> Found:
    is_wait = math.isfinite(limit.wait_s_max)
    return Found(
        case=case.name,
        limit=limit.name,
        wait_s_max=limit.wait_s_max,
        ratio_max=limit.ratio_max,
        share=_share(limit, counted, confidence),
        wait_s_p99=percentile_of([one.wait_s for one in counted], 99)
        if is_wait
        else Estimate(None),
        requests=sum(len(one.wait_s) for one in counted),
        replications=len(counted),
    )


def _not_run(case: Case, limit: Limit) -> Found:
    """Say that the run would be beyond the limits of a simulation."""
    nothing = Share(math.nan, 0.0, 1.0)
    return Found(
        case.name, limit.name, limit.wait_s_max, limit.ratio_max, nothing, Estimate(None), 0, 0
    )


def _summed(
    scenario: Scenario,
    pool: Pool,
    found: Sequence[Found],
    counted: Sequence[Counted],
    *,
    is_confirmation: bool,
) -> Tried:
    requests = sum(len(one.wait_s) for one in counted)
    return Tried(
        pool=pool,
        found=tuple(found),
        held=None if pool.capacity is None else pool.capacity * pools_at_most(scenario),
        kept=kept(pool) * scenario.fleet.pools,
        in_use_mean=sum(one.in_use_mean for one in counted) / max(len(counted), 1),
        opened_ratio=sum(one.opened for one in counted) / max(requests, 1),
        is_confirmation=is_confirmation,
    )
