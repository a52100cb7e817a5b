"""A second connection is taken while the first one is held.

If every connection is held by a request that waits for its second one, nobody can go on: the
pool is deadlocked until timeouts fire. With Tn requests at once that need Cm connections each,
only a pool of at least Tn x (Cm - 1) + 1 is free of it.
Source: HikariCP wiki, About Pool Sizing ("pool-locking").
"""

import ast
from collections.abc import Iterator

from pools.review.holds import Hold, holds, is_held_at, same
from pools.review.lifetimes import is_test, runs_once
from pools.review.rule import Found, WhatIf
from pools.review.syntax import Function, last_name
from pools.review.taken import calls_on_pool, lends_again
from pools.review.tree import Module
from sim.scenario import Scenario

LEVEL = "error"
_ADVICE = (
    "Do all of it on the connection already held (hand it on as an argument), or release the"
    " first one before taking the second."
)


def find(module: Module) -> Iterator[Found]:
    """Yield acquires inside the block of another acquire of the same pool."""
    seen: set[ast.AST] = set()
    for outer in holds(module):
        if outer.lender is None or _is_alone(module, outer.function):
            continue
        for node, why in (
            *_blocks(module, outer),
            *_calls(module, outer),
            *_helpers(module, outer),
        ):
            if node not in seen and is_held_at(outer, node):
                seen.add(node)
                yield Found(node, why, _ADVICE)


def what_if(scenario: Scenario) -> WhatIf | None:
    """Say from how many simultaneous requests on the pool can lock up."""
    capacity = scenario.pool.capacity
    if capacity is None or scenario.pool.serves != "database":
        return None
    load = scenario.offered_load / scenario.fleet.pools
    each = "" if scenario.workload.is_closed else f"; here {load:.3g} are in the pool on average"
    return WhatIf(
        said=f"{capacity} requests at once, each holding its first connection, lock this pool of"
        f" {capacity} up{each}. To be free of it with Tn requests at once it needs Tn + 1."
    )


def _is_alone(module: Module, function: Function | None) -> bool:
    """Whether code runs alone, so that nobody competes for the pool: start-up, scripts, tests."""
    return function is not None and (is_test(function) or runs_once(module, function))


def _blocks(module: Module, outer: Hold) -> Iterator[tuple[ast.AST, str]]:
    """Yield acquires written inside the block of another one."""
    acquired = module.once(_by_acquire)
    for node in outer.nodes:
        inner = acquired.get(node)
        if inner is None or inner is outer or inner.function is not outer.function:
            continue
        if same(inner.lender, outer.lender) and inner.name != outer.name:
            yield node, _why("This", outer)


def _by_acquire(module: Module) -> dict[ast.AST, Hold]:
    return {hold.acquired: hold for hold in holds(module)}


def _calls(module: Module, outer: Hold) -> Iterator[tuple[ast.AST, str]]:
    """Yield `await pool.fetch(...)`, which takes a connection of its own."""
    for call in calls_on_pool(module, outer.nodes):
        if isinstance(call.func, ast.Attribute) and same(call.func.value, outer.lender):
            yield call, _why(f"{call.func.attr} on the pool", outer)


def _helpers(module: Module, outer: Hold) -> Iterator[tuple[ast.AST, str]]:
    """Yield calls of functions that acquire from the pool handed to them, or from the same one."""
    for node in outer.nodes:
        if isinstance(node, ast.Call) and lends_again(module, node, outer):
            yield node, _why(last_name(node.func), outer)


def _why(who: str, outer: Hold) -> str:
    return (
        f"{who} takes a second connection of the same pool while {outer.name or 'one'} is held:"
        " under load all connections wait for each other."
    )


