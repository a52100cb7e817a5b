"""The checklist: ticked where scenario, live check or pasted code shows it; the rest asked."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from pools.review import Item, as_markdown
from pools.review import checklist as checked
from pools.review.checklist import State
from sim.result import SimulationResult
from sim.scenario import Scenario
from ui.copying import copy_button
from ui.panels.live import finished
from ui.panels.review import reviewed
from ui.words import plain

OWN_WORD = "said on the page"


def checklist(scenario: Scenario, result: SimulationResult) -> None:
    """Show the panel: closed until asked for."""
    st.fragment(_panel, key="checklist-panel")(scenario, result)


def _panel(scenario: Scenario, result: SimulationResult) -> None:
    place = st.expander("Checklist before production", key="checklist", on_change="rerun")
    if not place.open:
        return
    with place:
        items = checked(scenario, reviewed(), finished(scenario), result)
        answered = _shown(items)
        done = sum(item.state is State.TICKED for item in answered)
        text = as_markdown(answered)
        st.markdown(f"**{done} of {len(answered)} done**")
        with st.container(horizontal=True, gap="small"):
            copy_button(text, label="Copy as Markdown", key="copy-checklist")
            st.download_button("Download", text, "checklist.md", "text/markdown", on_click="ignore")


def _shown(items: Sequence[Item]) -> list[Item]:
    """Draw every item; return them with what the reader has ticked."""
    answered: list[Item] = []
    group = ""
    for item in items:
        if item.group != group:
            group = item.group
            st.markdown(f"**{plain(group)}**")
        answered.append(_item(item))
    return answered


def _item(item: Item) -> Item:
    if item.state is State.ASKED:
        key = "check-" + "".join(c if c.isalnum() else "-" for c in item.text.lower())
        if st.checkbox(
            plain(item.text), key=key, help=plain(item.evidence), persist_state="session"
        ):
            return replace(item, state=State.TICKED, evidence=OWN_WORD)
        return item
    sign = ":green[✓]" if item.state is State.TICKED else ":red[✗]"
    st.markdown(f"{sign} {plain(item.text)}: {plain(item.evidence)}")
    return item
