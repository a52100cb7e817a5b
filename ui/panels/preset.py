"""The presets: one menu that replaces all settings at once."""

import streamlit as st

from sim.presets import PRESETS
from sim.scenario import Scenario
from ui import controls, state

OWN = "your own settings"


def preset(scenario: Scenario | None) -> None:
    """Offer the presets, and say of the one in force when to use it and where it is from.

    A menu, whose choice happens once. A selectbox that follows the settings would be set by a
    run; a key pressed before the browser has heard of it sends the old choice back, and all
    settings would be replaced by that preset.
    """
    found = state.preset_of(scenario)
    st.menu_button(
        f"Preset: {found.name if found else OWN}",
        [one.name for one in PRESETS],
        key=state.PRESET,
        on_click=state.apply_preset,
        args=(controls.spelt,),
        help="Scenarios to start from. Choosing one replaces all settings.",
        width="stretch",
    )
    if found:
        st.caption(f"{found.when}  \nSource: {found.source}.")