BAD = (
    """
import asyncpg


async def transfer(pool: asyncpg.Pool, source: int, target: int, amount: int) -> None:
    async with pool.acquire(timeout=5) as connection:
        await connection.execute("UPDATE a SET n = n - $1 WHERE id = $2", amount, source)
        async with pool.acquire(timeout=5) as other:  # <-
            await other.execute("UPDATE a SET n = n + $1 WHERE id = $2", amount, target)
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://app@db/orders", pool_pre_ping=True)


async def copy_orders():
    async with engine.connect() as reader:
        rows = await reader.stream(SELECT)
        async for row in rows:
            async with engine.begin() as writer:  # <-
                await writer.execute(INSERT, row)
""",
    """
import asyncpg


class Repository:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def order(self, number: int):
        async with self.pool.acquire(timeout=2) as connection:
            order = await connection.fetchrow("SELECT * FROM orders WHERE id = $1", number)
            lines = await self.pool.fetch("SELECT * FROM lines WHERE order_id = $1", number)  # <-
        return order, lines
""",
    """
import asyncpg

pool: asyncpg.Pool


async def user(number: int):
    return await pool.fetchrow("SELECT * FROM users WHERE id = $1", number)


async def author(post):
    return await user(post["author"])


async def page(number: int):
    async with pool.acquire(timeout=2) as connection, connection.transaction():
        post = await connection.fetchrow("SELECT * FROM posts WHERE id = $1", number)
        return post, await author(post)  # <-
""",
    """
from sqlalchemy.ext.asyncio import async_sessionmaker

from .engine import engine

Session = async_sessionmaker(engine, expire_on_commit=False)


async def audit(action: str) -> None:
    async with Session.begin() as session:
        session.add(Entry(action=action))


async def cancel(number: int) -> None:
    async with Session() as session:
        order = await session.get(Order, number)
        order.cancelled = True
        await audit("cancelled")  # <-
        await session.commit()
""",
    """
from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool("dbname=shop", min_size=2, max_size=10, open=False)


async def export(write):
    async with pool.connection() as connection:
        async for row in connection.cursor().stream("SELECT * FROM orders"):
            async with pool.connection() as other:  # <-
                await other.execute("UPDATE orders SET exported = true WHERE id = %s", [row[0]])
""",
    """
import asyncpg

async def name_of(pool, user_id):
    async with pool.acquire(timeout=2) as connection:
        return await connection.fetchval("SELECT name FROM users WHERE id = $1", user_id)


async def report(pool: asyncpg.Pool):
    async with pool.acquire(timeout=2) as connection:
        for row in await connection.fetch("SELECT * FROM orders"):
            print(await name_of(pool, row["user_id"]))  # <-
""",
    """
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from .engine import engine, lifespan

sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI(lifespan=lifespan)


async def get_session():
    async with sessions() as session:
        yield session


@app.post("/orders")
async def order(session: AsyncSession = Depends(get_session)):
    user = await session.get(User, 1)
    async with sessions() as audit:  # <-
        audit.add(Entry(user=user.id))
        await audit.commit()
""",
)
GOOD = (
    """
import asyncpg


async def transfer(pool: asyncpg.Pool, source: int, target: int, amount: int) -> None:
    async with pool.acquire(timeout=5) as connection, connection.transaction():
        await connection.execute("UPDATE a SET n = n - $1 WHERE id = $2", amount, source)
        await connection.execute("UPDATE a SET n = n + $1 WHERE id = $2", amount, target)
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

source = create_async_engine("postgresql+asyncpg://app@old/orders", pool_pre_ping=True)
target = create_async_engine("postgresql+asyncpg://app@new/orders", pool_pre_ping=True)


async def copy_orders():
    async with source.connect() as reader, target.begin() as writer:
        rows = await reader.stream(SELECT)
        async for row in rows:
            await writer.execute(INSERT, row)
""",
    """
import asyncpg


class Repository:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def order(self, number: int):
        async with self.pool.acquire(timeout=2) as connection:
            order = await connection.fetchrow("SELECT * FROM orders WHERE id = $1", number)
        lines = await self.pool.fetch("SELECT * FROM lines WHERE order_id = $1", number)
        return order, lines
""",
    """
import asyncpg


async def name_of(connection, user_id):
    return await connection.fetchval("SELECT name FROM users WHERE id = $1", user_id)


async def report(pool: asyncpg.Pool):
    async with pool.acquire(timeout=2) as connection:
        for row in await connection.fetch("SELECT * FROM orders"):
            print(await name_of(connection, row["user_id"]))
""",
    """
from sqlalchemy.ext.asyncio import async_sessionmaker

from .engine import engine

sessions = async_sessionmaker(engine)


async def order(number: int):
    async with sessions() as session:
        row = await session.get(Order, number)
        await session.commit()
        async with sessions() as audit:
            audit.add(Entry(order=number))
            await audit.commit()
""",
    """
import asyncio
import asyncpg

pool: asyncpg.Pool


async def note(text: str) -> None:
    await pool.execute("INSERT INTO notes (text) VALUES ($1)", text)


async def order(number: int) -> None:
    async with pool.acquire(timeout=2) as connection:
        await connection.execute("UPDATE orders SET done = true WHERE id = $1", number)
        task = asyncio.create_task(note("done"))
    await task
""",
    """
from sqlalchemy.ext.asyncio import async_sessionmaker

from .engine import engine

Session = async_sessionmaker(engine, expire_on_commit=False)


async def audit(session, action: str) -> None:
    session.add(Entry(action=action))
    await session.flush()


async def cancel(number: int) -> None:
    async with Session() as session:
        order = await session.get(Order, number)
        order.cancelled = True
        await audit(session, "cancelled")
        await session.commit()
""",
    """
import sqlalchemy as sa

from .engines import read_engine, write_engine


def tables() -> list[str]:
    engine = read_engine()
    with engine.connect() as connection:
        return [row.name for row in connection.execute(sa.text("SELECT name FROM tables"))]


def drop(backend, name: str) -> None:
    engine = write_engine()
    with engine.begin() as connection:
        if name in tables():
            connection.execute(sa.text("SELECT drop_table(:name)"), {"name": name})
""",
)
