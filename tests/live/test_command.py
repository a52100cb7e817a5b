"""`python -m pools.live`: the page's query in, JSON or a table out, exit codes kept."""

import json
import os
import subprocess
import sys

import pytest

from tests.live.clusters import DATABASE, PASSWORD, ROLE, cluster
from tests.live.processes import ROOT

CANARY = "cAnArY3e8d"
CODES = {True: 0, False: 1, None: 3}
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


@pytest.mark.parametrize(
    "arguments",
    [
        ("--dsn-env", "POOLWISE_TEST_DSN"),
        ("--url", f"ftp://{CANARY}@h/"),
        ("--dsn-env", "POOLWISE_TEST_NOTHING"),
        ("--url-env", "POOLWISE_TEST_DSN"),
        ("--embedded", "--ca", f"/nonexistent/{CANARY}"),
    ],
)
def test_a_bad_target_exits_2_in_words_that_hold_nothing_of_it(arguments: tuple[str, ...]) -> None:
    said = _run(QUERY, *arguments, POOLWISE_TEST_DSN=f"postgresql://u:{CANARY}/x@h/d")
    assert said.returncode == 2
    assert said.stdout == ""
    assert "must" in said.stderr or " has " in said.stderr
    assert CANARY not in said.stderr


def test_a_target_that_the_policy_does_not_allow_exits_3() -> None:
    said = _run(QUERY, "--url", "http://127.0.0.1:1/", POOLWISE_POLICY="shared")
    assert said.returncode == 3
    assert "PW-LIVE-policy" in said.stderr


@pytest.mark.server
def test_a_persons_own_server_is_checked_with_what_it_will_use_said_before() -> None:
    with cluster() as server:
        certificate = server.home / "ca.pem"
        certificate.write_bytes(server.ca)
        dsn = f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{server.port}/{DATABASE}"
        said = _run(QUERY, "--dsn-env", "MY_DSN", "--ca", str(certificate), "--json", MY_DSN=dsn)
    assert PASSWORD not in said.stdout + said.stderr
    assert "A check uses at most" in said.stderr
    answer = json.loads(said.stdout)
    assert said.returncode == CODES[answer["fits"]]
    assert answer["server"]["provider"] == "your server"


@pytest.mark.server
def test_json_holds_measured_and_simulated_under_the_keys_of_the_simulation() -> None:
    said = _run(QUERY, "--embedded", "--json")
    answer = json.loads(said.stdout)
    assert said.returncode == CODES[answer["fits"]], said.stderr
    assert answer["verdict"]
    assert {row["name"] for row in answer["compared"]} >= {"wait p50", "wait p99", "throughput"}
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
    assert said.returncode in CODES.values(), said.stderr
    assert "measured" in said.stdout
    assert len(said.stdout.splitlines()) < 25
    assert "Traceback" not in said.stdout + said.stderr
