"""A Scenario as an address: the page's query string is also the command line's argument."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from pools.kinds import KINDS, Pool
from pools.setting import InvalidSettings, Mistake, Setting, Settings, Value, settings_of
from sim.scenario import PARTS, Scenario

QUERY_CHARS_MAX = 8_000
CLOSED_ALONE = {"users", "think_ms"}
KIND = Setting(
    query="kind",
    default="sqlalchemy",
    meaning="Which library's pool: "
    + ", ".join(f"{k} ({v.title})" for k, v in KINDS.items())
    + ".",
    source="Poolwise's choice",
    choices=tuple(KINDS),
)
Made = TypeVar("Made", bound=Settings)


def all_settings(kind: str) -> dict[str, Setting]:
    """Return every Setting of a scenario of that kind by its query name, kind first."""
    classes = (KINDS[kind], *PARTS.values(), Scenario)
    found = {KIND.query: KIND}
    for cls in classes:
        found |= {made.query: made for made in settings_of(cls).values()}
    return found


def parse(query: str) -> Scenario:
    """Read a scenario from a query string.

    `users` or `think_ms` without `pattern` mean pattern=closed. Raises InvalidSettings with
    one mistake for each parameter that is unknown, given twice, misspelt or out of bounds.
    """
    if len(query) > QUERY_CHARS_MAX:
        rule = f"must be at most {QUERY_CHARS_MAX} characters"
        raise InvalidSettings([Mistake("query", rule, f"{len(query)}")])
    pairs = parse_qsl(query.lstrip("?"), keep_blank_values=True)
    return from_pairs(pairs)


def from_pairs(pairs: list[tuple[str, str]]) -> Scenario:
    """Build a scenario from name and text pairs. Raises InvalidSettings like `parse`."""
    given = dict(pairs)
    times = Counter(name for name, _ in pairs)
    repeated = sorted(name for name, count in times.items() if count > 1)
    mistakes = [Mistake(_named(name), "must be given once", "several values") for name in repeated]
    kind = given.get(KIND.query, str(KIND.default))
    if kind not in KINDS:
        raise InvalidSettings([*mistakes, Mistake(KIND.query, KIND.bounds, repr(kind[:60]))])
    values, wrong = _read(given, all_settings(kind), kind)
    mistakes += wrong
    if mistakes:
        raise InvalidSettings(mistakes)
    if "pattern" not in values and CLOSED_ALONE & set(values):
        values["pattern"] = "closed"
    return from_values(kind, values)


def from_values(kind: str, values: Mapping[str, Value]) -> Scenario:
    """Build a scenario from values in the units shown, by query name; absent ones default.

    Raises InvalidSettings naming everything that is wrong.
    """
    mistakes: list[Mistake] = []
    parts: dict[str, Any] = {"pool": _collect(KINDS[kind], values, mistakes)}
    for name, cls in PARTS.items():
        parts[name] = _collect(cls, values, mistakes)
    if mistakes:
        raise InvalidSettings(mistakes)
    return Scenario(**parts, **_fields(Scenario, values))


def to_values(scenario: Scenario) -> dict[str, Value]:
    """Return every value of a scenario in the unit shown, by query name, kind first."""
    values: dict[str, Value] = {KIND.query: scenario.pool.name}
    parts = (getattr(scenario, name) for name in PARTS)
    for made in (scenario.pool, *parts, scenario):
        for name, known in settings_of(type(made)).items():
            values[known.query] = known.to_shown(getattr(made, name))
    return values


def to_query(scenario: Scenario) -> str:
    """Return the shortest query that `parse` reads back: canonical order, defaults left out.

    >>> to_query(Scenario())
    ''
    """
    return urlencode([*_changed(scenario)])


def _changed(scenario: Scenario) -> Iterator[tuple[str, str]]:
    known = all_settings(scenario.pool.name)
    values = to_values(scenario)
    changed = {name for name, value in values.items() if value != known[name].default}
    if changed & CLOSED_ALONE:
        changed.add("pattern")  # else `parse` would take the pattern for closed
    for name in values:
        if name in changed:
            yield name, known[name].spell(values[name])


def _named(name: str) -> str:
    """Return a name as given, cut; quoted where it could break a line or a terminal."""
    return name[:60] if name.isidentifier() else repr(name[:60])


def _read(
    given: Mapping[str, str], known: Mapping[str, Setting], kind: str
) -> tuple[dict[str, Value], list[Mistake]]:
    values: dict[str, Value] = {}
    mistakes = []
    for name, text in given.items():
        if name not in known:
            mistakes.append(
                Mistake(_named(name), f"is not a parameter of kind {kind}", repr(text[:60]))
            )
            continue
        try:
            values[name] = known[name].parse(text)
        except ValueError as broken:
            mistakes.append(Mistake(name, str(broken), repr(text[:60])))
    return values, mistakes


def _fields(cls: type[Settings], values: Mapping[str, Value]) -> dict[str, Any]:
    return {
        name: known.to_field(values[known.query])
        for name, known in settings_of(cls).items()
        if known.query in values
    }


def _collect(cls: type[Made], values: Mapping[str, Value], mistakes: list[Mistake]) -> Made | None:
    try:
        return cls(**_fields(cls, values))
    except InvalidSettings as wrong:
        mistakes += wrong.mistakes
        return None


__all__ = [
    "KIND",
    "Pool",
    "all_settings",
    "from_pairs",
    "from_values",
    "parse",
    "to_query",
    "to_values",
]
