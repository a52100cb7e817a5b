"""What advice says: settings, their price, the proof, and what was tried on the way."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pools.kinds import Pool
from pools.setting import Value, settings_of
from sim.advise.bounds import Says, Share
from sim.query import to_query
from sim.result import Estimate
from sim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Found:
    """What one case says about one limit.

    `wait_s_p99` is given for limits on waits, where enough requests were counted.
    """

    case: str
    limit: str
    wait_s_max: float
    ratio_max: float
    share: Share
    wait_s_p99: Estimate
    requests: int
    replications: int

    @property
    def says(self) -> Says:
        """Whether the limit is kept, for sure."""
        return self.share.says(self.ratio_max)

    @property
    def excess(self) -> float:
        """How far the upper bound of the share is above the limit, as a multiple of it."""
        return self.share.high / self.ratio_max


@dataclass(frozen=True, slots=True)
class Tried:
    """One pool put to every case, or to those up to the first that it does not meet.

    `held` and `kept` are the connections of the whole fleet at most, and while idle.
    `opened_ratio` are connections opened per request of the first case; more than
    `opened_ratio_max`, and the rest was not tried.
    """

    pool: Pool
    found: tuple[Found, ...]
    held: int | None
    kept: int
    in_use_mean: float
    opened_ratio: float
    opened_ratio_max: float = math.inf
    is_confirmation: bool = False

    @property
    def meets(self) -> bool:
        """Whether every limit is kept, for sure, and connections are not opened too often."""
        return not self.opens_too_often and all(one.says is Says.MEETS for one in self.found)

    @property
    def opens_too_often(self) -> bool:
        """Whether too many requests pay for a new connection."""
        return self.opened_ratio > self.opened_ratio_max

    @property
    def worst(self) -> Found:
        """The limit that is nearest to being missed, or missed furthest."""
        return max(self.found, key=lambda one: one.excess)

    @property
    def settings(self) -> dict[str, Value]:
        """The pool's settings in the units shown, by query name."""
        return _shown(self.pool)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one setting has its value: with the number that says so, and where the rule is from."""

    setting: str
    value: str
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Lever:
    """What would help where no pool setting can: one change outside the pool, found by trying."""

    name: str
    sentence: str
    scenario: Scenario
    proof: Tried


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The cheapest settings that meet a goal, and how that is known.

    `scenario` has the recommended pool, or is as asked if `proof` is None: then `why_not` says
    why no setting does, and `levers` what would. `cheaper` is the next cheaper setting, which
    was not shown to meet the goal; None if there is none.
    """

    asked: Scenario
    scenario: Scenario
    proof: Tried | None
    cheaper: Tried | None
    rows: tuple[Tried, ...]
    reasons: tuple[Reason, ...] = ()
    why_not: str = ""
    levers: tuple[Lever, ...] = ()

    @property
    def changes(self) -> dict[str, tuple[Value, Value]]:
        """Return settings that differ from those asked about: before and after, by query name."""
        before, after = _shown(self.asked.pool), _shown(self.scenario.pool)
        return {
            name: (before[name], value) for name, value in after.items() if before[name] != value
        }

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "query": to_query(self.scenario),
            "meets_goal": self.proof is not None,
            "changes": {name: list(pair) for name, pair in self.changes.items()},
            "why_not": self.why_not,
            "proof": _tried(self.proof),
            "next_cheaper": _tried(self.cheaper),
            "reasons": [
                {"setting": one.setting, "value": one.value, "why": one.why, "source": one.source}
                for one in self.reasons
            ],
            "levers": [
                {"lever": one.name, "sentence": one.sentence, "query": to_query(one.scenario)}
                for one in self.levers
            ],
            "tried": [_tried(one) for one in self.rows],
        }


def _shown(pool: Pool) -> dict[str, Value]:
    known = settings_of(type(pool))
    return {made.query: made.to_shown(getattr(pool, name)) for name, made in known.items()}


def _tried(one: Tried | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "settings": one.settings,
        "meets": one.meets,
        "connections_held": one.held,
        "connections_kept": one.kept,
        "opened_per_request": one.opened_ratio,
        "confirmation": one.is_confirmation,
        "found": [dict(_found(each)) for each in one.found],
    }


def _found(one: Found) -> Iterator[tuple[str, Any]]:
    p99 = one.wait_s_p99
    yield from (("case", one.case), ("limit", one.limit), ("says", one.says.value))
    yield "share_max", one.ratio_max
    yield "share", one.share.ratio
    yield "share_bounds", [one.share.low, one.share.high]
    yield "wait_s_p99", p99.value
    yield "wait_s_p99_ci95", None if p99.low is None else [p99.low, p99.high]
    yield from (("requests", one.requests), ("replications", one.replications))
