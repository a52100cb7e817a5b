"""`python -m pools.review`: exit codes, text, SARIF, and which files are read."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pools.review.__main__ import main
from pools.review.rule import all_rules

BAD = "import aiohttp\n\nconnector = aiohttp.TCPConnector(ssl=False, limit=5)\n"
FINE = "import aiohttp\n\nconnector = aiohttp.TCPConnector(limit=5)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "bad one.py").write_text(BAD)
    (tmp_path / "app" / "fine.py").write_text(FINE)
    return tmp_path


def test_findings_exit_with_1_and_name_file_line_and_rule(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder)]) == 1
    shown = capsys.readouterr().out
    assert f"{(folder / 'app' / 'bad one.py').as_posix()}:3:38: error ssl-false: " in shown
    assert shown.endswith("1 finding in 2 files\n")


def test_the_patch_shown_can_be_applied(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "app")
    assert main(["bad one.py"]) == 1
    lines = [line.removeprefix("    ") for line in capsys.readouterr().out.split("\n")]
    patch = "\n".join(lines[lines.index("--- a/bad one.py") : -2]) + "\n"
    done = subprocess.run(
        ["git", "apply", "--unsafe-paths", "-p1", "-"],
        input=patch,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "app" / "bad one.py").read_text() == FINE


def test_no_findings_exit_with_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder / "app" / "fine.py")]) == 0
    assert capsys.readouterr().out == "0 findings in 1 file\n"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("broken.py", b"def f(:\n", "is not valid Python"),
        ("latin.py", b"x = '\xe4'\n", "The file is not UTF-8 text."),
        ("null.py", b"x = '\0'\n", "null byte"),
        ("big.py", b"x = 1\n" * 400_000, "must be at most 2,000,000 bytes"),
        ("book.ipynb", b"{", "not valid JSON"),
    ],
)
def test_what_cannot_be_read_exits_with_2_and_the_rest_is_reviewed(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, sentence: str
) -> None:
    (folder / "app" / name).write_bytes(content)
    assert main([str(folder)]) == 2
    shown = capsys.readouterr().out
    assert sentence in shown
    assert "ssl-false" in shown


def test_a_missing_path_and_wrong_usage_exit_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder / "nowhere.py")]) == 2
    assert "There is no such file or directory." in capsys.readouterr().out
    assert main([str(folder), "--scenario", "pool_size=-7"]) == 2
    assert "pool_size must be a whole number" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2


def test_folders_that_are_not_the_service_are_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (".git", ".hidden", "node_modules", "tests", "__pycache__", "env3/lib"):
        (folder / name).mkdir(parents=True)
        (folder / name / "bad.py").write_text(BAD)
    (folder / "env3" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / "app" / "test_bad.py").write_text(BAD)
    (folder / "app" / "conftest.py").write_text(BAD)
    (folder / "app" / "notes.txt").write_text(BAD)
    assert main([str(folder)]) == 1
    assert capsys.readouterr().out.endswith("1 finding in 2 files\n")


def test_a_file_named_outright_is_read_whatever_it_is_called(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "test_bad.py").write_text(BAD)
    assert main([str(folder / "test_bad.py")]) == 1
    capsys.readouterr()


def test_standard_input_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(BAD))
    assert main(["-"]) == 1
    assert "stdin:3:38: error ssl-false" in capsys.readouterr().out


def test_a_scenario_prices_findings_with_the_pool_of_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "db.py").write_text(
        "from sqlalchemy.ext.asyncio import create_async_engine\n"
        'e = create_async_engine("postgresql+asyncpg://db/x", pool_size=3, max_overflow=1)\n'
    )
    query = "rate=20&rtt_ms=1&duration_s=2&warm_up_s=0&replications=2"
    assert main([str(folder / "db.py"), "--scenario", query]) == 1
    assert "Here: Each restart of the database fails one request." in capsys.readouterr().out


def sarif(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main([*arguments, "--sarif"])
    log = json.loads(capsys.readouterr().out)
    assert isinstance(log, dict)
    return log


def test_sarif_names_its_version_and_every_rule(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = sarif(capsys, str(folder))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [*all_rules()]
    assert all(rule["shortDescription"]["text"] for rule in rules)


def test_sarif_is_valid_by_its_schema(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((Path(__file__).parent / "sarif-schema-2.1.0.json").read_text())
    every_mistake = "\n".join(text for rule in all_rules().values() for text in rule.bad)
    (folder / "app" / "every.py").write_text(every_mistake)
    (folder / "app" / "broken.py").write_text("def (")
    log = sarif(capsys, str(folder))
    assert len(log["runs"][0]["results"]) >= 60
    jsonschema.validate(log, schema)


def test_a_sarif_result_points_at_its_rule_and_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [run] = sarif(capsys, str(folder))["runs"]
    [result] = run["results"]
    assert (
        run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "ssl-false"
    )
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].startswith("file:///")
    assert place["artifactLocation"]["uri"].endswith("/app/bad%20one.py")
    assert place["region"] == {"startLine": 3, "startColumn": 38, "endLine": 3, "endColumn": 43}
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["invocations"][0]["executionSuccessful"] is True


def test_a_file_that_cannot_be_read_is_a_sarif_notification(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.py").write_text("def (")
    [run] = sarif(capsys, str(folder))["runs"]
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False
    [notification] = invocation["toolExecutionNotifications"]
    assert "is not valid Python" in notification["message"]["text"]


def test_a_notebook_s_result_names_its_cell(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [{"cell_type": "code", "source": BAD}]
    (folder / "a.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    [run] = sarif(capsys, str(folder / "a.ipynb"))["runs"]
    [result] = run["results"]
    assert result["message"]["text"].startswith("cell 1, line 3: ")
    assert "region" not in result["locations"][0]["physicalLocation"]


def test_the_command_runs_as_a_module(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pools.review", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
