"""Taking the scenario elsewhere: its link, and the command that prints the same numbers."""

from urllib.parse import urlencode, urlsplit

import streamlit as st

from sim.query import to_query
from sim.scenario import Scenario
from ui import state
from ui.copying import copy_button


def share(scenario: Scenario) -> None:
    """Offer the link of this scenario and its command line."""
    query = to_query(scenario)
    with st.popover("Share", width="content"):
        _offer(_title(), link(_with_pin(query)), "copy-link")
        _offer(
            "The same simulation in a terminal", f'python -m sim "{query}" --json', "copy-command"
        )
        st.caption("The link holds every setting that is not a default, and nothing else.")


def _title() -> str:
    return "Link to A and B" if state.pinned() else "Link to these settings"


def _with_pin(query: str) -> str:
    """Add the pinned scenario, if there is one."""
    pinned = state.pinned()
    if pinned is None:
        return query
    pin = urlencode({state.PIN: state.pin_of(pinned)})
    return f"{query}&{pin}" if query else pin


def link(query: str) -> str:
    """Return the address of the page with that query."""
    here = urlsplit(str(st.context.url or ""))
    return here._replace(path=here.path or "/", query=query, fragment="").geturl()


def _offer(title: str, text: str, key: str) -> None:
    st.markdown(f"**{title}**")
    st.code(text, language=None, wrap_lines=True)
    copy_button(text, label="Copy", key=key)
