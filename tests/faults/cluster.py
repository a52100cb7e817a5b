"""A PostgreSQL of our own that may be frozen, killed and restarted; it dies with this process.

It listens on a Unix socket alone. Checks reach it through the fault proxy, the observer reaches
it directly, as superuser.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
import psutil

from pools.live import keeper
from pools.live.binaries import find_binaries
from pools.live.client import Connection, Target, connect
from pools.live.postgres import FIXED_SETTINGS, account_for_server
from pools.live.secret import Secret

PORT = 5432
ROLE, DATABASE, SUPERUSER = "app", "postgres", "postgres"
PATIENCE_S = 30.0
SLOTS = 40
RESERVED = 5


@dataclass(slots=True)
class Cluster:
    """One server with a role for checks. `password` is that role's, and the canary."""

    home: Path
    programs: Path
    password: str
    account: tuple[int, int] | None
    process: "subprocess.Popen[bytes] | None" = None
    frozen: list[psutil.Process] = field(default_factory=list)

    @property
    def socket_dir(self) -> str:
        """Where the server's socket is."""
        return str(self.home / "s")

    @property
    def socket_path(self) -> str:
        """The socket itself."""
        return f"{self.socket_dir}/.s.PGSQL.{PORT}"

    def start(self) -> None:
        """Start the server and wait until it is ready; nothing if it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        data = self.home / "data"
        command = [str(self.programs / "postgres"), "-D", str(data), "-k", self.socket_dir]
        settings = FIXED_SETTINGS | {
            "max_connections": str(SLOTS),
            "superuser_reserved_connections": str(RESERVED),
        }
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        (data / "postmaster.pid").unlink(missing_ok=True)
        with (self.home / "log").open("ab") as log:
            self.process = keeper._start(command, self.account, log)
        until = time.monotonic() + PATIENCE_S
        while not keeper._is_ready(data / "postmaster.pid"):
            assert self.process.poll() is None, (self.home / "log").read_text()[-2000:]
            assert time.monotonic() < until, "the server did not get ready"
            time.sleep(0.01)

    def stop(self, number: signal.Signals) -> None:
        """Stop it: SIGTERM smart, SIGINT fast, SIGQUIT immediate, SIGKILL not at all politely."""
        self.thaw()
        if self.process is not None and self.process.poll() is None:
            backends = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(number)
            try:
                self.process.wait(3.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            for one in backends:  # they hold the shared memory that a new server wants
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            psutil.wait_procs(backends, timeout=3.0)

    def backends(self) -> list[psutil.Process]:
        """The processes that serve the role's connections."""
        if self.process is None or self.process.poll() is not None:
            return []
        found, children = [], list[psutil.Process]()
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end at any moment
            children = psutil.Process(self.process.pid).children()
        for one in children:
            with contextlib.suppress(psutil.Error):
                if f"postgres: {ROLE} " in " ".join(one.cmdline()):
                    found.append(one)
        return found

    def freeze(self, *, postmaster: bool = False) -> None:
        """Stop the role's backends, or the process that accepts connections, without an end."""
        which = self.backends()
        if postmaster and self.process is not None:
            which.append(psutil.Process(self.process.pid))
        for one in which:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.suspend()
                self.frozen.append(one)

    def thaw(self) -> None:
        """Let everything go on that was frozen."""
        for one in self.frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()
        self.frozen.clear()

    async def connect(self) -> Connection:
        """Connect as the superuser, past the proxy."""
        where = Target(self.socket_dir, PORT, SUPERUSER, Secret(self.password), DATABASE)
        return await connect(replace(where, command_timeout_s=PATIENCE_S), timeout_s=PATIENCE_S)

    async def _connect_when_ready(self) -> Connection:
        """Connect; a server that recovers says for a moment that it is not ready."""
        for _ in range(200):
            try:
                return await self.connect()
            except (asyncpg.PostgresError, OSError):
                await asyncio.sleep(0.05)
        return await self.connect()

    async def make_role(self) -> None:
        """Make the role for checks as it should be, whatever a fault made of it."""
        connection = await self._connect_when_ready()
        try:
            await connection.execute(
                f"DO $$ BEGIN CREATE ROLE {ROLE}; EXCEPTION WHEN duplicate_object THEN END $$;"
                f"ALTER ROLE {ROLE} LOGIN CONNECTION LIMIT -1 PASSWORD '{self.password}';"
                f"ALTER ROLE {ROLE} RESET ALL;"
                f"ALTER DATABASE {DATABASE} CONNECTION LIMIT -1"
            )
        finally:
            await connection.close()


@contextlib.contextmanager
def cluster(password: str) -> Iterator[Cluster]:
    """Make a server, and remove it in the end."""
    account = account_for_server()
    home = Path(tempfile.mkdtemp(prefix="pw-faults-", dir="/tmp"))
    if account:
        os.chown(home, -1, account[1])
        home.chmod(0o710)
    made = None
    try:
        programs = keeper._reachable(find_binaries().directory, home, account)
        for name in ("data", "s"):
            (home / name).mkdir(mode=0o700)
            keeper._give(home / name, account)
        _initialise(programs, home, password, account)
        made = Cluster(home, programs, password, account)
        made.start()
        yield made
    finally:
        if made is not None:
            made.stop(signal.SIGQUIT)
        shutil.rmtree(home, ignore_errors=True)


def _initialise(programs: Path, home: Path, password: str, account: tuple[int, int] | None) -> None:
    secret = home / "pw"
    secret.write_text(password)
    keeper._give(secret, account)
    command = [str(programs / "initdb"), "-D", str(home / "data"), "-U", SUPERUSER, "--no-sync"]
    command += ["-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8", "--no-locale"]
    with (home / "log").open("wb") as log:
        assert keeper._start(command, account, log).wait(PATIENCE_S) == 0, (
            home / "log"
        ).read_text()
    secret.unlink()
