"""Runs every client against a rogue server, in an environment full of an operator's secrets.

Started by `test_poisoned_environment.py` with HOME and PG... variables poisoned; its arguments
are the rogue's port and the file of its authority. Prints how many connects it tried.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

import asyncpg

from pools.live import check
from pools.live.asking import target_of
from pools.live.client import connect
from pools.live.drivers.own_http import OwnHttpDriver
from pools.live.drivers.pooled import PooledAsyncpgDriver, PooledSqlalchemyDriver
from pools.live.drivers.postgres import AsyncpgDriver, SqlalchemyDriver
from pools.live.reading import http_from_url, postgres_from_dsn
from pools.live.record import Record
from pools.live.restraint import Restraint
from pools.live.secret import Secret
from pools.live.target import OwnPostgres

GIVEN = "given-by-the-user"
DRIVERS = (SqlalchemyDriver, PooledSqlalchemyDriver, AsyncpgDriver, PooledAsyncpgDriver)
ARGUMENTS = {
    SqlalchemyDriver: {"pool_size": 1},
    PooledSqlalchemyDriver: {"pool_size": 1},
}
ASYNCPG = {"min_size": 1, "max_size": 1, "init_size": -1, "max_queries": 9, "acquire_timeout": 5.0}
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
    return 1 + len(DRIVERS)


async def http(port: int, ca: bytes) -> int:
    """Ask the rogue by HTTP, with and without TLS."""
    for scheme, authority in (("http", b""), ("https", ca)):
        target = http_from_url(Secret(f"{scheme}://127.0.0.1:{port}/x"), ca=authority)
        driver = OwnHttpDriver(target, {"limit": 1}, Restraint())
        await driver.open(Record.of([0.0]), 0)
        await driver.request(0, 0.0)
        await driver.close()
    return 2


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
    with contextlib.suppress(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://u@127.0.0.1:{port}/d", timeout=TIMEOUT_S)


def main() -> None:
    """Try everything that the first argument names."""
    what, port, ca = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_bytes()
    if what == "leak":
        asyncio.run(leak(port))
        return
    own = targets(port, ca)
    tried = sum(asyncio.run(libraries(target)) for target in own)
    tried += asyncio.run(http(port, ca))
    tried += whole_checks([own[0], own[4]])
    print(tried)


if __name__ == "__main__":
    main()
