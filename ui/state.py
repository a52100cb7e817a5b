"""The address is the scenario: between the link, the widgets and the Scenario.

The only module that touches session state and query parameters. Widgets are bound to the
address by Streamlit; this module says which of them apply, repairs what binding alone cannot
(a spelling it does not read, users without a pattern), and tells what a link had wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pools.kinds import KINDS
from pools.setting import InvalidSettings, Setting, Value, settings_of
from sim.demand import CLOSED, FITTED
from sim.presets import PRESETS, Preset
from sim.query import KIND, all_settings, from_values, parse, to_query, to_values
from sim.scenario import Goal, Scenario

_ARRIVED = "_arrived"
_IGNORED = "_ignored"
PRESET = "preset"
PIN = "pin"
_SHOWN_TEXT_MAX = 60
_IGNORED_MAX = 8


@dataclass(frozen=True, slots=True)
class Applies:
    """When a setting has any effect: said in words, and tested on the values chosen."""

    when: str
    test: Callable[[str, Mapping[str, Value]], bool]


def _database(kind: str, _values: Mapping[str, Value]) -> bool:
    return KINDS[kind].serves == "database"


def _pattern(*names: str) -> Applies:
    def test(_kind: str, values: Mapping[str, Value]) -> bool:
        return values.get("pattern", "steady") in names

    return Applies(f"pattern is {' or '.join(names)}", test)


def _hold(when: str, test: Callable[[str, str], bool]) -> Applies:
    """Apply by the distribution of the hold and by what of it is given."""

    def both(_kind: str, values: Mapping[str, Value]) -> bool:
        name = str(values.get("hold_distribution", "auto"))
        return test(
            name, "values" if name == "empirical" else str(values.get("hold_given", "mean"))
        )

    return Applies(when, both)


def _positive(*names: str) -> Applies:
    """Apply where one of these settings is above 0."""

    def test(_kind: str, values: Mapping[str, Value]) -> bool:
        return any(float(values.get(name, 0.0)) > 0.0 for name in names)

    return Applies(f"{' or '.join(names)} is above 0", test)


def _classed(_kind: str, values: Mapping[str, Value]) -> bool:
    return bool(values.get("classes"))


def _mean_hold(kind: str, values: Mapping[str, Value]) -> bool:
    return _BY_MEAN.test(kind, values) and not _classed(kind, values)


_BY_MEAN = _hold("the hold is given by its mean", lambda _, given: given == "mean")
_DATABASE = Applies("the pool is a database's", _database)
_HTTP = Applies("the pool is an HTTP client's", lambda kind, values: not _database(kind, values))
_OPEN = Applies(
    "users do not wait for their answer",
    lambda _kind, values: values.get("pattern", "steady") not in CLOSED,
)
_KEEPS = Applies("the pool keeps connections", lambda kind, _values: kind != "sqlalchemy-null")
APPLIES: Mapping[str, Applies] = {
    "rate": _pattern("steady", "bursty", "spike", "ramp", "day"),
    "ramp_rate": _pattern("ramp"),
    "day_peak": _pattern("day"),
    "burst_factor": _pattern("bursty"),
    "burst_s": _pattern("bursty"),
    "burst_share": _pattern("bursty"),
    "users": _pattern("closed", "looping"),
    "think_ms": _pattern("closed"),
    "spike_at_s": _pattern("spike"),
    "spike_requests": _pattern("spike"),
    "recording": _pattern("recorded"),
    "hold_ms": Applies("the hold is given by its mean, and not by classes", _mean_hold),
    "await_ms": Applies("there are no classes", lambda kind, values: not _classed(kind, values)),
    "abandoned": _positive("client_timeout_ms", "cancel_share"),
    "retry_backoff_ms": _positive("retries"),
    "retry_backoff_max_ms": _positive("retries"),
    "retry_jitter": _positive("retries"),
    "retry_budget": _positive("retries"),
    "cancel_after_ms": _positive("cancel_share"),
    "hold_cv": _hold(
        "the hold is given by its mean and its distribution leaves the spread open",
        lambda name, given: given == "mean" and name not in ("constant", "exponential"),
    ),
    "hold_given": _hold(
        "hold_distribution is auto, lognormal or pareto",
        lambda name, given: name in FITTED or given == "percentiles",
    ),
    "hold_p50_ms": _hold("hold_given is percentiles", lambda _, given: given == "percentiles"),
    "hold_p99_ms": _hold("hold_given is percentiles", lambda _, given: given == "percentiles"),
    "hold_max_ms": _hold("hold_distribution is pareto", lambda name, _: name == "pareto"),
    "hold_values": _hold("hold_distribution is empirical", lambda name, _: name == "empirical"),
    "hosts": _HTTP,
    "max_connections": _DATABASE,
    "reserved": _DATABASE,
    "other_connections": _DATABASE,
    "warm_connections": _KEEPS,
    "goal_burst": _OPEN,
    "goal_budget": _DATABASE,
}


def applies(name: str, kind: str, values: Mapping[str, Value]) -> bool:
    """Whether a setting has any effect with this kind and these values."""
    return name not in APPLIES or APPLIES[name].test(kind, values)


def arrive() -> None:
    """Read the address when a session begins: before any widget, once.

    Widgets read the address themselves, but know one spelling each. What they would not read
    and `sim.query` does (`pool_pre_ping=1`, `rate=200.0`, users without a pattern) is set here.
    """
    if _ARRIVED in st.session_state:
        return
    st.session_state[_ARRIVED] = True
    given = dict(st.query_params)
    pinned_as = given.pop(PIN, None)
    values, ignored = read(given)
    if pinned_as is not None:
        ignored += _wrong_with_pin(pinned_as)
    st.session_state[_IGNORED] = ignored
    for name, value in values.items():
        st.session_state[name] = value


def read(given: Mapping[str, str]) -> tuple[dict[str, Value], list[str]]:
    """Return the values a link gives, and a sentence for each parameter that it gets wrong."""
    values: dict[str, Value] = {}
    ignored: list[str] = []
    kind = str(_take(KIND, given, values, ignored))
    known = all_settings(kind)
    for name in given:
        if name not in known:
            ignored.append(_unknown(name, kind))
        elif name != KIND.query:
            _take(known[name], given, values, ignored)
    if "pattern" not in given and {"users", "think_ms"} & set(values):
        values["pattern"] = "closed"
    return values, [*ignored, *_without_effect(kind, values)]


def _take(
    known: Setting, given: Mapping[str, str], values: dict[str, Value], ignored: list[str]
) -> Value:
    """Read one parameter into `values`, or say in `ignored` why not; return what holds."""
    name = known.query
    if name in given:
        try:
            values[name] = known.parse(given[name])
        except ValueError as broken:
            ignored.append(f"{name} {broken}, got {given[name][:_SHOWN_TEXT_MAX]!r}.")
    return values.get(name, known.default)


def _unknown(name: str, kind: str) -> str:
    shown = name[:_SHOWN_TEXT_MAX]
    owners = [other for other in KINDS if name in all_settings(other)]
    if owners:
        return f"{shown} is a parameter of kind {' and '.join(owners)}, not of {kind}."
    return f"{shown!r} is not a parameter."


def _without_effect(kind: str, values: Mapping[str, Value]) -> Iterator[str]:
    for name in values:
        if not applies(name, kind, values):
            yield f"{name} has an effect only if {APPLIES[name].when}."


def ignored() -> tuple[str, ...]:
    """Return what the link had wrong, one sentence each, until it is dismissed."""
    found: list[str] = st.session_state.get(_IGNORED, [])
    more = len(found) - _IGNORED_MAX
    return (*found[:_IGNORED_MAX], *([f"And {more} more."] if more > 0 else []))


def _wrong_with_pin(text: str) -> list[str]:
    """Return a sentence about a pin that is no scenario, and take it out of the address."""
    try:
        parse(text)
    except InvalidSettings as wrong:
        del st.query_params[PIN]
        return [f"pin is not a scenario to compare with: {wrong.mistakes[0]}."]
    return []


def pinned() -> Scenario | None:
    """Return the scenario that others are compared with, if there is one."""
    text = st.query_params.get(PIN)
    if text is None:
        return None
    try:
        return parse(text)
    except InvalidSettings:
        return None


def pin(scenario: Scenario) -> None:
    """Keep a scenario in the address to compare others with: a callback."""
    st.query_params[PIN] = pin_of(scenario)


def pin_of(scenario: Scenario) -> str:
    """Return how a pinned scenario is written; never empty, and without a goal."""
    return to_query(scenario.without_goal) or f"{KIND.query}={scenario.pool.name}"


def unpin() -> None:
    """Compare no longer: a callback."""
    if PIN in st.query_params:
        del st.query_params[PIN]


def swap(pinned_one: Scenario, chosen: Scenario, spelt: Callable[[Setting, Value], str]) -> None:
    """Let the two scenarios change places: a callback. The goal stays."""
    apply(replace(pinned_one, goal=chosen.goal), spelt, pinned_as=pin_of(chosen))


def dismiss() -> None:
    """Forget what the link had wrong."""
    st.session_state[_IGNORED] = []


def candidates(known: Setting) -> tuple[Value, ...]:
    """Return values a widget must be able to hold: the one it has, and the address's."""
    found = []
    if known.query in st.session_state:
        found.append(st.session_state[known.query])
    with suppress(KeyError, ValueError):
        found.append(known.parse(st.query_params[known.query]))
    return tuple(value for value in found if known.problem(value) is None)


