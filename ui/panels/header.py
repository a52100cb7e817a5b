"""The top of the page: what this is, what a link had wrong, and the verdict in words."""

import base64
from pathlib import Path

import streamlit as st

from pools.setting import InvalidSettings
from sim.verdict import Verdict
from ui import state

MARK = Path(__file__).parents[1] / "mark.svg"
TAGLINE = "Tune a Python connection pool, see what it does under load, take the code."
ABOUT = """**Poolwise** simulates Python connection pools, checks them live and writes their code.
It runs on this machine and asks nothing of any other."""
_TITLE = """
<style>@media (min-width: 768px) {{ .poolwise-where {{ display: none }} }}</style>
<div style="display:flex;align-items:center;gap:0.75rem">
  <img src="data:image/svg+xml;base64,{mark}" alt="" width="40" height="40">
  <div>
    <h1 style="margin:0;padding:0;font-size:1.6rem;line-height:1.15">Poolwise</h1>
    <p style="margin:0;opacity:0.8">{tagline}</p>
  </div>
</div>
<p class="poolwise-where" style="margin:0.5rem 0 0;opacity:0.8">
  All settings are behind the » at the top left.</p>
"""


def configure() -> None:
    """Say how the browser shows the page; before anything is drawn."""
    st.set_page_config(
        page_title="Poolwise: Python connection pools",
        page_icon=str(MARK),
        layout="wide",
        initial_sidebar_state=340,
        menu_items={"About": ABOUT},
    )


def title() -> None:
    """Show the mark, the name and one line of what it is."""
    mark = base64.b64encode(MARK.read_bytes()).decode()
    st.html(_TITLE.format(mark=mark, tagline=TAGLINE))


def link_notice() -> None:
    """Say what the link had wrong, in one sentence each, until dismissed."""
    sentences = state.ignored()
    if not sentences:
        return
    with st.container(border=True, key="link-notice"):
        st.markdown("**This link has something that does not fit; it was ignored.**")
        st.text("\n".join(sentences))
        st.button("Dismiss", key="dismiss", on_click=state.dismiss, type="tertiary")


def verdict_box(said: Verdict) -> None:
    """Show the verdict."""
    box = {"success": st.success, "warning": st.warning}.get(said.level, st.error)
    box(said.sentence, title=said.title)


def mistakes_box(found: InvalidSettings) -> None:
    """Say which settings do not go together, instead of a result."""
    lines = "\n".join(f"- {mistake}" for mistake in found.mistakes)
    st.error(
        f"{lines}\n\nChange one of them and the result comes back.",
        title="These settings do not fit together",
    )
