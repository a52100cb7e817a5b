"""One way to open a psycopg connection: every argument explicit, each socket through the door.

libpq makes its own sockets, so the guarded loop's `sock_connect` does not see them. In its
place, before libpq is called: the name is resolved here, each address is judged and counted by
the same Door, and libpq is given that address (`hostaddr`), with which it resolves nothing. A
cancel, which takes a second socket to the same address, goes through the Door as well.

libpq takes an empty argument for a missing one and fills it from `PG...` variables and files
(PostgreSQL 18, fe-connect.c, conninfo_add_defaults): so those variables are dropped from this
process, every file is named as one that does not exist, and a server may ask for nothing but
a password (psycopg 3.3.9 with its own libpq 18.6).
"""

import asyncio
import os
import socket
import ssl
import tempfile
from collections.abc import Callable
from functools import cache
from typing import Any, Self

import psycopg

from pools.live.client import Target
from pools.live.guard import Door, GuardedLoop, turn
from pools.live.problems import during
from pools.live.target import Tls

NOWHERE = "/nonexistent/poolwise"
ONLY_PASSWORDS = "none,password,md5,scram-sha-256"
BUILT_IN_AUTHORITIES = "system"
Address = tuple[socket.AddressFamily, Any]


class Ticket:
    """Stands at the Door for a socket that libpq makes: open until the connection is closed."""

    def __init__(self, family: socket.AddressFamily) -> None:
        """Begin as open: from now on it is counted."""
        self.family = family
        self.number: Callable[[], int] = lambda: 0

    def fileno(self) -> int:
        """Return the socket's number, or -1 once it is closed."""
        try:
            return self.number()
        except psycopg.OperationalError:  # libpq has closed it
            return -1

    def close(self) -> None:
        """Have it counted no more."""
        self.number = lambda: -1


class GuardedConnection(psycopg.AsyncConnection[Any]):
    """psycopg's connection, opened by `connect_psycopg` alone."""

    ticket: Ticket
    address: Address
    at_end: list[Callable[[Any], None]]

    @classmethod
    async def open(cls, target: Target, address: Address, timeout_s: float) -> Self:
        """Open one connection to one address. Raises what psycopg and the Door raise."""
        ticket = Ticket(address[0])
        _door().let_out(ticket, address[1])
        try:
            async with asyncio.timeout(timeout_s):
                made = await cls.connect("", **connect_arguments(target, address, timeout_s))
        except BaseException:
            ticket.close()
            raise
        ticket.number = lambda: made.pgconn.socket
        made.ticket, made.address, made.at_end = ticket, address, []
        if target.is_pooled:
            made.prepare_threshold = None
        return made

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109  psycopg's
        """Cancel on a second socket, if the Door lets one more out."""
        ticket = Ticket(self.address[0])
        _door().let_out(ticket, self.address[1])
        try:
            await super().cancel_safe(timeout=timeout)
        finally:
            ticket.close()

    async def close(self) -> None:
        """Close, and say so to whoever listens."""
        await super().close()
        self.ended()

    def get_server_pid(self) -> int:
        """Return the announced process id of the server's side."""
        return self.pgconn.backend_pid

    def add_termination_listener(self, listener: Callable[[Any], None]) -> None:
        """Have a function called once when the connection is closed."""
        self.at_end.append(listener)

    def ended(self) -> None:
        """Call the listeners if the connection is closed; psycopg does not tell by itself."""
        if self.closed:
            listeners, self.at_end = self.at_end, []
            for listener in listeners:
                listener(self)

    def terminate(self) -> None:
        """Close at once. Nothing may watch the socket then: select() fails on a closed one."""
        number, loop = self.ticket.fileno(), asyncio.get_running_loop()
        if number >= 0:
            loop.remove_reader(number)
            loop.remove_writer(number)
        self.pgconn.finish()
        self.ended()


async def connect_psycopg(
    target: Target, *, timeout_s: float, kind: type[GuardedConnection] = GuardedConnection
) -> GuardedConnection:
    """Open one connection, when it is its turn, to the first address that takes it.

    Raises what psycopg raises, noted as from connecting.
    """
    await turn()
    _forget_the_operator()
    with during("connect"):
        failed: Exception | None = None
        for address in await _addresses(target):
            try:
                return await kind.open(target, address, timeout_s)
            except (psycopg.Error, OSError) as error:
                failed = failed or error
        raise failed or psycopg.OperationalError("the name has no address")


def connect_arguments(target: Target, address: Address, timeout_s: float) -> dict[str, Any]:
    """Return the complete arguments of libpq; what it could fill by itself is named here."""
    family, where = address
    settings = dict(target.settings)
    arguments = {
        "host": target.host,
        "hostaddr": "" if family == socket.AF_UNIX else str(where[0]),
        "port": str(target.port),
        "user": target.user,
        "password": target.password.reveal(),
        "dbname": target.database,
        "application_name": settings.pop("application_name", ""),
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "connect_timeout": str(max(2, round(timeout_s))),
        "client_encoding": "utf8",
        "passfile": NOWHERE,
        "require_auth": ONLY_PASSWORDS,
        "gssencmode": "disable",
        "sslcert": NOWHERE,
        "sslkey": NOWHERE,
        "sslcrl": NOWHERE,
        "sslcertmode": "disable",
        "target_session_attrs": "any",
        "load_balance_hosts": "disable",
        **_tls(target.tls),
    }
    return {name: value for name, value in arguments.items() if value}


def _door() -> Door:
    loop = asyncio.get_running_loop()
    return (loop.door if isinstance(loop, GuardedLoop) else None) or Door()


async def _addresses(target: Target) -> list[Address]:
    """Return where a host leads to: a directory to its socket, a name to what it resolves to."""
    if target.host.startswith("/"):
        return [(socket.AF_UNIX, f"{target.host}/.s.PGSQL.{target.port}")]
    found = await asyncio.get_running_loop().getaddrinfo(
        target.host, target.port, type=socket.SOCK_STREAM
    )
    return [(family, where) for family, _, _, _, where in found]


def _tls(tls: Tls) -> dict[str, str]:
    if tls.mode == "disable":
        return {"sslmode": "disable", "sslcertmode": ""}
    if tls.mode == "require":
        return {"sslmode": "require", "sslrootcert": NOWHERE}
    return {"sslmode": "verify-full", "sslrootcert": _authorities(tls.ca)}


@cache
def _authorities(ca: str) -> str:
    """Return the file of an authority, which is in memory alone, or where the system's are."""
    if not ca:
        paths = ssl.get_default_verify_paths()  # libpq's own OpenSSL would look elsewhere
        os.environ["SSL_CERT_FILE"] = paths.cafile or paths.openssl_cafile
        os.environ["SSL_CERT_DIR"] = paths.capath or paths.openssl_capath
        return BUILT_IN_AUTHORITIES
    return _file_of(ca.encode())


def _file_of(text: bytes) -> str:
    """Return the path of a file: in memory where that is possible, it ends with this process."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("authorities")
        os.write(number, text)
        return f"/proc/self/fd/{number}"
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(text)
        return file.name


def _forget_the_operator() -> None:
    """Drop what libpq would fill gaps from. A check's process has none of it anyway."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