def held(names: Iterable[str]) -> dict[str, Value]:
    """Return the values that widgets of these names have, drawn yet or not."""
    return {name: st.session_state[name] for name in names if name in st.session_state}


def addressed() -> frozenset[str]:
    """Return the names of what the address sets."""
    return frozenset(st.query_params)


def scenario_or_mistakes(kind: str, values: Mapping[str, Value]) -> Scenario | InvalidSettings:
    """Build the scenario that the widgets describe, or return what does not fit together."""
    try:
        return from_values(kind, values)
    except InvalidSettings as mistakes:
        return mistakes


def remember(name: str, value: object) -> None:
    """Keep something for this session; a secret only as a Secret, which does not print."""
    st.session_state[name] = value


def recall(name: str) -> Any:  # noqa: ANN401  what was remembered
    """Return what this session remembers under a name, or None."""
    return st.session_state.get(name)


def session_id() -> str:
    """Return a name for this session, unknown to others."""
    context = get_script_run_ctx()
    return "" if context is None else context.session_id


def still_wanted() -> None:
    """Stop a run whose page has moved on: Streamlit raises at any look at session state."""
    st.session_state.get(_ARRIVED)


def has_goal() -> bool:
    """Whether something is wanted of the pool."""
    return _goal().is_asked


def _goal() -> Goal:
    """Return the goal that the widgets, or the link, describe."""
    known = settings_of(Goal)
    fields: dict[str, Any] = {}
    for name, made in known.items():
        value = st.session_state.get(made.query)
        if value is not None and made.problem(value) is None:
            fields[name] = made.to_field(value)
    return Goal(**fields)


