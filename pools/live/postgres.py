"""A throw-away PostgreSQL server: made in under a second, gone when its owner is.

The server listens on a Unix socket in a private directory only, asks every role for a
password (SCRAM), and is watched over by a keeper process (`pools/live/keeper.py`). PostgreSQL
refuses to run as root: there, the server alone runs as the account `nobody`.
"""

import asyncio
import contextlib
import json
import os
import pwd
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pools.live.binaries import Binaries, find_binaries
from pools.live.client import Target, connect
from pools.live.secret import Secret

PORT = 5432
ROLE = "poolwise_check"
DATABASE = "postgres"
COUNT = "SELECT sum(numbackends)::int FROM pg_stat_database"
CLOSE_S = 3.0
SCRUBBED = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/nonexistent"}
ACCOUNT_FOR_ROOT = "nobody"
FIXED_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "autovacuum": "off",
    "jit": "off",
    "logging_collector": "off",
}


class ServerFailed(RuntimeError):
    """The throw-away server could not be made; `code` is the keeper's word for why."""

    def __init__(self, code: str, text: str) -> None:
        """Keep the code; the text is the server program's own last words, cut."""
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class EmbeddedPostgres:
    """A running throw-away server. Use as a context manager, or call `close`."""

    binaries: Binaries
    max_connections: int
    reserved: int
    socket_dir: Path
    postmaster: int
    keeper: "subprocess.Popen[bytes]" = field(repr=False)
    role_password: Secret
    superuser_password: Secret

    @property
    def socket_path(self) -> Path:
        """Its socket: the one place where it listens."""
        return self.socket_dir / f".s.PGSQL.{PORT}"

    @property
    def target(self) -> Target:
        """Where and as whom a check connects: a role without any privilege."""
        return Target(str(self.socket_dir), PORT, ROLE, self.role_password, DATABASE)

    @property
    def control(self) -> Target:
        """Where and as whom the owner observes: a superuser, who has the reserved slots."""
        return Target(str(self.socket_dir), PORT, "postgres", self.superuser_password, DATABASE)

    def close(self) -> None:
        """Stop the server and remove its directory. May be called twice."""
        if self.keeper.stdin:
            self.keeper.stdin.close()
        try:
            self.keeper.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self.keeper.terminate()
            self.keeper.wait(CLOSE_S)
        if self.keeper.stdout:
            self.keeper.stdout.close()

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.close()


def start(
    max_connections: int,
    *,
    reserved: int = 3,
    role_limit: int = -1,
    binaries: Binaries | None = None,
    places: tuple[str, ...] = (),
    held_open: tuple[int, ...] = (),
) -> EmbeddedPostgres:
    """Make and start a throw-away server; call from a thread without a running event loop.

    `reserved` slots of `max_connections` are for superusers alone; `role_limit` is the
    CONNECTION LIMIT of the role that checks use (-1: none); `places` are directories to try
    first for the server's own; `held_open` are descriptors that the keeper holds until the
    server is gone. Raises NoBinaries or ServerFailed.
    """
    binaries = binaries or find_binaries()
    superuser, role = Secret(secrets.token_urlsafe(24)), Secret(secrets.token_urlsafe(24))
    settings = FIXED_SETTINGS | {
        "max_connections": str(max_connections),
        "superuser_reserved_connections": str(reserved),
    }
    if binaries.major >= 18:
        settings["io_method"] = "sync"
    keeper = _start_keeper(held_open)
    server = None
    try:
        ready = _order(keeper, binaries, superuser.reveal(), settings, places)
        server = EmbeddedPostgres(
            binaries,
            max_connections,
            reserved,
            Path(ready["socket_dir"]),
            ready["postmaster"],
            keeper,
            role,
            superuser,
        )
        asyncio.run(_make_role(server, role_limit))
    except BaseException:
        _abandon(keeper)
        raise
    return server


def account_for_server() -> tuple[int, int] | None:
    """Return the uid and gid the server must run as, or None for our own."""
    if os.geteuid() != 0:
        return None
    try:
        account = pwd.getpwnam(ACCOUNT_FOR_ROOT)
    except KeyError:
        raise ServerFailed(
            "no_account",
            f"PostgreSQL does not run as root and there is no account {ACCOUNT_FOR_ROOT!r}",
        ) from None
    return account.pw_uid, account.pw_gid


def _start_keeper(held_open: tuple[int, ...]) -> "subprocess.Popen[bytes]":
    program = Path(__file__).with_name("keeper.py")
    return subprocess.Popen(  # noqa: S603  our own script, fixed arguments
        [sys.executable, "-I", "-S", str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=SCRUBBED,
        cwd="/",
        start_new_session=True,
        pass_fds=held_open,
    )


def _order(
    keeper: "subprocess.Popen[bytes]",
    binaries: Binaries,
    password: str,
    settings: dict[str, str],
    places: tuple[str, ...],
) -> dict[str, Any]:
    order = {
        "directory": str(binaries.directory),
        "password": password,
        "settings": settings,
        "places": [*places, tempfile.gettempdir()],
        "user": account_for_server(),
    }
    if keeper.stdin is None or keeper.stdout is None:
        raise ServerFailed("keeper_ended", "the keeper has no pipes")
    keeper.stdin.write(json.dumps(order).encode() + b"\n")
    keeper.stdin.flush()
    answer = keeper.stdout.readline()
    if not answer:
        raise ServerFailed("keeper_ended", "the keeper process ended before the server was ready")
    message: dict[str, Any] = json.loads(answer)
    if "ready" not in message:
        raise ServerFailed(message["code"], message["text"])
    return message


def _abandon(keeper: "subprocess.Popen[bytes]") -> None:
    for pipe in (keeper.stdin, keeper.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    keeper.wait(CLOSE_S)


async def _make_role(server: EmbeddedPostgres, limit: int) -> None:
    """Make the role for checks: it may log in, read settings and sleep, and nothing else."""
    connection = await connect(server.control, timeout_s=CLOSE_S)
    try:
        await connection.execute(
            f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
            f"CONNECTION LIMIT {int(limit)} PASSWORD '{server.role_password.reveal()}';"
            f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;"
            f"GRANT CONNECT ON DATABASE {DATABASE} TO {ROLE};"
            f"REVOKE ALL ON SCHEMA public FROM PUBLIC"
        )
    finally:
        await connection.close(timeout=CLOSE_S)
