"""Asked of a real server: who is connected, as far as the role may see, and nothing ends."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from pools.live.check import LiveCheck, diagnose
from pools.live.client import Target, connect
from pools.live.secret import Secret
from pools.live.target import OwnPostgres, Tls
from tests.faults.cluster import DATABASE, PORT, ROLE, Cluster, cluster
from tests.faults.proxy import HOST, FaultProxy
from tests.live.processes import ROOT

pytestmark = pytest.mark.server
PASSWORD = "canary-password"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster(PASSWORD) as made:
        asyncio.run(made.make_role())
        yield made


@asynccontextmanager
async def _listening(server: Cluster) -> AsyncIterator[int]:
    """Give the server a TCP port."""

    path = server.socket_path
    proxy = FaultProxy(lambda: asyncio.open_unix_connection(path), random.Random(1))
    await proxy.open()
    try:
        yield proxy.port
    finally:
        await proxy.close()


async def _asked(server: Cluster) -> LiveCheck:
    async with _listening(server) as port:
        where = OwnPostgres(HOST, port, ROLE, DATABASE, Secret(PASSWORD), Tls("disable"))
        check = diagnose(where)
        await asyncio.to_thread(check.wait, 60.0)
    assert check.state == "done", check.problem
    return check


async def _session(server: Cluster, user: str, application: str) -> Any:
    where = Target(server.socket_dir, PORT, user, Secret(PASSWORD), DATABASE)
    named = {"application_name": application}
    return await connect(replace(where, settings=named), timeout_s=10.0)


async def test_own_sessions_are_seen_and_those_of_others_only_counted(server: Cluster) -> None:
    mine = await _session(server, ROLE, "shop")
    others = await _session(server, "postgres", "jobs \x1b[31m ![x](http://evil)")
    try:
        await mine.execute("BEGIN")
        found = (await _asked(server)).activity
        assert found is not None
        assert not found.sees_all
        by_name = {one.application: one for one in found.sessions}
        assert by_name["shop"].holds_idle
        assert by_name["shop"].transaction_s is not None
        hidden = next(one for one in found.sessions if one.application.startswith("jobs"))
        assert hidden.is_hidden
        assert hidden.role == "postgres"
        assert "\x1b" not in hidden.application
        assert await mine.fetchval("SELECT 1") == await others.fetchval("SELECT 1") == 1
    finally:
        mine.terminate()
        others.terminate()


async def test_a_role_with_pg_monitor_sees_all(server: Cluster) -> None:
    owner = await server.connect()
    others = await _session(server, "postgres", "jobs")
    try:
        await owner.execute(f"GRANT pg_monitor TO {ROLE}")
        found = (await _asked(server)).activity
        assert found is not None
        assert found.sees_all
        assert not any(one.is_hidden for one in found.sessions)
    finally:
        await owner.execute(f"REVOKE pg_monitor FROM {ROLE}")
        owner.terminate()
        others.terminate()


async def test_the_command_says_it_as_json_and_in_words(server: Cluster) -> None:
    idle = [await _session(server, ROLE, "shop") for _ in range(3)]
    try:
        async with _listening(server) as port:
            dsn = f"postgresql://{ROLE}:{PASSWORD}@{HOST}:{port}/{DATABASE}?sslmode=disable"
            query = "kind=asyncpg&min_size=1&max_size=2&replicas=1&workers=1"
            said = await asyncio.to_thread(_run, dsn, "--query", query, "--json")
            words = await asyncio.to_thread(_run, dsn)
    finally:
        for one in idle:
            one.terminate()
    assert said.returncode == words.returncode == 0, said.stderr + words.stderr
    answer = json.loads(said.stdout)
    assert {one["name"]: one["connections"] for one in answer["applications"]}["shop"] == 3
    assert any("shop: 3 connections, and a fleet" in finding for finding in answer["findings"])
    assert "slots in use" in words.stdout
    assert PASSWORD not in said.stdout + said.stderr + words.stdout + words.stderr


def test_bad_input_and_a_server_that_is_not_there_have_their_exit_codes() -> None:
    assert _run("").returncode == 2
    assert _run("postgresql://app:canary-password@/x?sslrootcert=/etc/passwd").returncode == 2
    gone = _run("postgresql://app:canary-password@127.0.0.1:9/x?sslmode=disable")
    assert gone.returncode == 3
    assert "PW-NET-refused" in gone.stderr
    assert PASSWORD not in gone.stdout + gone.stderr


def _run(dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pools.live.diagnose", "--dsn-env", "SHOP_DSN", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"SHOP_DSN": dsn},
    )
