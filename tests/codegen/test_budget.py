"""The generated budget: right in its sum, and the same as the server's own numbers."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given

from pools.codegen import generate
from sim.query import parse
from sim.scenario import Scenario
from tests.codegen.support import examples, module_for
from tests.strategies import kinds, scenarios

DATABASES = ["sqlalchemy", "asyncpg", "psycopg"]
FITS = "replicas=3&workers=2&other_connections=5"


@examples(40)
@given(kinds().filter(lambda kind: kind in DATABASES).flatmap(scenarios))
def test_budget_holds_exactly_if_the_fleet_fits(scenario: Scenario) -> None:
    made = module_for(scenario, "budget")
    fleet, one = scenario.fleet, scenario.pool.capacity
    if one is None:
        with pytest.raises(RuntimeError, match="The pool has no limit"):
            made.check_budget()
        return
    surge = -(-fleet.replicas // 4)
    wanted = (fleet.replicas + surge) * fleet.workers * one + fleet.other_connections
    if wanted <= scenario.server.slots:
        assert made.check_budget().endswith(f"= {wanted} of {scenario.server.slots}")
    else:
        with pytest.raises(RuntimeError, match=f"= {wanted} of {scenario.server.slots}"):
            made.check_budget()


@pytest.mark.parametrize(("query", "code"), [("pool_size=5&max_overflow=0", 0), ("replicas=9", 1)])
def test_command_says_the_sum_and_whether_it_holds(tmp_path: Path, query: str, code: int) -> None:
    (tmp_path / "budget.py").write_text(generate(parse(query), "budget").text, encoding="ascii")
    command = [sys.executable, "budget.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "replicas" in (done.stderr if code else done.stdout)
    assert "Traceback" not in done.stderr


@pytest.mark.server
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", DATABASES)
async def test_server_is_asked_for_the_connections_it_really_has(kind: str) -> None:
    query = "pool_size=5&max_overflow=0" if kind == "sqlalchemy" else "min_size=5&max_size=5"
    small, large = (parse(f"kind={kind}&{query}&replicas={n}") for n in (2, 9))
    # The server of these tests has 40 connections, 3 of them reserved.
    assert (await asked(kind, small)).endswith("= 15 of 37")
    with pytest.raises(RuntimeError, match=r"Over the connection budget: .* = 60 of 37"):
        await asked(kind, large)


async def asked(kind: str, scenario: Scenario) -> str:
    made = module_for(scenario, "budget")
    own = module_for(scenario, "engine" if kind == "sqlalchemy" else kind)
    if kind != "sqlalchemy":
        async with own.open_pool() as pool:
            source = pool.fetchval if kind == "asyncpg" else pool
            return str(await made.check_server(source))
    async with own.open_sessions() as sessions:
        return str(await made.check_server(sessions))
