"""Puts pools to the goal's cases: a few replications at first, more while it is not sure."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pools.kinds import Pool
from pools.setting import InvalidSettings
from sim.advise.bounds import Says, share
from sim.advise.cases import Case, pools_at_most
from sim.advise.counted import Array, Counted, Evaluate, Tick
from sim.advise.recommendation import Found, Tried
from sim.advise.sizing import kept
from sim.estimate import Groups
from sim.scenario import Scenario

CONFIDENCE = 0.95
CONFIRMED = 0.975
# Numbers of replications for the confirmation: streams that the search has not seen.
FRESH = 1_000_000
# A p99 needs no more waits than these.
WAITS_KEPT_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How many replications a judgement begins with, and how many requests it may cost.

    The confirmation may cost `confirm_times` as much as one judgement of the search.
    """

    first: int = 6
    requests_max: int = 240_000
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

    def judge(self, pool: Pool, opened_ratio_max: float = math.inf) -> Tried:
        """Put a pool to the cases, once; not to the end if it opens connections too often."""
        if pool not in self._known:
            self._known[pool] = self._tried(pool, opened_ratio_max)
        return self._known[pool]

    def confirm(self, pool: Pool) -> Tried:
        """Put a pool to the cases again, with fresh streams, more requests and more confidence."""
        return self._tried(pool, is_confirmation=True)

    def _tried(
        self, pool: Pool, opened_ratio_max: float = math.inf, *, is_confirmation: bool = False
    ) -> Tried:
        found: list[Found] = []
        plain: Tally | None = None
        for case in self._cases:
            opened_max = math.inf if plain else opened_ratio_max
            tally = self._counted(case, pool, opened_max, is_confirmation=is_confirmation)
            plain = plain or tally
            found += tally.found()
            if tally.opened_ratio > opened_max or not tally.meets:
                break
        tried = Tried(
            pool=pool,
            found=tuple(found),
            held=None if pool.capacity is None else pool.capacity * pools_at_most(self._scenario),
            kept=kept(pool) * self._scenario.fleet.pools,
            in_use_mean=plain.in_use_mean if plain else 0.0,
            opened_ratio=plain.opened_ratio if plain else 0.0,
            opened_ratio_max=opened_ratio_max,
            is_confirmation=is_confirmation,
        )
        if self._watch is not None:
            self._watch(tried)
        return tried

    def _counted(
        self, case: Case, pool: Pool, opened_ratio_max: float, *, is_confirmation: bool
    ) -> "Tally":
        start, times = (FRESH, self._effort.confirm_times) if is_confirmation else (0, 1)
        tally = Tally(case, CONFIRMED if is_confirmation else CONFIDENCE)
        try:
            run = case.of(pool)
        except InvalidSettings:  # a run beyond the limits of a simulation
            return tally
        for count in self._effort.stages(run.requests_expected, times):
            more = range(start + tally.replications, start + count)
            for one in self._evaluate(run, case.window, more, self._tick):
                tally.add(one)
            if tally.is_decided or tally.opened_ratio > opened_ratio_max:
                break
        return tally


class Tally:
    """What all replications of one case have said so far."""

    def __init__(self, case: Case, confidence: float) -> None:
        """Begin with none."""
        self._case, self._confidence = case, confidence
        self._misses: list[list[int]] = [[] for _ in case.limits]
        self._requests: list[int] = []
        self._waits: list[Array] = []
        self._opened = 0
        self._in_use: list[float] = []

    def add(self, one: Counted) -> None:
        """Count one replication more. Its waits are kept while there are not too many."""
        for limit, misses in zip(self._case.limits, self._misses, strict=True):
            misses.append(limit.misses(one))
        if sum(self._requests) < WAITS_KEPT_MAX:
            self._waits.append(one.wait_s)
        self._requests.append(len(one.wait_s))
        self._opened += one.opened
        self._in_use.append(one.in_use_mean)

    @property
    def replications(self) -> int:
        """How many replications were counted."""
        return len(self._requests)

    @property
    def opened_ratio(self) -> float:
        """Connections opened for each request."""
        return self._opened / max(sum(self._requests), 1)

    @property
    def in_use_mean(self) -> float:
        """Connections in use on average over the whole fleet."""
        return sum(self._in_use) / max(len(self._in_use), 1)

    @property
    def meets(self) -> bool:
        """Whether every limit is kept for sure."""
        return all(said is Says.MEETS for said in self._said())

    @property
    def is_decided(self) -> bool:
        """Whether more replications would be for nothing."""
        said = list(self._said())
        return Says.FAILS in said or all(one is Says.MEETS for one in said)

    def found(self) -> Iterator[Found]:
        """Return what is known about each limit."""
        for limit, misses in zip(self._case.limits, self._misses, strict=True):
            waits = self._waits if math.isfinite(limit.wait_s_max) else []
            yield Found(
                case=self._case.name,
                limit=limit.name,
                wait_s_max=limit.wait_s_max,
                ratio_max=limit.ratio_max,
                share=share(misses, self._requests, self._confidence),
                wait_s_p99=Groups.of(waits).percentile(99),
                requests=sum(self._requests),
                replications=self.replications,
            )

    def _said(self) -> Iterator[Says]:
        for limit, misses in zip(self._case.limits, self._misses, strict=True):
            yield share(misses, self._requests, self._confidence).says(limit.ratio_max)
