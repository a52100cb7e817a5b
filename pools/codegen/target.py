"""The targets that code can be written for, found by listing the template folders.

A target is a folder in `templates/` with a `target.toml` and its templates, each named after
the file it makes (`database.py.jinja` makes `database.py`). Folders without a `target.toml`
hold the parts that templates share.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
SUFFIX = ".jinja"
POOL = "@pool"
HTTP = "@http"
DRIVER = "@driver"
HTTP_CLIENTS = ("aiohttp", "httpx")
# What the code for each kind imports or, as SQLAlchemy its driver, has imported.
POOL_LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "sqlalchemy": ("sqlalchemy", "asyncpg"),
    "sqlalchemy-null": ("sqlalchemy", "asyncpg"),
    "asyncpg": ("asyncpg",),
    "aiohttp": ("aiohttp",),
    "httpx": ("httpx",),
    "psycopg": ("psycopg",),
}


@dataclass(frozen=True, slots=True)
class Release:
    """A range of a library's versions that one text suits.

    `version` is the one it is tested with, `requirement` the range in pip's words, `series`
    what the range is called where there is a choice.
    """

    title: str
    version: str
    requirement: str
    series: str = ""

    @property
    def pin(self) -> str:
        """The version it is tested with, in pip's words, extras and all."""
        return f"{re.split('[<>=]', self.requirement)[0]}=={self.version}"


@dataclass(frozen=True, slots=True)
class Target:
    """What can be generated: its name and title, and the pool kinds it applies to.

    `filenames` are the files it makes, the one to show first; `simulates` says that its values
    are better with a simulation's result; `smoke` is what tests it as a project, empty if it
    does not run by itself.
    """

    name: str
    title: str
    kinds: tuple[str, ...]
    filenames: tuple[str, ...]
    rank: int
    simulates: bool
    smoke: str
    _libraries: tuple[str, ...]
    _runs_with: tuple[str, ...]

    @property
    def filename(self) -> str:
        """The file to show."""
        return self.filenames[0]

    def libraries(self, kind: str) -> tuple[str, ...]:
        """Return what its code for a kind imports, or has imported."""
        found: list[str] = []
        for name in self._libraries:
            if name == POOL:
                found += POOL_LIBRARIES[kind]
            elif name == DRIVER:
                found.append("psycopg" if kind == "psycopg" else "asyncpg")
            elif name == HTTP:
                found.append(kind if kind in HTTP_CLIENTS else HTTP_CLIENTS[0])
            else:
                found.append(name)
        return tuple(dict.fromkeys(found))

    def runs_with(self) -> tuple[str, ...]:
        """Return what only runs its code."""
        return self._runs_with

    def template(self, filename: str) -> str:
        """Return the path of a file's template inside the template folder."""
        return f"{self.name}/{filename}{SUFFIX}"


def targets(kind: str) -> tuple[Target, ...]:
    """Return the targets that apply to a pool kind, that kind's own first."""
    return tuple(target for target in all_targets() if kind in target.kinds)


@cache
def all_targets(templates: Path = TEMPLATES) -> tuple[Target, ...]:
    """Return every target, in the order of `rank` in its `target.toml`, then by name."""
    found = [_read(path.parent) for path in templates.glob("*/target.toml")]
    return tuple(sorted(found, key=lambda target: (target.rank, target.name)))


@cache
def releases() -> Mapping[str, tuple[Release, ...]]:
    """Return the releases of each library that code is written for, the current one first."""
    return {
        name: tuple(Release(said["title"], **release) for release in said["release"])
        for name, said in _load(HERE / "libraries.toml").items()
    }


def _read(folder: Path) -> Target:
    said = _load(folder / "target.toml")
    found = sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    shown = said.get("shows", found[0])
    return Target(
        name=folder.name,
        title=said["title"],
        kinds=tuple(said["kinds"]),
        filenames=(shown, *(name for name in found if name != shown)),
        rank=said["rank"],
        simulates=said.get("simulates", False),
        smoke=said.get("smoke", "pool" if shown.endswith(".py") else ""),
        _libraries=tuple(said["libraries"]),
        _runs_with=tuple(said.get("runs_with", ())),
    )


def _load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
