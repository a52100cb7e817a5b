"""The code: the settings as a file to paste, always on the page, one click from the clipboard."""

from functools import partial

import streamlit as st

from pools.codegen import generate, project, targets
from sim.scenario import Scenario
from ui.copying import copy_button

HEIGHT = 348


def code(scenario: Scenario) -> None:
    """Show the code of the target chosen, with Copy and Download."""
    st.header("Code", anchor=False)
    known = {target.title: target for target in targets(scenario.pool.name)}
    chosen = st.selectbox(
        "Code for", list(known), key="target", persist_state="session", label_visibility="collapsed"
    )
    made = generate(scenario, known[chosen].name)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        copy_button(made.text, label="Copy code", key="copy-code")
        st.download_button(
            "Download",
            lambda: made.text,  # made when asked for: a file made for each run is soon gone
            file_name=made.filename,
            mime="text/x-python",
            on_click="ignore",
            help=f"{made.filename}. Needs: {', '.join(made.requires)}",
        )
        if known[chosen].smoke:
            st.download_button(
                "Project",
                partial(project, scenario, known[chosen].name),
                file_name=f"{known[chosen].name}-project.zip",
                mime="application/zip",
                on_click="ignore",
                help="A zip to run: the code, its requirements, a README and a smoke test",
            )
    with st.container(key="code"):
        st.code(made.text, language="python", height=HEIGHT, wrap_lines=True)
