"""`python -m pools.live`: the page's query in, JSON or a table out, exit codes kept."""

import json
import os
import subprocess
import sys

import pytest

from tests.live.processes import ROOT

QUERY = "kind=asyncpg&max_size=3&min_size=1&rate=60&duration_s=2&warm_up_s=0"


def _run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pools.live", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )


def test_bad_input_exits_2_with_one_line_for_each_mistake() -> None:
    said = _run("kind=asyncpg&max_size=0&limt=4&rate=abc", "--embedded", "--json")
    assert said.returncode == 2
    assert said.stdout == ""
    lines = said.stderr.splitlines()
    assert [line.split()[0] for line in lines] == ["max_size", "limt", "rate"]
    assert all("got" in line for line in lines)


def test_a_target_that_is_not_there_exits_3_in_one_line() -> None:
    said = _run(QUERY, "--embedded", POOLWISE_PG_BIN="/nonexistent")
    assert said.returncode == 3
    assert said.stdout == ""
    assert len(said.stderr.splitlines()) == 1
    assert "PW-LIVE-no_binaries" in said.stderr


@pytest.mark.server
def test_json_holds_measured_and_simulated_under_the_keys_of_the_simulation() -> None:
    said = _run(QUERY, "--embedded", "--json")
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)
    simulation = subprocess.run(
        [sys.executable, "-m", "sim", QUERY, "--json"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    for name in ("requests", "completed", "throughput_per_s", "wait_s", "latency_s", "timeouts"):
        assert name in answer["measured"]
    assert set(answer["measured"]) <= set(json.loads(simulation.stdout))
    assert set(answer["measured"]) == set(answer["simulated"]) == set(answer["replayed"])
    assert answer["measured"]["requests"] == answer["simulated"]["requests"] > 0
    assert answer["calibration"]["rtt"]["median_s"] > 0.0
    assert {"asyncpg", "python"} <= set(answer["versions"])
    assert answer["notes"]


@pytest.mark.server
def test_without_json_a_short_table_is_printed() -> None:
    said = _run("kind=aiohttp&limit=3&rate=60&duration_s=1&warm_up_s=0", "--embedded")
    assert said.returncode == 0, said.stderr
    assert "measured" in said.stdout
    assert len(said.stdout.splitlines()) < 25
    assert "Traceback" not in said.stdout + said.stderr
