"""A Setting becomes a widget: label, help, bounds and default all come from the Setting.

Each widget's key is the setting's query name and it is bound to the address, so the address is
the scenario. Values that people explore get a slider with fine steps where values are small
and coarse ones where they are large; the rest are compact boxes. What is folded away is drawn
only when somebody looks or it is set: each control costs every press on any other a millisecond.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import streamlit as st

from pools.kinds import KINDS
from pools.setting import Setting, Value, settings_of
from sim.query import KIND, QUERY_CHARS_MAX, all_settings
from sim.scenario import PARTS, Goal, Scenario, Workload
from ui import state

EXPLORED = ("pool_size", "max_overflow", "max_size", "min_size", "limit", "limit_per_host")
EXPLORED_LOAD = ("rate", "users", "hold_ms")
# How a hold is spread, and what else is rarely said of the load: folded away.
DETAILS = frozenset(
    {
        "hold_distribution",
        "hold_given",
        "hold_p50_ms",
        "hold_p99_ms",
        "hold_max_ms",
        "hold_values",
        "await_ms",
        "classes",
        "hosts",
    }
)
_SHORT, _SHORT_INSIDE = 16, 13
_FINE_STEPS = 20
_SEGMENTS_MAX = 4
_FINE = (1.0, 1.2, 1.5, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0)
_COARSE = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Choices:
    """What is chosen, as far as it is drawn, and what is held for the controls that follow.

    `values` are in the units shown, by query name; what is not in it has its default. `addressed`
    are the names in the address, which a step back or forward changes before any control.
    """

    known: Mapping[str, Setting]
    values: dict[str, Value]
    held: Mapping[str, Value]
    addressed: frozenset[str]

    @property
    def kind(self) -> str:
        """The pool kind."""
        return str(self.values[KIND.query])

    def applying(self, names: Iterable[str]) -> list[str]:
        """Return those of the settings that have an effect, given all the others."""
        values = {**self.held, **self.values}
        return [name for name in names if state.applies(name, self.kind, values)]

    def has_set(self, names: Iterable[str]) -> bool:
        """Whether one of these settings differs from its default, here or in the address."""
        return any(
            name in self.addressed
            or self.held.get(name, self.known[name].default) != self.known[name].default
            for name in names
        )


def kind_control() -> Choices:
    """Let the user choose the pool kind, with which all other choices begin."""
    chosen = st.pills(
        KIND.query,
        KIND.choices,
        default=str(KIND.default),
        required=True,
        key=KIND.query,
        bind="query-params",
        help=KIND.meaning,
    )
    known = all_settings(str(chosen))
    return Choices(known, {KIND.query: str(chosen)}, state.held(known), state.addressed())


def pool_controls(chosen: Choices) -> None:
    """Draw the pool's own settings: sliders first, then boxes."""
    pool = KINDS[chosen.kind]
    names = names_of(pool)
    if not names:
        st.caption(f"{pool.title}: nothing to set. Every checkout opens a connection.")
    _draw([name for name in names if name in EXPLORED], chosen)
    _boxes([name for name in names if name not in EXPLORED], chosen)


def load_controls(chosen: Choices) -> None:
    """Draw the workload: its pattern first, because it decides what else applies."""
    names = names_of(Workload)
    _draw(["pattern"], chosen)
    _draw([name for name in names if name in EXPLORED_LOAD], chosen)
    drawn = {"pattern", *EXPLORED_LOAD, *DETAILS}
    _boxes([name for name in names if name not in drawn], chosen)
    _folded("Load in detail", [name for name in names if name in DETAILS], chosen)


def other_controls(chosen: Choices) -> None:
    """Draw what is set rarely: all other parts and the run itself, folded away."""
    rare = {name: part for name, part in PARTS.items() if part not in (Workload, Goal)}
    for name, owner in (rare | {"run": Scenario}).items():
        _folded(name.capitalize(), names_of(owner), chosen)


def goal_controls(chosen: Choices) -> None:
    """Draw what is wanted of the pool: limits first, then what must be survived."""
    names = chosen.applying(names_of(Goal))
    limits = [name for name in names if chosen.known[name].kind is not bool]
    with st.grid(5, min_column_width=130, gap=("xsmall", "small")):
        chosen.values.update((name, _number(chosen.known[name])) for name in limits)
    with st.container(horizontal=True):
        events = [name for name in names if name not in limits]
        chosen.values.update((name, _choice(chosen.known[name])) for name in events)


def names_of(owner: type) -> list[str]:
    """Return the query names of a part's settings."""
    return [made.query for made in settings_of(owner).values()]


