"""One way to open a PostgreSQL connection: every argument explicit, nothing from outside.

asyncpg fills what is missing from environment variables, `~/.pgpass`, service files and
client certificates of whoever runs this program. Every fallback is named and switched off
here (asyncpg 0.32.0, `connect_utils._parse_connect_dsn_and_args`), so that a check can only
ever use what it was given.
"""

import os
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
APPLICATION_NAME = "poolwise"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect and as whom. `host` is a host name or a socket directory."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str


def connect_arguments(target: Target, *, timeout_s: float) -> dict[str, Any]:
    """Return the complete keyword arguments of `asyncpg.connect`; no fallback is left open."""
    return {
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "password": target.password or "",
        "database": target.database,
        "ssl": False,
        "direct_tls": False,
        "passfile": os.devnull,
        "service": "",
        "servicefile": os.devnull,
        "target_session_attrs": "any",
        "krbsrvname": "postgres",
        "gsslib": "gssapi",
        "timeout": timeout_s,
        "server_settings": {"application_name": APPLICATION_NAME, "jit": "off"},
    }


async def connect(target: Target, *, timeout_s: float) -> Connection:
    """Open one connection. Raises what asyncpg raises."""
    return await asyncpg.connect(**connect_arguments(target, timeout_s=timeout_s))
