"""The zip of a target as a project: what is in it, and that it installs and runs."""

import asyncio
import datetime as dt
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pools.codegen import Options, project, targets
from pools.kinds import KINDS
from pools.setting import InvalidSettings
from sim.query import parse
from sim.scenario import Scenario
from tests.codegen.conftest import Database
from tests.codegen.support import run

TODAY = dt.date(2026, 11, 22)
RUNNING = [(kind, target.name) for kind in KINDS for target in targets(kind) if target.smoke]
NEEDS_DATABASE = [
    (kind, target)
    for kind, target in RUNNING
    if target == "fastapi" or (KINDS[kind].serves == "database" and target != "budget")
]
# Between them they need every library that generated code runs with, but for httpx.
INSTALLED = [("asyncpg", "fastapi"), ("sqlalchemy", "metrics")]


def unpacked(folder: Path, kind: str, target: str, options: Options | None = None) -> Path:
    """Write a project's files and return where they are."""
    made = project(parse(f"kind={kind}"), target, options=options, today=TODAY)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    return folder / f"{target}-project"


async def smoke_test(folder: Path, python: str = sys.executable) -> str:
    """Run a project's smoke test and return what it says; its failure fails the test."""
    return await asyncio.to_thread(run, python, "smoke_test.py", folder=folder)


@pytest.mark.parametrize(("kind", "target"), RUNNING)
def test_same_scenario_makes_the_same_bytes(kind: str, target: str) -> None:
    scenario = parse(f"kind={kind}")
    made = project(scenario, target, today=TODAY)
    assert project(scenario, target, today=TODAY) == made
    assert project(scenario, target, today=TODAY + dt.timedelta(1)) != made


@pytest.mark.parametrize(("kind", "target"), RUNNING)
def test_project_pins_what_it_needs_and_says_how_to_run_it(
    tmp_path: Path, kind: str, target: str
) -> None:
    folder = unpacked(tmp_path, kind, target, Options(python="3.13"))
    pins = (folder / "requirements.txt").read_text().splitlines()
    assert all(pin.count("==") == 1 for pin in pins)
    readme = (folder / "README.md").read_text()
    assert "Written for Python 3.13" in readme
    assert "python smoke_test.py" in readme
    assert ("| database.py |" in readme) == (folder / "database.py").exists()


def test_name_of_the_service_is_no_markup_in_the_readme(tmp_path: Path) -> None:
    options = Options(service="|<b>`x`[y](z)#")
    folder = unpacked(tmp_path, "sqlalchemy", "metrics", options)
    readme = (folder / "README.md").read_text()
    assert "<b>" not in readme
    assert "[y]" not in readme
    [row, *_] = [line for line in readme.splitlines() if "y&#93;" in line]
    assert row.count("|") == 6


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_run_by_itself_is_refused_as_a_project(kind: str) -> None:
    for target in targets(kind):
        if not target.smoke:
            with pytest.raises(InvalidSettings, match="must run by itself"):
                project(Scenario(pool=KINDS[kind]()), target.name)


@pytest.mark.server
@pytest.mark.parametrize(("kind", "target"), RUNNING)
async def test_smoke_test_passes(
    database: Database, tmp_path: Path, kind: str, target: str
) -> None:
    assert "ok: " in await smoke_test(unpacked(tmp_path, kind, target))
    assert await database.comes_to(0)


@pytest.mark.server
@pytest.mark.parametrize(("kind", "target"), NEEDS_DATABASE)
async def test_smoke_test_fails_without_its_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, target: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@127.0.0.1:1/name")
    with pytest.raises(AssertionError):
        await smoke_test(unpacked(tmp_path, kind, target))


@pytest.mark.server
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kind", "target"), INSTALLED)
async def test_project_installs_from_the_registry_and_its_smoke_test_passes(
    database: Database, tmp_path: Path, kind: str, target: str
) -> None:
    folder = unpacked(tmp_path, kind, target)
    python = tmp_path / "venv" / "bin" / "python"
    await asyncio.to_thread(install, tmp_path / "venv", folder / "requirements.txt")
    assert "ok: " in await smoke_test(folder, str(python))
    assert await database.comes_to(0)


def install(venv: Path, requirements: Path) -> None:
    """Make an environment of its own and let pip install what the project asks for."""
    clean = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    pip = (str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input")
    for command in ((sys.executable, "-m", "venv", str(venv)), (*pip, "-r", str(requirements))):
        done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
