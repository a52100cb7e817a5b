"""How far the simulation is from what it stands for: docs/accuracy.md, one press away."""

import re
from functools import cache
from pathlib import Path

import streamlit as st

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
# Other pages of the documentation are files of a checkout, which a browser cannot follow.
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")


@cache
def text() -> str:
    """Return the page without its title and without links to other files."""
    _, _, body = PAGE.read_text(encoding="utf-8").partition("\n")
    return _LINK.sub(r"\1", body)


def accuracy() -> None:
    """Offer the page."""
    if st.button("Accuracy", key="accuracy", help="How far these numbers are from the truth."):
        _show()


@st.dialog("How accurate is this?", width="large")
def _show() -> None:
    st.markdown(text())
