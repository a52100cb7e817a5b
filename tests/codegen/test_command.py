"""`python -m pools.codegen`."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pools.codegen import generate, targets
from pools.codegen.__main__ import main
from pools.kinds import KINDS
from sim.query import parse


def test_command_prints_the_code_of_its_query(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kind=asyncpg&max_size=42", "--target", "fastapi"]) == 0
    said = capsys.readouterr()
    assert said.out == generate(parse("kind=asyncpg&max_size=42"), "fastapi").text
    assert said.err == ""


@pytest.mark.parametrize("kind", KINDS)
def test_command_prints_the_first_target_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert main([f"kind={kind}"]) == 0
    assert capsys.readouterr().out == generate(parse(f"kind={kind}"), targets(kind)[0].name).text


def test_command_writes_a_project(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = tmp_path / "made.zip"
    assert main(["kind=asyncpg&max_size=42", "--target", "service", "--project", str(made)]) == 0
    assert capsys.readouterr().out == ""
    assert zipfile.ZipFile(made).testzip() is None
    assert main(["", "--target", "deployment", "--project", str(made)]) == 2
    assert "target must run by itself" in capsys.readouterr().err


def test_command_lists_every_target_with_its_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for kind in KINDS:
        for target in targets(kind):
            [line] = [line for line in lines if line.startswith(f"{target.name} ")]
            assert target.title in line
            assert kind in line


@pytest.mark.parametrize(
    ("arguments", "mistakes"),
    [
        (["pool_size=-5&rate=fast"], ["pool_size must be", "rate must be"]),
        (["kind=asyncpg&pool_size=5"], ["pool_size is not a parameter of kind asyncpg"]),
        (["kind=mysql"], ["kind must be one of sqlalchemy,"]),
        (["kind=asyncpg&min_size=20"], ["min_size must be at most max_size (10), got 20"]),
        (["", "--target", "rust"], ["target must be one of engine, "]),
        (["a%0Ab=1&\udcff=1"], [r"'a\nb' is not a parameter", r"'\udcff' is not a parameter"]),
    ],
)
def test_mistakes_are_one_line_each_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], mistakes: list[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == len(mistakes)
    assert all(mistake in line for mistake, line in zip(mistakes, lines, strict=True))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pools.codegen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_module_runs_as_a_command() -> None:
    done = run("kind=aiohttp&limit=7")
    assert (done.returncode, done.stderr) == (0, "")
    assert "limit=7," in done.stdout


def test_bad_query_ends_the_command_without_a_traceback() -> None:
    done = run("limit=7")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "limit is not a parameter of kind sqlalchemy, got '7'\n"
