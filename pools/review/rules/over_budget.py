"""Workers times pool exceeds what the server allows.

Every worker process has a pool of its own. What the fleet may open is replicas x workers x
(pool_size + max_overflow) plus what others hold, and it must fit under max_connections less
the reserved ones, also while a deploy runs old and new side by side.
Source: PostgreSQL documentation, Connections and Authentication; SQLAlchemy, Using Connection
Pools with Multiprocessing.
"""

from collections.abc import Iterator

from pools.review.capacity import behind_pooler, capacities
from pools.review.rule import Found, WhatIf
from pools.review.rules.huge_pool import against_budget
from pools.review.tree import Module
from sim.scenario import Scenario

LEVEL = "error"


def find(module: Module) -> Iterator[Found]:
    """Yield pools that fit the server alone, but not once for each worker."""
    context = module.context
    slots, fleet = context.server.slots, context.fleet
    room = slots - fleet.other_connections
    if fleet.pools < 2:
        return
    for one in capacities(module):
        if one.total is None or one.total > slots or behind_pooler(module, one.made):
            continue
        total = fleet.pools * one.total
        if total > room:
            others = f" + {fleet.other_connections} others" if fleet.other_connections else ""
            yield Found(
                one.made.call,
                f"{fleet.replicas} replicas x {fleet.workers} workers x {one.total} ({one.said})"
                f"{others} = {total + fleet.other_connections} connections, and the server has"
                f" {slots} ({context.limit}).",
                f"Keep each worker's pool within {max(1, room // fleet.pools)} connections, run"
                " fewer workers, or put PgBouncer in front.",
            )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare the fleet as it is with one that fits the server."""
    return against_budget(scenario)


BAD = (
    """
import uvicorn
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(  # <-
    "postgresql+asyncpg://app@db/orders", pool_size=20, max_overflow=10, pool_pre_ping=True
)

if __name__ == "__main__":
    uvicorn.run("main:app", workers=8)
""",
    """
# gunicorn -w 12 -k uvicorn.workers.UvicornWorker main:app
import asyncpg


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, min_size=2)  # <-
""",
    '''
"""The orders API.

Run it:  gunicorn main:app --workers=9 --worker-class uvicorn.workers.UvicornWorker
"""
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(sa.URL.create("postgresql+asyncpg", host="db"),  # <-
                             pool_recycle=1800)
''',
)
GOOD = (
    """
import uvicorn
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    "postgresql+asyncpg://app@db/orders", pool_size=5, max_overflow=5, pool_pre_ping=True
)

if __name__ == "__main__":
    uvicorn.run("main:app", workers=8)
""",
    """
# gunicorn -w 12 -k uvicorn.workers.UvicornWorker main:app
import asyncpg


async def open_pool(dsn):
    return await asyncpg.create_pool(dsn, min_size=2, max_size=6)
""",
    """
import os
import uvicorn
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=40, pool_pre_ping=True)

if __name__ == "__main__":
    uvicorn.run("main:app", workers=int(os.environ["WORKERS"]))
""",
)
