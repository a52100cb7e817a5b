"""Runs every client against a rogue server, in an environment full of an operator's secrets.

Started by `test_poisoned_environment.py` with HOME and PG... variables poisoned; its arguments
are the rogue's port and the file of its authority. Prints how many connects it tried.
"""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import asyncpg
import psycopg

from pools.live import check
from pools.live.asking import target_of
from pools.live.client import connect
from pools.live.clock import precise_loop
from pools.live.drivers.own_http import OwnHttpDriver
from pools.live.drivers.own_httpx import OwnHttpxDriver
from pools.live.drivers.pooled import PooledAsyncpgDriver, PooledSqlalchemyDriver
from pools.live.drivers.postgres import AsyncpgDriver, SqlalchemyDriver
from pools.live.drivers.psycopg import PooledPsycopgDriver, PsycopgDriver
from pools.live.guard import Door, GuardedLoop, only
from pools.live.policy import Policy
from pools.live.reading import http_from_url, postgres_from_dsn
from pools.live.record import Record
from pools.live.restraint import Restraint
from pools.live.secret import Secret
from pools.live.target import OwnPostgres

POISON = dict(os.environ)
GIVEN = "given-by-the-user"
DRIVERS = (
    SqlalchemyDriver,
    PooledSqlalchemyDriver,
    AsyncpgDriver,
    PooledAsyncpgDriver,
    PsycopgDriver,
    PooledPsycopgDriver,
)
PSYCOPG = {
    "min_size": 0,
    "max_size": 1,
    "timeout": 0.5,
    "max_lifetime": 60.0,
    "check": False,
    "reset": False,
}
ARGUMENTS = {
    SqlalchemyDriver: {"pool_size": 1},
    PooledSqlalchemyDriver: {"pool_size": 1},
    PsycopgDriver: PSYCOPG,
    PooledPsycopgDriver: PSYCOPG,
}
ASYNCPG = {"min_size": 1, "max_size": 1, "init_size": -1, "max_queries": 9, "acquire_timeout": 5.0}
HTTPX = {
    "max_connections": 1,
    "max_keepalive_connections": 1,
    "keepalive_expiry": 5.0,
    "pool_timeout": 5.0,
    "connect_timeout": 5.0,
}
TIMEOUT_S = 5.0


def targets(port: int, ca: bytes) -> list[OwnPostgres]:
    """Return TLS on and off, each without a password, with an empty one, with one."""
    return [
        postgres_from_dsn(Secret(f"postgresql://u{password}@127.0.0.1:{port}/d"), ca=authority)
        for authority in (b"", ca)
        for password in ("", ":", f":{GIVEN}")
    ]


async def libraries(target: OwnPostgres) -> int:
    """Connect with each library, the way checks do; the rogue refuses every login."""
    plain = target_of(target, "test")
    with contextlib.suppress(asyncpg.InvalidPasswordError):
        await connect(plain, timeout_s=TIMEOUT_S)
    for kind in DRIVERS:
        driver = kind(plain, ARGUMENTS.get(kind, ASYNCPG))
        with contextlib.suppress(asyncpg.InvalidPasswordError):
            await driver.open(Record.of([0.0]), 0)
            await driver.request(0, 0.0)
            await driver.close()
        os.environ.update(POISON)  # psycopg's connect drops it from this process
    return 1 + len(DRIVERS)


async def http(port: int, ca: bytes) -> int:
    """Ask the rogue by HTTP, with and without TLS."""
    for scheme, authority in (("http", b""), ("https", ca)):
        target = http_from_url(Secret(f"{scheme}://127.0.0.1:{port}/x"), ca=authority)
        for kind, arguments in ((OwnHttpDriver, {"limit": 1}), (OwnHttpxDriver, HTTPX)):
            driver = kind(target, arguments, Restraint())
            await driver.open(Record.of([0.0]), 0)
            await driver.request(0, 0.0)
            await driver.close()
    return 4


def whole_checks(own: list[OwnPostgres]) -> int:
    """Let whole checks look, in their child processes."""
    for target in own:
        made = check.look(target)
        made.wait()
        assert made.problem is not None
        assert made.problem.code == "PW-DB-28P01", made.problem
    return len(own)


async def leak(port: int) -> None:
    """Do what a check never does, to show that the poison works."""
    dsn = f"postgresql://u@127.0.0.1:{port}/d"
    with contextlib.suppress(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn, timeout=TIMEOUT_S)
    with contextlib.suppress(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(dsn, service=None)


def main() -> None:
    """Try everything that the first argument names."""
    what, port, ca = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_bytes()
    if what == "leak":
        asyncio.run(leak(port))
        return
    own = targets(port, ca)
    with asyncio.Runner(loop_factory=lambda: precise_loop(GuardedLoop)) as runner:
        runner.get_loop().door = Door(only(Policy(), "127.0.0.1", port), 50)
        tried = sum(runner.run(libraries(target)) for target in own)
        tried += runner.run(http(port, ca))
    tried += whole_checks([own[0], own[4]])
    print(tried)


if __name__ == "__main__":
    main()
