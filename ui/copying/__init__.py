"""A Copy button that is always to be seen, also on touch, and says aloud that it has copied."""

from pathlib import Path

from ui.mount import component


def copy_button(text: str, *, label: str, key: str) -> None:
    """Show a button that puts `text` on the clipboard, without a run of the page."""
    data = {"text": text, "label": label}
    component("copy", Path(__file__).parent)(key=key, data=data, width="content")