def help_text(known: Setting) -> str:
    """Say what a setting means: meaning, special values, unit, bounds, default, source."""
    special = [f"{known.spell(value)}: {means}" for value, means in known.special.items()]
    default = f"Default {known.spell(known.default)} ({known.source})."
    unit = f"In {known.unit}." if known.unit else ""
    bounds = known.bounds.replace("must be ", "").capitalize() + "."
    parts = [known.meaning, *(f"{one}." for one in special), unit, bounds, default]
    return " ".join(part for part in parts if part)


def spelt(known: Setting, value: Value) -> str:
    """Write a value as its widget writes it into the address (Streamlit 1.67.0)."""
    is_box = known.query not in (*EXPLORED, *EXPLORED_LOAD)
    return str(value) if known.kind is float and is_box else known.spell(value)


def ladder(known: Setting, extra: tuple[Value, ...] = ()) -> list[Value]:
    """Return a slider's stops from low to high: every step while small, then ever coarser.

    `extra` are values that must be among them, such as the one in the address.
    """
    low, high, step = known.low or 0.0, known.high or 0.0, known.step or 1.0
    numbers = {low, high, *(index * step for index in range(_FINE_STEPS + 1))}
    decade = low if 0.0 < low < step else step
    while decade <= high:
        factors = _COARSE if decade < step else _FINE
        numbers |= {factor * decade for factor in factors}
        decade *= 10.0
    stops = {_clean(known, number) for number in numbers} | {known.default, *known.special, *extra}
    return sorted((stop for stop in stops if known.problem(stop) is None), key=float)


def _clean(known: Setting, value: float) -> Value:
    return round(value) if known.kind is int else float(f"{value:.6g}")


def _folded(title: str, names: list[str], chosen: Choices) -> None:
    """Draw settings in an expander, if it is open or one of them is set."""
    place = st.expander(title, key=f"{title.lower().replace(' ', '-')}-folded", on_change="rerun")
    if place.open or chosen.has_set(names):
        with place:
            _boxes(names, chosen, short=_SHORT_INSIDE)


def _boxes(names: list[str], chosen: Choices, short: int = _SHORT) -> None:
    """Draw boxes in two columns, then those whose name is longer than `short`, then choices."""
    known = chosen.known
    shown = chosen.applying(names)
    numbers = [name for name in shown if known[name].kind in (int, float)]
    narrow = [name for name in numbers if len(name) <= short]
    if narrow:
        with st.grid(2, min_column_width=100, gap=("xsmall", "small")):
            chosen.values.update((name, _number(known[name])) for name in narrow)
    for name in shown:
        if name not in numbers:
            chosen.values[name] = _choice(known[name])
        elif name not in narrow:
            chosen.values[name] = _number(known[name])


def _draw(names: list[str], chosen: Choices) -> None:
    for name in chosen.applying(names):
        one = chosen.known[name]
        chosen.values[name] = _slider(one) if one.kind in (int, float) else _choice(one)


def _slider(known: Setting) -> Value:
    stops = ladder(known, state.candidates(known))
    return st.select_slider(
        _label(known),
        stops,
        value=known.default,
        format_func=known.spell,
        key=known.query,
        bind="query-params",
        help=help_text(known),
    )


def _number(known: Setting) -> Value:
    integer = known.kind is int
    return st.number_input(
        _label(known),
        min_value=_of_kind(known, known.low),
        max_value=_of_kind(known, known.high),
        value=_of_kind(known, known.default),
        step=_of_kind(known, known.step),
        format="%d" if integer else "%g",
        key=known.query,
        bind="query-params",
        help=help_text(known),
    )


def _of_kind(known: Setting, value: object) -> int | float:
    number = float(str(value))
    return int(number) if known.kind is int else number


def _choice(known: Setting) -> Value:
    if known.kind is bool:
        return st.toggle(
            _label(known),
            value=bool(known.default),
            key=known.query,
            bind="query-params",
            help=help_text(known),
        )
    if known.form is not None:
        return _text(known)
    many = len(known.choices) > _SEGMENTS_MAX
    if many and known.query != "pattern":
        return _menu(known)
    draw = st.pills if many else st.segmented_control
    chosen = draw(
        _label(known),
        known.choices,
        default=str(known.default),
        required=True,
        key=known.query,
        bind="query-params",
        help=help_text(known),
        width="stretch",
    )
    return str(chosen)


def _menu(known: Setting) -> Value:
    return st.selectbox(
        _label(known),
        known.choices,
        index=known.choices.index(str(known.default)),
        key=known.query,
        bind="query-params",
        help=help_text(known),
    )


def _text(known: Setting) -> Value:
    written = st.text_input(
        _label(known),
        value=str(known.default),
        max_chars=QUERY_CHARS_MAX // 4,
        key=known.query,
        bind="query-params",
        help=help_text(known),
        placeholder=known.form.examples[-1] if known.form else None,
    )
    return str(written or "").strip()


def _label(known: Setting) -> str:
    return known.query
