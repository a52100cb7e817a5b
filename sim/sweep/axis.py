"""An Axis: which setting is varied, over which values."""

import math
from dataclasses import dataclass

from pools.setting import InvalidSettings, Mistake, Setting, Value
from sim.query import all_settings, to_values
from sim.scenario import Scenario

POINTS_MAX = 60
POINTS = 20
# The setting by which each kind's pool grows; NullPool has none.
SIZES = {
    "sqlalchemy": "pool_size",
    "asyncpg": "max_size",
    "psycopg": "max_size",
    "aiohttp": "limit",
    "httpx": "pool_connections",
}


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting's query name and its values in the unit shown, ascending."""

    name: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        """Spell it as `parse_axis` reads it."""
        return f"{self.name}={','.join(f'{value:.12g}' for value in self.values)}"


def parse_axis(text: str, kind: str) -> Axis:
    """Read `pool_size=1..20`, `rate=50..1000:20` (so many points) or `hold_ms=5,10,20`.

    Raises InvalidSettings with the rule that is broken.
    """
    name, _, spelt = text.partition("=")
    known = _numeric(name, kind)
    low, dots, high = spelt.partition("..")
    if not dots:
        values = {_parse(known, one) for one in spelt.split(",")}
    else:
        high, _, points = high.partition(":")
        values = set(spread(known, _parse(known, low), _parse(known, high), _count(points, name)))
    if len(values) > POINTS_MAX:
        raise _wrong(name, f"must have at most {POINTS_MAX} values", str(len(values)))
    return Axis(name, tuple(sorted(values)))


def spread(known: Setting, low: float, high: float, points: int = POINTS) -> list[float]:
    """Return up to so many round values from low to high, evenly spaced but for the rounding."""
    if known.kind is int:
        points = min(points, int(high - low) + 1)
    if points < 2 or high <= low:
        return [low]
    gap = (high - low) / (points - 1)
    grain = 1.0 if known.kind is int else 10.0 ** math.floor(math.log10(gap))
    inner = (round((low + gap * number) / grain) * grain for number in range(1, points - 1))
    rounded = (float(f"{value:.9g}") for value in inner)
    return sorted({low, high, *(value for value in rounded if low < value < high)})


def size_axis(scenario: Scenario, points: int = POINTS) -> Axis | None:
    """Return the axis of the pool's size: from 1 to well beyond what is set and needed."""
    name = SIZES.get(scenario.pool.name)
    if name is None:
        return None
    known = all_settings(scenario.pool.name)[name]
    now = float(to_values(scenario)[name])
    needed = 0.0 if scenario.workload.is_closed else scenario.offered_load / scenario.fleet.pools
    high = min(known.high or 1.0, max(points, 2.0 * min(now, 2 * points), math.ceil(2.0 * needed)))
    return Axis(name, tuple(spread(known, max(1.0, known.low or 1.0), high, points)))


def load_axis(scenario: Scenario, points: int = POINTS) -> Axis:
    """Return the axis of the load: arrival rate, or users where they wait for their answer."""
    name = "users" if scenario.workload.is_closed else "rate"
    known = all_settings(scenario.pool.name)[name]
    now = float(to_values(scenario)[name]) or float(known.default)
    low = max(known.low or 0.0, now / 10.0)
    return Axis(name, tuple(spread(known, low, min(2.0 * now, known.high or math.inf), points)))


def hold_axis(scenario: Scenario, points: int = POINTS) -> Axis:
    """Return the axis of the hold, for pools without a size."""
    known = all_settings(scenario.pool.name)["hold_ms"]
    now = float(to_values(scenario)["hold_ms"])
    return Axis("hold_ms", tuple(spread(known, max(known.low or 0.0, now / 10), 2 * now, points)))


def default_axes(scenario: Scenario, points: int = POINTS) -> tuple[Axis, Axis]:
    """Return pool size and load, or hold and load for a pool without a size."""
    return size_axis(scenario, points) or hold_axis(scenario, points), load_axis(scenario, points)


def _numeric(name: str, kind: str) -> Setting:
    known = all_settings(kind).get(name)
    if known is None:
        raise _wrong(name[:60] or "axis", f"is not a parameter of kind {kind}", repr(name[:60]))
    if known.kind not in (int, float):
        raise _wrong(name, "must be a number to be varied", known.kind.__name__)
    return known


def _parse(known: Setting, text: str) -> float:
    try:
        return float(known.parse(text))
    except ValueError as broken:
        raise _wrong(known.query, str(broken), repr(text[:60])) from None


def _count(text: str, name: str) -> int:
    if not text:
        return POINTS
    if not text.isdigit() or not 2 <= int(text) <= POINTS_MAX:
        raise _wrong(name, f"must have 2 to {POINTS_MAX} points after the colon", repr(text[:60]))
    return int(text)


def _wrong(field: str, rule: str, got: str) -> InvalidSettings:
    return InvalidSettings([Mistake(field, rule, got)])
