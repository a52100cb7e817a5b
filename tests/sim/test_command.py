"""`python -m sim`: the page's answer without the page."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pools.kinds import KINDS
from sim.__main__ import main
from sim.query import all_settings, parse, to_values
from sim.result import PERCENTILES
from sim.run import run

ROOT = Path(__file__).parents[2]
SHORT = "rate=100&duration_s=4&warm_up_s=1&replications=2"
# What the command promises; the answer may say more.
COUNTS = ("requests", "completed", "timeouts", "connections_opened")
ESTIMATES = ("throughput_per_s", "utilisation")
TIMES = ("mean", *(f"p{p}" for p in PERCENTILES), "max")
STATES = ("t_s", "in_use", "idle", "opening", "waiting")


def answer(query: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main([query, "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    made: dict[str, Any] = json.loads(said.out)
    return made


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("load", [SHORT, f"{SHORT}&users=20&think_ms=100".replace("rate=100&", "")])
def test_the_json_has_every_promised_key(
    kind: str, load: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = answer(f"kind={kind}&{load}", capsys)
    assert all(isinstance(said[name], int) for name in COUNTS)
    assert set(ESTIMATES) <= set(said)
    for name in ("wait_s", "latency_s"):
        assert set(said[name]) == {*TIMES, "ci95"}
        assert set(said[name]["ci95"]) == set(TIMES)
        for time, interval in said[name]["ci95"].items():
            value = said[name][time]
            assert interval is None or interval[0] <= value <= interval[1]
    assert said["wait_s"]["ci95"]["mean"] is not None
    assert said["errors"] == {}
    assert set(said["timeline"]) == set(STATES)
    assert len({len(said["timeline"][name]) for name in STATES}) == 1


def test_errors_are_counted_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    said = answer(
        f"{SHORT}&pool_size=1&max_overflow=0&pool_timeout=0.05&hold_ms=50&max_connections=5",
        capsys,
    )
    assert said["errors"] == {"acquire_timeout": said["timeouts"]}
    assert said["timeouts"] > 0
    assert said["requests"] == said["completed"] + said["timeouts"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_answer_says_every_setting_it_was_made_with(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    query = f"kind={kind}&{SHORT}"
    said = answer(query, capsys)
    assert said["scenario"] == to_values(parse(query))
    assert set(said["scenario"]) == set(all_settings(kind))
    assert parse(said["query"]) == parse(query)


def test_the_numbers_are_those_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    said = answer(SHORT, capsys)
    assert {name: said[name] for name in run(parse(SHORT)).as_json()} == json.loads(
        json.dumps(run(parse(SHORT)).as_json())
    )


def test_words_say_the_verdict_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([SHORT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("The pool keeps up. ")
    assert any(line.startswith("wait p99") for line in lines)


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ("colour=red", ["colour is not a parameter of kind sqlalchemy, got 'red'"]),
        (
            "pool_size=-1",
            ["pool_size must be a whole number from 0 to 500 connections, got '-1'"],
        ),
        (
            "kind=asyncpg&min_size=20&rate=x",
            ["rate must be a number from 0 to 10000 /s, got 'x'"],
        ),
        ("kind=asyncpg&min_size=20", ["min_size must be at most max_size (10), got 20"]),
        ("rate=1&rate=2", ["rate must be given once, got several values"]),
        (
            "hold_ms=0&cores=0",
            [
                "hold_ms must be a number from 0.1 to 60000 ms, got '0'",
                "cores must be a whole number from 1 to 512 cores, got '0'",
            ],
        ),
        ("a%0Ab=1", ["'a\\nb' is not a parameter of kind sqlalchemy, got '1'"]),
    ],
)
def test_bad_input_is_exit_code_2_and_a_line_for_each_mistake(
    query: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([query, "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == lines


@pytest.mark.parametrize(
    ("arguments", "code"),
    [([SHORT, "--json"], 0), (["pool_size=many"], 2), ([], 2), ([SHORT, "--xml"], 2)],
)
def test_the_process_ends_with_that_code_and_no_traceback(arguments: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sim", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (code == 0)
