"""The page docs/accuracy.md, rendered from what the sections measured."""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.accuracy import SECTIONS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "accuracy.md"
DATA = ROOT / "docs" / "accuracy-data"
INTRODUCTION = """# Accuracy

How far the simulation is from what it stands for. Every table is rendered from what one command \
measured, `python -m bench.accuracy SECTION`, kept in [accuracy-data/](accuracy-data/).
"""


def names() -> tuple[str, ...]:
    """Return the sections that can be measured, in the order of the page."""
    return tuple(name for name in SECTIONS if find_spec(f"bench.accuracy.{name}"))


def store(name: str, found: Mapping[str, Any]) -> None:
    """Keep what a section measured, with when and on what."""
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    kept = {"taken_on": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "found": found}
    DATA.mkdir(exist_ok=True)
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    (DATA / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def stored(name: str) -> dict[str, Any] | None:
    """Return what `store` kept, or None if the section was never measured."""
    path = DATA / f"{name}.json"
    if not path.exists():
        return None
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def page() -> str:
    """Render every section that was measured."""
    sections = [_section(name, kept) for name in names() if (kept := stored(name))]
    return "\n".join([INTRODUCTION, *sections])


def table(head: Sequence[str], rows: Iterable[Sequence[object]], align: str = "") -> str:
    """Return a Markdown table; `align` has one letter a column, `l` or `r` (default `l`)."""
    rules = ["---:" if letter == "r" else "---" for letter in align.ljust(len(head), "l")]
    lines = [head, rules, *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _section(name: str, kept: Mapping[str, Any]) -> str:
    text: str = import_module(f"bench.accuracy.{name}").render(kept["found"])
    where = f" on {kept['machine']}" if kept["machine"] else ""
    said = f"Measured {kept['taken_on']}{where}: `python -m bench.accuracy {name}`."
    return f"{text.rstrip()}\n\n{said}\n"