def preset_of(scenario: Scenario | None) -> Preset | None:
    """Return the preset that a scenario is, whatever is wanted of it."""
    return None if scenario is None else _presets().get(to_query(scenario.without_goal))


@cache
def _presets() -> Mapping[str, Preset]:
    """Name each preset by its shortest query, which is how a scenario is recognised."""
    return {to_query(parse(preset.query)): preset for preset in PRESETS}


def apply_preset(spelt: Callable[[Setting, Value], str]) -> None:
    """Write the preset chosen into every widget and the address: a callback. The goal stays.

    `spelt` says how a setting's widget writes a value into the address.
    """
    chosen = st.session_state.get(PRESET)
    for preset in PRESETS:
        if preset.name == chosen:
            apply(replace(parse(preset.query), goal=_goal()), spelt)


def apply(
    scenario: Scenario, spelt: Callable[[Setting, Value], str], pinned_as: str | None = None
) -> None:
    """Write a scenario into every widget and the address, as one step back in history.

    The pinned scenario stays, or becomes `pinned_as`.
    """
    values = to_values(scenario)
    known = all_settings(str(values[KIND.query]))
    for name, value in values.items():
        st.session_state[name] = value
    changed = {name: value for name, value in values.items() if value != known[name].default}
    kept = pinned_as or st.query_params.get(PIN)
    address = {name: spelt(known[name], value) for name, value in changed.items()}
    _write_address(address if kept is None else address | {PIN: kept})
    dismiss()


def _write_address(changed: Mapping[str, str]) -> None:
    """Replace the whole query in one message to the browser, so that one step back undoes it.

    Streamlit would send one message, and the browser make one history entry, for each widget
    whose value a callback changed. Streamlit 1.67.0, runtime/state/query_params.py.
    """
    context = get_script_run_ctx()
    if context is None:
        return
    with context.session_state.query_params() as params:
        params.clear_with_no_forward_msg(preserve_embed=True)
        for name, text in changed.items():
            params.set_with_no_forward_msg(name, text)
        params.set_initial_query_params(urlencode(changed))
        params.set_with_no_forward_msg(PRESET, "")
        params.remove_param(PRESET)  # sends the message
