"""Which driver and which calibration a kind has; libraries are loaded by who needs them."""

from collections.abc import Awaitable, Callable, Mapping

from pools.live.calibrate import calibrate_postgres
from pools.live.calibrate_pooled import calibrate_pooled
from pools.live.client import Target
from pools.live.drivers.http import AiohttpDriver
from pools.live.drivers.own_http import OwnHttpDriver
from pools.live.drivers.pooled import (
    PooledAsyncpgDriver,
    PooledSqlalchemyDriver,
    PooledSqlalchemyNullDriver,
)
from pools.live.drivers.postgres import (
    AsyncpgDriver,
    PostgresDriver,
    SqlalchemyDriver,
    SqlalchemyNullDriver,
)
from pools.live.facts import Calibration

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "sqlalchemy": ("sqlalchemy", "asyncpg"),
    "sqlalchemy-null": ("sqlalchemy", "asyncpg"),
    "asyncpg": ("asyncpg",),
    "psycopg": ("psycopg-pool", "psycopg"),
    "aiohttp": ("aiohttp",),
    "httpx": ("httpx", "httpcore"),
}
HTTP_KINDS = frozenset({"aiohttp", "httpx"})
DIRECT: Mapping[str, type[PostgresDriver]] = {
    "sqlalchemy": SqlalchemyDriver,
    "sqlalchemy-null": SqlalchemyNullDriver,
    "asyncpg": AsyncpgDriver,
}
POOLED: Mapping[str, type[PostgresDriver]] = {
    "sqlalchemy": PooledSqlalchemyDriver,
    "sqlalchemy-null": PooledSqlalchemyNullDriver,
    "asyncpg": PooledAsyncpgDriver,
}
Tell = Callable[[float], None]


def database_driver(kind: str, *, pooled: bool = False) -> type[PostgresDriver]:
    """Return the driver of a kind; `pooled`: behind a pooler in transaction mode."""
    if kind == "psycopg":
        from pools.live.drivers import psycopg  # noqa: PLC0415  loads libpq

        return psycopg.PooledPsycopgDriver if pooled else psycopg.PsycopgDriver
    return POOLED[kind] if pooled else DIRECT[kind]


def calibration(
    kind: str, *, pooled: bool = False
) -> Callable[[Target, Tell], Awaitable[Calibration]]:
    """Return what measures the costs that matter to a database pool of a kind."""
    if kind == "psycopg":
        from pools.live.calibrate_psycopg import calibrate_psycopg  # noqa: PLC0415  loads libpq

        return calibrate_psycopg
    measure = calibrate_pooled if pooled else calibrate_postgres

    async def calibrate(target: Target, tell: Tell) -> Calibration:
        return await measure(target, kind, tell)

    return calibrate


def http_driver(kind: str) -> type[AiohttpDriver]:
    """Return the driver of a kind on the local HTTP server."""
    if kind == "httpx":
        from pools.live.drivers.httpx import HttpxDriver  # noqa: PLC0415  httpx is slow to load

        return HttpxDriver
    return AiohttpDriver


def own_http_driver(kind: str) -> type[OwnHttpDriver]:
    """Return the driver of a kind on an endpoint that a person names."""
    if kind == "httpx":
        from pools.live.drivers.own_httpx import OwnHttpxDriver  # noqa: PLC0415  slow to load

        return OwnHttpxDriver
    return OwnHttpDriver
