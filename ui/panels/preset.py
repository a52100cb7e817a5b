"""The presets: one selectbox that replaces all settings at once."""

import streamlit as st

from sim.presets import PRESETS
from sim.scenario import Scenario
from ui import controls, state


def preset(scenario: Scenario | None) -> None:
    """Offer the presets, and say of the one in force when to use it and where it is from."""
    names = [one.name for one in PRESETS]
    own = state.mark_preset(scenario)
    chosen = st.selectbox(
        "Preset",
        [own, *names] if own else names,
        key=state.PRESET,
        on_change=state.apply_preset,
        args=(controls.spelt,),
        help="Scenarios to start from. Choosing one replaces all settings.",
    )
    for one in PRESETS:
        if one.name == chosen:
            st.caption(f"{one.when}  \nSource: {one.source}.")
