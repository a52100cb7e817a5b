"""`python -m tests.codegen.matrix` runs all generated code with each version it is written for.

For each row a throw-away environment is made with uv, the projects of every target and kind are
installed into it, and each one's smoke test runs against a PostgreSQL of its own. Prints a
Markdown table; returns 1 if a smoke test failed, 2 if nothing could be run. A Python that uv can
neither find nor get is said to be missing.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from pools.codegen import Options, project, targets
from pools.codegen.options import PYTHONS
from pools.kinds import KINDS
from pools.live import postgres
from sim.scenario import Scenario

# The oldest aiohttp that the current code is for; the newest is what the projects pin.
AIOHTTP_OLDEST = "3.11.18"
# Each pair of versions of two libraries stands in a row.
LIBRARIES = (
    ("2.1", "0.32", ""),
    ("2.0", "0.31", ""),
    ("2.1", "0.31", AIOHTTP_OLDEST),
    ("2.0", "0.32", AIOHTTP_OLDEST),
)
COLUMNS = ("Python", "SQLAlchemy", "asyncpg", "aiohttp", "Smoke tests", "Result")
SMOKE_S_MAX = 300.0


@dataclass(frozen=True, slots=True)
class Row:
    """One environment; `aiohttp` is empty for the version that projects pin."""

    python: str
    sqlalchemy: str
    asyncpg: str
    aiohttp: str

    @property
    def options(self) -> Options:
        """What the code is written for."""
        return Options(python=self.python, sqlalchemy=self.sqlalchemy, asyncpg=self.asyncpg)


class CannotInstall(Exception):
    """uv could not make an environment; the text is its last line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rows asked for and print one line each."""
    asked = _parser().parse_args(arguments)
    rows = [Row(python, *libraries) for python in asked.python for libraries in LIBRARIES]
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    results = []
    with postgres.start(60) as server:
        for row in rows[: asked.rows]:
            with tempfile.TemporaryDirectory() as folder:
                said, passed = _run(row, Path(folder), _url(server))
            results.append(passed)
            print(said, flush=True)
    if not any(passed is not None for passed in results):
        return 2
    return int(False in results)


def _run(row: Row, folder: Path, url: str) -> tuple[str, bool | None]:
    """Return a row of the table, and whether all passed; None if there was no environment."""
    projects = list(_projects(row, folder))
    try:
        found = _install(row, folder, projects)
    except CannotInstall as reason:
        shown = (row.python, row.sqlalchemy, row.asyncpg, row.aiohttp or "newest", "0")
        return f"| {' | '.join(shown)} | not run: {reason} |", None
    python = folder / "venv" / "bin" / "python"
    failed = [str(made.relative_to(folder)) for made in projects if not _passes(python, made, url)]
    result = "passed" if not failed else f"failed: {', '.join(failed)}"
    return f"| {' | '.join(found)} | {len(projects)} | {result} |", not failed


def _projects(row: Row, folder: Path) -> Iterator[Path]:
    for kind in KINDS:
        for target in targets(kind):
            if target.smoke:
                made = project(Scenario(pool=KINDS[kind]()), target.name, options=row.options)
                with zipfile.ZipFile(io.BytesIO(made)) as archive:
                    archive.extractall(folder / kind)
                yield folder / kind / f"{target.name}-project"


def _install(row: Row, folder: Path, projects: Iterable[Path]) -> tuple[str, str, str, str]:
    """Make the environment; return the versions it has. Raises CannotInstall."""
    pins = {pin for made in projects for pin in (made / "requirements.txt").read_text().split()}
    if row.aiohttp:
        pins = {pin for pin in pins if not pin.startswith("aiohttp==")}
        pins.add(f"aiohttp=={row.aiohttp}")
    venv = folder / "venv"
    _uv("venv", "--python", row.python, str(venv))
    _uv("pip", "install", "--python", str(venv / "bin" / "python"), *sorted(pins))
    code = (
        "import sys; from importlib.metadata import version as v;"
        "print(sys.version.split()[0], *map(v, ('sqlalchemy', 'asyncpg', 'aiohttp')))"
    )
    said = subprocess.run(
        [venv / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    )
    python, sqlalchemy, asyncpg, aiohttp = said.stdout.split()
    return python, sqlalchemy, asyncpg, aiohttp


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise CannotInstall(lines[-1].strip().replace("|", "/")[:200])


def _passes(python: Path, folder: Path, url: str) -> bool:
    environment = os.environ | {"DATABASE_URL": url}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, "smoke_test.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SMOKE_S_MAX,
        check=False,
    )
    if done.returncode:
        print(f"{folder}:\n{done.stdout}{done.stderr}", file=sys.stderr)
    return not done.returncode and "ok: " in done.stdout


def _url(server: postgres.EmbeddedPostgres) -> str:
    target = server.target
    place = urlencode({"host": target.host, "port": target.port})
    return (
        f"postgresql://{target.user}:{quote(target.password.reveal())}@/{target.database}?{place}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.codegen.matrix",
        description="Run all generated code with each version it is written for.",
    )
    parser.add_argument("--python", nargs="+", choices=PYTHONS, default=list(PYTHONS))
    parser.add_argument("--rows", type=int, help="the first so many rows only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
