"""What the wait hangs on: every setting moved a step both ways, the strongest first."""

import streamlit as st

from pools.trace import Trace
from sim.kernel.ready import trace_of
from sim.query import to_query
from sim.scenario import Scenario
from sim.sensitivity import Sensitivity, moves, ranked_of, sensitivities
from ui import state
from ui.words import NOTHING, count, duration, number

_KEPT = "_sensitivity"
INVITATION = (
    "Moves each setting a tenth down and up under the same arrivals and holds, and ranks what"
    " that does to the wait. Elasticity 2: 1 % more of the setting is 2 % more wait."
)


def sensitivity(scenario: Scenario) -> None:
    """Offer the ranking, and show the one that was made."""
    place = st.expander("What the wait hangs on", key="sensitivity", on_change="rerun")
    if place.open:
        with place:
            st.fragment(_panel, key="sensitivity-panel")(scenario)


def _panel(scenario: Scenario) -> None:
    st.caption(INVITATION)
    if st.button("Rank the settings", key="sensitivity-run"):
        state.remember(_KEPT, (to_query(scenario), _ranked(scenario)))
    kept: tuple[str, list[Sensitivity]] | None = state.recall(_KEPT)
    if kept is not None:
        query, found = kept
        if query != to_query(scenario):
            st.warning("Settings have changed since. This ranking is of those it was made for.")
        _show(found)


def _ranked(scenario: Scenario) -> list[Sensitivity]:
    """Try each setting, watched; a click anywhere ends it, as Cancel does."""
    total = sum(1 for _ in moves(scenario))
    place = st.empty()
    with place.container():
        bar = st.progress(0.0, text="")
        st.button("Cancel", key="sensitivity-cancel")
    found = []
    for one in sensitivities(scenario, state.still_wanted, _play):
        found.append(one)
        bar.progress(len(found) / total, text=f"{len(found)} of {count(total, 'setting')}")
    place.empty()
    return ranked_of(found)


def _play(scenario: Scenario, replication: int) -> Trace:
    return trace_of(scenario, replication, state.still_wanted)


def _show(found: list[Sensitivity]) -> None:
    if not found:
        st.info("No setting moves the wait by more than chance does.")
        return
    st.markdown(f"**The strongest lever: {found[0].sentence}**")
    st.table(
        {
            "setting": [one.query for one in found],
            "tried": [f"{number(one.low)} to {number(one.high)} {one.unit}" for one in found],
            "wait": [one.of.removeprefix("wait_s_") for one in found],
            "changes": [f"{duration(one.low_s)} to {duration(one.high_s)}" for one in found],
            "elasticity": [_elasticity(one) for one in found],
        }
    )


def _elasticity(one: Sensitivity) -> str:
    known = one.elasticity
    if known.value is None or known.low is None or known.high is None:
        return NOTHING
    return f"{known.value:.2g} ({known.low:.2g} to {known.high:.2g})"
