"""Own browser components, served as files so that the content policy needs no `blob:`.

Streamlit serves a component's files if an installed distribution declares them. Poolwise runs
from a checkout, so it declares its own here, to the runtime that is there
(docs/decisions/0009-own-components.md). Streamlit 1.67.0.
"""

from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest
from streamlit.components.v2.types import ComponentRenderer

PROJECT = "poolwise"


def component(name: str, package: Path) -> ComponentRenderer:
    """Return what mounts the component whose script is `<package>/assets/<name>.js`.

    The component's elements live in the page itself, not in a shadow root: Plotly's legend and
    clicks do not work there.
    """
    manager = get_bidi_component_manager()
    if manager.get(f"{PROJECT}.{name}") is None:
        manifest = ComponentManifest(PROJECT, "1", [ComponentConfig(name, "assets")])
        manager.register_from_manifest(manifest, package)
    return _renderer(name)


@cache
def _renderer(name: str) -> ComponentRenderer:
    return st.components.v2.component(f"{PROJECT}.{name}", js=f"{name}.js", isolate_styles=False)
