"""Generated code passes the linter, the formatter and the type checker of whoever pastes it."""

import re
import sys
from pathlib import Path

import pytest

from pools.kinds import KINDS
from tests.codegen.support import NEWER, ODD_QUERIES, OLDER, is_python, representative, run

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
MYPY_SETTINGS = """
[mypy]
strict = True
[mypy-asyncpg.*]
ignore_missing_imports = True
"""


# What is written for whom: every target with the options, and the Python to check it as.
WRITTEN_FOR = {"py311": OLDER, "py313": NEWER}


@pytest.fixture(scope="module", params=list(WRITTEN_FOR))
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Write one module for each representative piece of code; the folder says for whom."""
    made = tmp_path_factory.mktemp("generated") / request.param
    made.mkdir()
    seen = set()
    for number, (kind, target, code) in enumerate(representative(WRITTEN_FOR[request.param])):
        length = max(map(len, code.text.splitlines()))
        if is_python(kind, target) and (length, skeleton(code.text)) not in seen:
            seen.add((length, skeleton(code.text)))
            name = f"{kind}_{target}_{number}.py".replace("-", "_")
            (made / name).write_text(code.text, encoding="ascii")
    return made


def skeleton(text: str) -> str:
    """Return a text without its numbers: what a linter and a type checker can tell apart.

    Numbers count only by the length of the line they make.
    """
    return re.sub(r"-?\b\d+(\.\d+)?\b", "0", text)


def ruff(*command: str, folder: Path) -> None:
    given = ("--isolated", "--no-cache", "--line-length=88", f"--target-version={folder.name}")
    run(sys.executable, "-m", "ruff", *command, *given, ".", folder=folder)


def test_every_kind_is_represented() -> None:
    assert set(KINDS) <= set(ODD_QUERIES)


def test_code_passes_every_rule_of_ruff(folder: Path) -> None:
    ruff("check", "--select=ALL", f"--ignore={','.join(IGNORED)}", folder=folder)


def test_code_is_formatted(folder: Path) -> None:
    ruff("format", "--check", folder=folder)


def test_code_passes_strict_type_checks(folder: Path, request: pytest.FixtureRequest) -> None:
    settings = folder / "mypy.ini"
    settings.write_text(MYPY_SETTINGS)
    version = f"--python-version=3.{folder.name.removeprefix('py3')}"
    cache = request.config.rootpath / ".mypy_cache" / "generated" / folder.name
    mypy = (sys.executable, "-m", "mypy", f"--config-file={settings}", f"--cache-dir={cache}")
    run(*mypy, version, ".", folder=folder)
