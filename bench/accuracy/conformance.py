"""Decisions: random workloads played by the simulation and by the real libraries.

The text is conformance.md beside this file; the counts are measured by `tests.conformance`.
"""

import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.accuracy.page import table
from tests.conformance import matrix
from tests.conformance.suite import FAMILIES, play_many

TEXT = Path(__file__).with_suffix(".md")
DISTRIBUTIONS = {"sqlalchemy": "SQLAlchemy", "psycopg": "psycopg_pool"}
FIRST_SEED = 1_000_000
COUNT = 2_000
COUNT_OF_LOOPS = 1_000
COUNTS = {"asyncpg": 20_000, "sqlalchemy": 20_000, "aiohttp": 20_000}
COUNTS_OF_VERSIONS = {"asyncpg": 200, "aiohttp": 300, "sqlalchemy": 150}
HEAD = ("Kind", "Version", "Workloads identical")


def measure() -> dict[str, Any]:
    """Play all workloads: of the installed libraries, then of several versions of each."""
    return {"installed": list(_installed()), "versions": list(_versions())}


def render(found: Mapping[str, Any]) -> str:
    """Put the counts into the text."""
    tables = {name: table(HEAD, map(_cells, rows), "llr") for name, rows in found.items()}
    return TEXT.read_text(encoding="utf-8").format(**tables)


def _installed() -> Iterator[dict[str, Any]]:
    for family in FAMILIES:
        library = family.partition("-")[0]
        distribution = DISTRIBUTIONS.get(library, library)
        count = COUNT_OF_LOOPS if family.endswith("-loops") else COUNTS.get(family, COUNT)
        seeds = range(FIRST_SEED, FIRST_SEED + count)
        same = sum(not played.differences for played in play_many(family, seeds))
        yield _row(family, f"{distribution} {version(distribution)}", same, count)


def _versions() -> Iterator[dict[str, Any]]:
    for library, count in COUNTS_OF_VERSIONS.items():
        for number in matrix.versions(library):
            with tempfile.TemporaryDirectory(prefix="poolwise-matrix-") as folder:
                python = matrix.install(library, number, Path(folder))
                name = f"{DISTRIBUTIONS.get(library, library)} {number}"
                for family, same in matrix.play(library, python, count, FIRST_SEED):
                    yield _row(family, name, same, count)


def _row(family: str, library: str, same: int, count: int) -> dict[str, Any]:
    return {"family": family, "version": library, "same": same, "count": count}


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["family"], row["version"], f"{row['same']:,} of {row['count']:,}"
