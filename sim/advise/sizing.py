"""How each kind of pool spells its size, and how many connections it keeps while idle."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pools.kinds import (
    AiohttpConnector,
    AsyncpgPool,
    HttpxPool,
    Pool,
    PsycopgPool,
    SqlalchemyQueue,
)

CONNECTIONS_MAX = 500


@dataclass(frozen=True, slots=True)
class Sizing:
    """How to give a pool a size, and then the fewest connections that it keeps.

    `sized` makes a pool that keeps all of its connections; `keeping` lowers what it keeps (for
    aiohttp: what one host may have). `kept` says how many stay while nothing is asked.
    `starts_at` is the least worth trying, from connections in use per pool and size.
    """

    sized: Callable[[Pool, int], Pool]
    keeping: Callable[[Pool, int], Pool]
    kept: Callable[[Pool], int]
    starts_at: Callable[[float, int], int]


def sizing_of(pool: Pool) -> Sizing | None:
    """Return how that kind is sized, or None if it has no size."""
    return _SIZINGS.get(type(pool))


def kept(pool: Pool) -> int:
    """Return the connections that a pool keeps while nothing is asked."""
    found = sizing_of(pool)
    return found.kept(pool) if found else 0


def _one(_in_use: float, _size: int) -> int:
    return 1


def _in_use(in_use: float, size: int) -> int:
    return min(size, math.ceil(in_use))


def _sqlalchemy(pool: Pool, size: int) -> Pool:
    return replace(pool, pool_size=size, max_overflow=0)


def _sqlalchemy_keeping(pool: Pool, keep: int) -> Pool:
    return replace(pool, pool_size=keep, max_overflow=(pool.capacity or keep) - keep)


def _asyncpg(pool: Pool, size: int) -> Pool:
    return replace(pool, max_size=size, min_size=size, init_size=-1)


def _psycopg(pool: Pool, size: int) -> Pool:
    return replace(pool, max_size=size, min_size=size)


def _floor(pool: Pool, keep: int) -> Pool:
    return replace(pool, min_size=keep)


def _aiohttp(pool: Pool, size: int) -> Pool:
    return replace(pool, limit=size, limit_per_host=0)


def _per_host(pool: Pool, keep: int) -> Pool:
    return replace(pool, limit_per_host=keep)


def _httpx(pool: Pool, size: int) -> Pool:
    return replace(pool, max_connections=size, max_keepalive_connections=size)


def _keepalive(pool: Pool, keep: int) -> Pool:
    return replace(pool, max_keepalive_connections=keep)


def _attribute(name: str) -> Callable[[Pool], int]:
    return lambda pool: int(getattr(pool, name))


_SIZINGS: Mapping[type[Pool], Sizing] = {
    SqlalchemyQueue: Sizing(_sqlalchemy, _sqlalchemy_keeping, _attribute("pool_size"), _one),
    AsyncpgPool: Sizing(_asyncpg, _floor, _attribute("min_size"), _in_use),
    PsycopgPool: Sizing(_psycopg, _floor, _attribute("min_size"), _in_use),
    AiohttpConnector: Sizing(_aiohttp, _per_host, lambda _pool: 0, _in_use),
    HttpxPool: Sizing(_httpx, _keepalive, _attribute("max_keepalive_connections"), _one),
}
