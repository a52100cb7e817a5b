"""What the wait hangs on: its elasticity to each setting, from common random numbers.

An elasticity of 2 says that 1 % more of the setting is 2 % more of the wait. Each setting is
moved a step down and a step up under the same arrivals and holds; the elasticity is the change
of the logarithm of the wait over that of the setting, its interval a jackknife over pairs of
replications. Source: Glasserman and Yao, Management Science 38 (1992), for why they are paired.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pools.setting import InvalidSettings, Setting, Value, settings_of
from sim.difference import Play, Seen, common_window, seen_in
from sim.engine import simulate
from sim.estimate import BEYOND_MIN
from sim.goal import Goal
from sim.query import KIND, all_settings, from_values, to_values
from sim.result import Estimate
from sim.scenario import Scenario
from sim.theory import student_t

Array = NDArray[np.float64]
STEP = 0.1
# How to simulate and what is wanted are no levers.
_NO_LEVERS = {KIND.query, *(made.query for made in settings_of(Scenario).values())} | {
    made.query for made in settings_of(Goal).values()
}


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one setting does to the wait: `of` is wait_s_p99, or wait_s_mean where p99 is 0.

    `low` and `high` are the values tried, in the unit shown, `low_s` and `high_s` the wait
    with each. Without a value, the elasticity is not known: the wait is 0 on one side.
    """

    query: str
    unit: str
    low: float
    high: float
    of: str
    low_s: float
    high_s: float
    elasticity: Estimate

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out 0."""
        low, high = self.elasticity.low, self.elasticity.high
        return low is not None and high is not None and (low > 0.0 or high < 0.0)

    @property
    def sentence(self) -> str:
        """Say it in words."""
        tried = f"{self.query} from {self.low:.4g} to {self.high:.4g} {self.unit}".rstrip()
        name = "p99" if self.of == "wait_s_p99" else "mean"
        change = f"{name} wait from {self.low_s * 1e3:.3g} to {self.high_s * 1e3:.3g} ms"
        known = "" if self.elasticity.value is None else f", elasticity {self.elasticity.value:.2g}"
        return f"{tried}: {change}{known}."


def ranked(
    scenario: Scenario,
    tick: Callable[[], None] | None = None,
    play: Play | None = None,
    only: Collection[str] | None = None,
) -> list[Sensitivity]:
    """Return the sensitivities to all settings that matter, the strongest first."""
    return ranked_of(sensitivities(scenario, tick, play, only))


def ranked_of(found: Iterable[Sensitivity]) -> list[Sensitivity]:
    """Return those that are more than chance, the strongest first."""
    return sorted((one for one in found if one.is_sure), key=_strength, reverse=True)


def sensitivities(
    scenario: Scenario,
    tick: Callable[[], None] | None = None,
    play: Play | None = None,
    only: Collection[str] | None = None,
) -> Iterator[Sensitivity]:
    """Yield one after the other as they are found; of settings in `only`, if it is given.

    `tick` may raise to cancel; `play` simulates a replication, SimPy if it is not given.
    """
    run = play or (lambda made, number: simulate(made, number, tick=tick))
    for made, low, high in moves(scenario):
        if only is not None and made.query not in only:
            continue
        window = common_window(low, high)
        seen = [
            [seen_in(run(one, number), window) for number in range(scenario.replications)]
            for one in (low, high)
        ]
        values = [float(to_values(one)[made.query]) for one in (low, high)]
        yield _sensitivity(made, values, seen)


def moves(scenario: Scenario) -> Iterator[tuple[Setting, Scenario, Scenario]]:
    """Yield each setting that can move, and the scenarios a step below and above.

    A tenth of the value, or 1 where it counts; one side stays where there is no room.
    """
    values = to_values(scenario)
    for query, made in all_settings(scenario.pool.name).items():
        value = values[query]
        if query in _NO_LEVERS or isinstance(value, bool | str) or value in made.special:
            continue
        if not value:
            continue
        step = max(1, round(STEP * value)) if made.kind is int else STEP * value
        low, high = (_moved(scenario, values, query, value + by) for by in (-step, step))
        if (low or high) and (moved := (low or scenario, high or scenario)):
            yield made, *moved


def _moved(
    scenario: Scenario, values: Mapping[str, Value], query: str, value: float
) -> Scenario | None:
    try:
        changed = dict(values) | {query: value}
        kind = str(changed.pop(KIND.query))
        return replace(from_values(kind, changed), seed=scenario.seed) if value > 0 else None
    except InvalidSettings:
        return None


def _sensitivity(
    made: Setting, values: Sequence[float], seen: Sequence[Sequence[Seen]]
) -> Sensitivity:
    groups = [[one.wait_s for one in side] for side in seen]
    enough = all(sum(map(len, side)) >= 100 * BEYOND_MIN for side in groups)
    tail = [_p99(np.concatenate(side)) for side in groups] if enough else [0.0, 0.0]
    of, statistic = ("wait_s_p99", _p99) if min(tail) > 0.0 else ("wait_s_mean", _mean)
    waits = [statistic(np.concatenate(side)) if any(map(len, side)) else 0.0 for side in groups]
    elasticity = _elasticity(values, groups, statistic) if min(waits) > 0.0 else Estimate(None)
    return Sensitivity(
        made.query, made.unit, values[0], values[1], of, waits[0], waits[1], elasticity
    )


def _elasticity(
    values: Sequence[float],
    groups: Sequence[Sequence[Array]],
    statistic: Callable[[Array], float],
) -> Estimate:
    """Return the elasticity between two values of a setting, paired by replication."""
    per = math.log(values[1] / values[0])
    low, high = (_logs(side, statistic) for side in groups)
    whole, *parts = (np.asarray(high) - np.asarray(low)) / per
    count = len(parts)
    if count < 2 or not np.isfinite([whole, *parts]).all():
        return Estimate(float(whole) if np.isfinite(whole) else None)
    spread = float(((parts - np.mean(parts)) ** 2).sum())
    half = student_t(count - 1) * math.sqrt((count - 1) / count * spread)
    return Estimate(float(whole), float(whole) - half, float(whole) + half)


def _logs(side: Sequence[Array], statistic: Callable[[Array], float]) -> list[float]:
    """Return the logarithm of the statistic of all, then of all but one replication each."""
    sets = [side, *([*side[:k], *side[k + 1 :]] for k in range(len(side)))]
    if len(side) < 2:
        sets = sets[:1]
    found = (statistic(np.concatenate(chosen)) for chosen in sets)
    return [math.log(value) if value > 0.0 else -math.inf for value in found]


def _strength(one: Sensitivity) -> float:
    return abs(one.elasticity.value or 0.0)


def _p99(values: Array) -> float:
    return float(np.percentile(values, 99))


def _mean(values: Array) -> float:
    return float(values.mean())
