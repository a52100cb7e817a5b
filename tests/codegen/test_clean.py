"""Generated code passes the linter, the formatter and the type checker of whoever pastes it."""

import re
import sys
from pathlib import Path

import pytest

from pools.codegen import Options
from pools.codegen.target import all_targets
from pools.kinds import KINDS
from tests.codegen.support import (
    NEWER,
    ODD_QUERIES,
    OLDER,
    is_python,
    representative,
    run,
    smoke_tests,
)

# Every rule of ruff but these.
IGNORED = (
    "COM812",  # the formatter's business
    "CPY001",  # whose copyright it is, its user decides
    "D203",  # excludes D211
    "D213",  # excludes D212
    "EM101",  # an error message reads best where it is raised
    "EM102",  # the same
    "INP001",  # the folder it will be in is not known
    "TRY003",  # the same
)
# Modules that smoke tests import from beside them.
OWN = sorted({target.filename.removesuffix(".py") for target in all_targets() if target.smoke})
MYPY_SETTINGS = f"""
[mypy]
strict = True
[mypy-asyncpg.*,greenlet.*,{",".join(OWN)}]
ignore_missing_imports = True
"""


# What is written for whom: every target with the options, and the Python to check it as.
WRITTEN_FOR = {"py311": OLDER, "py313": NEWER}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one module for each representative piece of code, by whom it is for."""
    made = tmp_path_factory.mktemp("generated")
    for version, options in WRITTEN_FOR.items():
        (made / version).mkdir()
        seen = set()
        for number, (kind, target, code) in enumerate(representative(options)):
            known = (max(map(len, code.text.splitlines())), skeleton(code.text))
            if is_python(kind, target) and known not in seen:
                seen.add(known)
                name = f"{kind}_{target}_{number}_{version}.py".replace("-", "_")
                (made / version / name).write_text(code.text, encoding="ascii")
        write_smoke_tests(made / version, options)
    return made


def write_smoke_tests(folder: Path, options: Options) -> None:
    """Write each smoke test that reads differently, its imports from the code beside it."""
    seen: dict[str, str] = {}
    for kind, target, text in smoke_tests(options):
        seen.setdefault(text, f"smoke_{kind}_{target}_{folder.name}.py".replace("-", "_"))
    for text, name in seen.items():
        (folder / name).write_text(text, encoding="ascii")


def skeleton(text: str) -> str:
    """Return a text without its numbers: what a linter and a type checker can tell apart.

    Numbers count only by the length of the line they make.
    """
    return re.sub(r"-?\b\d+(\.\d+)?\b", "0", text)


def ruff(*command: str, folder: Path) -> None:
    own = f"--config=lint.isort.known-first-party={OWN}"
    version = f"--target-version={folder.name}"
    given = ("--isolated", "--no-cache", own, "--line-length=88", version)
    run(sys.executable, "-m", "ruff", *command, *given, ".", folder=folder)


def test_every_kind_is_represented() -> None:
    assert set(KINDS) <= set(ODD_QUERIES)


@pytest.mark.parametrize("version", WRITTEN_FOR)
def test_code_passes_every_rule_of_ruff(folders: Path, version: str) -> None:
    ruff("check", "--select=ALL", f"--ignore={','.join(IGNORED)}", folder=folders / version)


@pytest.mark.parametrize("version", WRITTEN_FOR)
def test_code_is_formatted(folders: Path, version: str) -> None:
    ruff("format", "--check", folder=folders / version)


@pytest.mark.timeout(600)
def test_code_passes_strict_type_checks(folders: Path, request: pytest.FixtureRequest) -> None:
    """Check all of it as the newest Python: what is for older ones is run by other tests."""
    settings = folders / "mypy.ini"
    settings.write_text(MYPY_SETTINGS)
    cache = request.config.rootpath / ".mypy_cache" / "generated"
    mypy = (sys.executable, "-m", "mypy", f"--config-file={settings}", f"--cache-dir={cache}")
    run(*mypy, "--python-version=3.13", ".", folder=folders)
