"""Hypothesis strategies for everything made of Settings; a new Setting is taken up untouched.

Values are drawn in the unit shown, within the Setting's bounds, special values included.
Rules between fields are met by shrinking whichever field a mistake names, so no draw is
thrown away.
"""

import math
from collections.abc import Mapping
from functools import cache

from hypothesis import reject
from hypothesis import strategies as st

from pools.kinds import KINDS, Pool
from pools.setting import InvalidSettings, Setting, Value, settings_of
from sim.query import KIND, all_settings, from_values
from sim.scenario import Scenario

DIGITS = 9
ROUNDS_MAX = 40
SHRINK = 8
HOW_LONG = frozenset(made.query for made in settings_of(Scenario).values()) - {"seed"}


def kinds() -> st.SearchStrategy[str]:
    """Draw the name of a pool kind."""
    return st.sampled_from(sorted(KINDS))


def values(made: Setting) -> st.SearchStrategy[Value]:
    """Draw any value of a Setting, in the unit shown; its edges and its default often."""
    if made.kind is bool:
        return st.booleans()
    if made.choices:
        return st.sampled_from(made.choices)
    if made.form is not None:
        return st.sampled_from(made.form.examples)
    if made.low is None or made.high is None:
        raise AssertionError(f"{made.query} has neither choices nor bounds to draw from")
    edges = [made.kind(made.low), made.kind(made.high)]
    notable = st.sampled_from([made.default, *edges, *made.special])
    return st.one_of(_numbers(made.kind, made.low, made.high), notable)


def pools(kind: str | None = None) -> st.SearchStrategy[Pool]:
    """Draw a valid pool, of any kind if none is given."""
    if kind is None:
        return kinds().flatmap(pools)
    queries = [made.query for made in settings_of(KINDS[kind]).values()]
    drawn = st.fixed_dictionaries({query: _drawers(kind)[query] for query in queries})
    return drawn.map(lambda given: _settle(kind, given, {}).pool)


def scenarios(kind: str | None = None, **fixed: Value) -> st.SearchStrategy[Scenario]:
    """Draw a valid scenario; `fixed` are values in the unit shown, by query name."""
    if kind is None:
        return kinds().flatmap(lambda drawn: scenarios(drawn, **fixed))
    free = {query: made for query, made in _drawers(kind).items() if query not in fixed}
    return st.fixed_dictionaries(free).map(lambda given: _settle(kind, given, fixed))


@cache
def _drawers(kind: str) -> Mapping[str, st.SearchStrategy[Value]]:
    """Return what draws each value of a scenario of that kind, by query name."""
    known = all_settings(kind)
    return {query: values(made) for query, made in known.items() if query != KIND.query}


def _numbers(kind: type[Value], low: float, high: float) -> st.SearchStrategy[Value]:
    if kind is int:
        return st.integers(math.ceil(low), math.floor(high))
    return st.floats(low, high, allow_subnormal=False).map(_round)


def _round(number: float) -> float:
    """Keep no more digits than an address keeps."""
    return float(f"{number:.{DIGITS}g}")


def _settle(kind: str, drawn: Mapping[str, Value], fixed: Mapping[str, Value]) -> Scenario:
    """Make the drawn values a scenario, shrinking those that break a rule between fields."""
    known = all_settings(kind)
    now = dict(drawn)
    for _ in range(ROUNDS_MAX):
        try:
            return from_values(kind, now | fixed)
        except InvalidSettings as wrong:
            mistaken = {mistake.field for mistake in wrong.mistakes}
            # Rules between fields mostly bound the work, so the run gets shorter as well.
            for name in (mistaken | HOW_LONG) & set(now):
                ends = (known[name].low, *known[name].special, *known[name].choices)
                at_end = name in mistaken and now[name] in ends
                now[name] = known[name].default if at_end else _smaller(known[name], now[name])
    return reject()


def _smaller(made: Setting, value: Value) -> Value:
    """Return a value nearer to the low end."""
    if isinstance(value, bool | str) or made.low is None:
        return value
    nearer = made.low + (value - made.low) / SHRINK
    return math.floor(nearer) if made.kind is int else _round(nearer)
