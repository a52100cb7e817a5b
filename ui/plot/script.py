"""Plotly's script as the plotly package ships it, under a name that changes with its content.

Nothing here imports plotly or streamlit: the application serves the file before either is needed.
Source: plotly 7.1.0, package_data/plotly.min.js (plotly.js 4.1.1).
"""

import gzip
import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Script:
    """A script to serve: its address, and its content already compressed."""

    path: str
    gzipped: bytes


@cache
def plotly_script() -> Script:
    """Read and compress Plotly's script, once. Raises ModuleNotFoundError without plotly."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed: pip install -r requirements.txt")
    content = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Script(f"/vendor/plotly-{digest}.min.js", gzip.compress(content, 6, mtime=0))
