"""Paste yours: the user's own code is read, its settings move the sliders, its mistakes are named.

What is pasted is parsed and never executed. It may hold a password, so it stays in its widget:
only the Reading, which holds none, is remembered, and no cache sees either. While the panel is
closed or empty it costs nothing.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b

import streamlit as st

from pools.review import Finding, Reading, all_rules, costs, patience, read, scenario_of
from pools.setting import InvalidSettings
from sim.query import to_query
from sim.scenario import Scenario
from ui import controls, state
from ui.copying import copy_button
from ui.words import count, plain

_READ = "_review"
_PASTED = "pasted"
FILE_TYPES = ["py", "ipynb", "txt", "cfg", "conf", "ini", "toml", "yaml", "yml", "env", "sh"]
FINDINGS_SHOWN_MAX = 20
EMPTY = (
    "Paste the module that makes your pool, a gunicorn or uvicorn command line, or a DSN with its"
    " parameters. It is parsed here and never executed, and it does not get into the link."
)
NOTHING = "Nothing in it speaks of a connection pool that Poolwise knows."


@dataclass(slots=True)
class Reviewed:
    """What was read from one text. `priced_for` is the query its costs were simulated with."""

    digest: bytes
    reading: Reading
    priced_for: str = ""


def reviewed() -> Reading | None:
    """Return what this session has read last, if it could be read."""
    known: Reviewed | None = state.recall(_READ)
    return known.reading if known is not None and not known.reading.problem else None


def review(scenario: Scenario) -> None:
    """Show the panel: closed until asked for."""
    st.fragment(_panel, key="review-panel")(scenario)


def _panel(scenario: Scenario) -> None:
    place = st.expander(
        "Paste yours: find its settings and mistakes", key="review", on_change="rerun"
    )
    if not place.open:
        return
    with place:
        text, name = _given()
        if not text.strip():
            state.remember(_READ, None)
            st.caption(EMPTY)
            return
        _answer(_read(text, name, scenario), scenario)


def _given() -> tuple[str, str]:
    """Return the text to read and what to call it; a file goes before the box."""
    box, file = st.columns([3, 2])
    with box:
        text = st.text_area(
            "Your code, command line or DSN",
            key=_PASTED,
            height=160,
            persist_state="session",
            placeholder="engine = create_async_engine(URL, pool_size=20, max_overflow=10)",
        )
    with file:
        sent = st.file_uploader("or a file (it goes before the box)", FILE_TYPES, key="review-file")
    if sent is None:
        return text or "", "pasted"
    return sent.getvalue().decode("utf-8", errors="surrogateescape"), sent.name


def _read(text: str, name: str, scenario: Scenario) -> Reviewed:
    """Read a text once, however often the page runs."""
    digest = blake2b(f"{name}\n{text}".encode("utf-8", "surrogateescape")).digest()
    known: Reviewed | None = state.recall(_READ)
    if known is None or known.digest != digest:
        known = Reviewed(
            digest, read(text, name, scenario=scenario, tick=patience(state.still_wanted))
        )
        state.remember(_READ, known)
    return known


def _answer(known: Reviewed, scenario: Scenario) -> None:
    reading = known.reading
    if reading.problem:
        st.warning(plain(reading.problem), title="This cannot be read")
        return
    if not (reading.found or reading.noted or reading.not_understood or reading.findings):
        st.info(NOTHING)
        return
    st.markdown(f"**{plain(reading.summary)}**")
    _settings(reading)
    _apply(reading, scenario)
    _findings(known, scenario)


def _settings(reading: Reading) -> None:
    """Show what was found and where, and ask for the rest."""
    if reading.found:
        rows = [
            {"Setting": name, "Value": str(shown.value), "From": _from(str(shown.place), shown.how)}
            for name, shown in reading.found.items()
        ]
        st.table(rows, border="horizontal")
    if reading.noted:
        noted = ", ".join(f"{name} {value}" for name, value in reading.noted.items())
        st.caption(plain(f"Understood, without a slider: {noted}."))
    for asked in reading.not_understood:
        st.markdown(f"- **Which {plain(asked.name)}?** {plain(f'{asked.place}: {asked.why}.')}")


def _from(place: str, how: str) -> str:
    return f"{place}, {how}" if how else place


def _apply(reading: Reading, scenario: Scenario) -> None:
    """Offer to move the sliders, for each kind of pool that was read."""
    kinds = list(dict.fromkeys(pool.kind for pool in reading.pools))
    chosen = reading.kind
    if len(kinds) > 1:
        chosen = st.segmented_control(
            "Which of its pools", kinds, default=kinds[0], required=True, key="review-kind"
        )
    if not reading.found and not kinds:
        return
    try:
        wanted = scenario_of(reading, scenario, chosen)
    except InvalidSettings as mistakes:
        st.warning(plain(str(mistakes)), title="These settings cannot stand together")
        return
    if to_query(wanted) == to_query(scenario):
        st.caption("The sliders stand at these settings.")
    elif st.button(
        "Move the sliders", key="review-apply", on_click=state.apply, args=(wanted, controls.spelt)
    ):
        st.rerun()


def _findings(known: Reviewed, scenario: Scenario) -> None:
    found = known.reading.findings
    if not found:
        st.success("No known mistake was found in it.")
        return
    st.markdown(f"**{count(len(found), 'finding')}**")
    _price(known, scenario)
    for number, one in enumerate(known.reading.findings[:FINDINGS_SHOWN_MAX]):
        _finding(number, one)
    more = len(found) - FINDINGS_SHOWN_MAX
    if more > 0:
        st.caption(f"And {more} more; `python -m pools.review FILE` lists all.")


def _price(known: Reviewed, scenario: Scenario) -> None:
    """Simulate what the findings cost, when asked to; say for which settings they were priced."""
    query, place = to_query(scenario), st.empty()
    if known.priced_for != query and place.button("What do they cost here?", key="review-costs"):
        with place, st.spinner("Simulating with and without each mistake"):
            priced = costs(known.reading.findings, scenario, tick=state.still_wanted)
        known.reading, known.priced_for = replace(known.reading, findings=priced), query
    if known.priced_for == query:
        place.caption("Costs are simulated with the sliders as they stand.")
    elif known.priced_for:
        st.caption("The costs below are for earlier settings.")


def _finding(number: int, one: Finding) -> None:
    rule = all_rules()[one.rule]
    with st.container(border=True, key=f"finding-{number}"):
        where = str(one.place)
        st.markdown(f"**{where[:1].upper()}{where[1:]}: {plain(rule.title)}.** {plain(one.why)}")
        if one.cost:
            st.markdown(f"**Here:** {plain(one.cost)}")
        if one.is_patch:
            st.code(one.fix, language="diff", wrap_lines=True)
            copy_button(one.fix, label="Copy diff", key=f"copy-fix-{number}")
        else:
            st.markdown(f"**Fix:** {plain(one.fix)}")
        st.caption(f"{rule.level}, {one.rule}", help=plain(rule.explanation))
