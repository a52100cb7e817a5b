"""One pool alone may take more connections than the server has.

The server refuses the connection that exceeds max_connections (SQLSTATE 53300), after the
work of authenticating it; nothing queues there, so requests fail that a smaller pool would
have let wait. A pool without a limit does the same as soon as load peaks.
Source: PostgreSQL documentation, Connections and Authentication; observed with asyncpg 0.32.
"""

from collections.abc import Iterator

from pools.kinds import AsyncpgPool, SqlalchemyQueue
from pools.review.capacity import Capacity, behind_pooler, capacities
from pools.review.rule import Found, WhatIf
from pools.review.tree import Module
from pools.review.what_if import with_pool
from sim.scenario import Scenario


def find(module: Module) -> Iterator[Found]:
    """Yield pools whose own limit exceeds the server's."""
    slots = module.context.server.slots
    for one in capacities(module):
        if behind_pooler(module, one.made):
            continue
        if one.total is None or one.total > slots:
            yield Found(
                one.made.call,
                f"{_size(one)}, and the server has {slots} for everybody"
                f" ({module.context.limit}): beyond that it refuses instead of queueing.",
                "Size the pool for its offered load, arrival rate x hold time, and leave room for"
                " every worker and for migrations; let requests wait in the pool.",
            )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare a pool that takes everything with one that shares the server among the fleet."""
    return against_budget(scenario)


def against_budget(scenario: Scenario) -> WhatIf | None:
    """Compare the fleet as it is with one that fits the server."""
    fleet, capacity = scenario.fleet, scenario.pool.capacity
    room = (scenario.server.slots - fleet.other_connections) // fleet.pools
    if (
        scenario.pool.serves != "database"
        or room < 1
        or (capacity is not None and capacity <= room)
    ):
        return None
    if isinstance(scenario.pool, SqlalchemyQueue):
        fixed = with_pool(scenario, pool_size=min(room, 500), max_overflow=0)
    elif isinstance(scenario.pool, AsyncpgPool):
        least = min(scenario.pool.min_size, room)
        fixed = with_pool(scenario, max_size=min(room, 500), min_size=least, init_size=-1)
    else:
        return None
    return WhatIf(
        mistaken=scenario, fixed=fixed, label="pools larger than the server, against pools that fit"
    )


def _size(one: Capacity) -> str:
    if one.total is None:
        return f"{one.said} sets no limit to this pool's connections"
    return f"This pool may open {one.total} connections ({one.said})"


BAD = (
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(  # <-
    "postgresql+asyncpg://app@db/orders", pool_size=100, max_overflow=50, pool_pre_ping=True
)
""",
    """
import asyncpg


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, min_size=50, max_size=500)  # <-
""",
    """
import os

from sqlalchemy.ext.asyncio import create_async_engine

POOL = {
    "pool_size": int(os.environ.get("DB_POOL_SIZE", "20")),
    "max_overflow": -1,
    "pool_pre_ping": True,
}
engine = create_async_engine(os.environ["DATABASE_URL"], **POOL)  # <-
""",
    """
from dataclasses import dataclass

from sqlalchemy import create_engine


@dataclass
class Config:
    pool_size: int = 0
    recycle: int = 30 * 60


config = Config()
engine = create_engine(  # <-
    "postgresql+psycopg://app@db/orders",
    pool_size=config.pool_size,
    pool_recycle=config.recycle,
)
""",
)
GOOD = (
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    "postgresql+asyncpg://app@db/orders", pool_size=20, max_overflow=10, pool_pre_ping=True
)
""",
    """
# postgresql.conf: max_connections = 800
import asyncpg

MAX_SIZE = 20


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, min_size=5, max_size=MAX_SIZE)
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

from .settings import settings

engine = create_async_engine(
    settings.url, pool_size=settings.pool_size, max_overflow=0, pool_pre_ping=True
)
""",
    """
from sqlalchemy import create_engine

engine = create_engine("sqlite:///cache.db", pool_size=0)
""",
    '''
import asyncpg


async def open_pool():
    """PgBouncer stands in front: its clients are no server connections."""
    return await asyncpg.create_pool(
        "postgresql://app@pgbouncer:6432/orders", max_size=200, statement_cache_size=0
    )
''',
)
