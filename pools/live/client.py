"""One way to open a PostgreSQL connection: every argument explicit, nothing from outside.

asyncpg fills what is missing from environment variables, `~/.pgpass`, service files and
client certificates of whoever runs this program. Every fallback is named and switched off
here (asyncpg 0.32.0, `connect_utils._parse_connect_dsn_and_args`), so that a check can only
ever use what it was given.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, TypeAlias

import asyncpg

from pools.live.guard import turn
from pools.live.problems import during
from pools.live.secret import Secret
from pools.live.target import Tls

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
APPLICATION_NAME = "poolwise"
NO_TLS = Tls("disable")
BUILT_IN_SETTINGS: Mapping[str, str] = MappingProxyType(
    {"application_name": APPLICATION_NAME, "jit": "off"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect and as whom. `host` is a host name or a socket directory.

    `settings` are asked for as the connection starts; `command_timeout_s` ends each statement
    on this side. Behind a pooler (`is_pooled`) no prepared statement outlives its use.
    """

    host: str
    port: int
    user: str
    password: Secret
    database: str
    tls: Tls = NO_TLS
    settings: Mapping[str, str] = field(default_factory=lambda: BUILT_IN_SETTINGS)
    command_timeout_s: float | None = None
    is_pooled: bool = False


def connect_arguments(target: Target, *, timeout_s: float) -> dict[str, Any]:
    """Return the complete keyword arguments of `asyncpg.connect`; no fallback is left open."""
    arguments: dict[str, Any] = {
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "password": target.password.reveal(),
        "database": target.database,
        "ssl": tls_context(target.tls) or False,
        "direct_tls": False,
        "passfile": os.devnull,
        "service": "",
        "servicefile": os.devnull,
        "target_session_attrs": "any",
        "krbsrvname": "postgres",
        "gsslib": "gssapi",
        "timeout": timeout_s,
        "command_timeout": target.command_timeout_s,
        "server_settings": dict(target.settings),
    }
    return arguments | ({"statement_cache_size": 0} if target.is_pooled else {})


@cache
def tls_context(tls: Tls) -> ssl.SSLContext | None:
    """Return what verifies the server, or None for no TLS. No client certificate is in it."""
    if tls.mode == "disable":
        return None
    if tls.mode == "verify-full":
        return ssl.create_default_context(cadata=tls.ca or None)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def connect(target: Target, *, timeout_s: float) -> Connection:
    """Open one connection, when it is its turn.

    Raises what asyncpg raises, noted as from connecting.
    """
    await turn()
    with during("connect"):
        return await asyncpg.connect(**connect_arguments(target, timeout_s=timeout_s))
