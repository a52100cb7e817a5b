"""A connection is held while a slow third party is waited for.

Hold time is what fills a pool. A request that waits for another service, or for a language
model, with a connection in hand keeps it for seconds where its queries take milliseconds; the
pool then serves capacity / hold time requests per second, whatever the database could do.
Source: Little's law; mem0 issue 6236 (20 to 40 s of model call in each hold).
"""

import ast
from collections.abc import Iterator
from itertools import islice

from pools.review.holds import Hold, holds, is_held_at, uses
from pools.review.lifetimes import is_test, runs_once
from pools.review.rule import Found, WhatIf
from pools.review.syntax import start
from pools.review.things import HTTP, HTTPX, MODEL, thing
from pools.review.tree import Module
from pools.review.what_if import with_hold_added
from sim.scenario import Scenario

CALLS_MAX = 100  # looked at in one hold
ASSUMED_CALL_S = 0.2
_REQUESTS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "request", "send", "stream"}
)
_NAMES = {HTTP: "an HTTP call", HTTPX: "an HTTP call", MODEL: "a model call"}


def find(module: Module) -> Iterator[Found]:
    """Yield HTTP and model calls awaited between acquiring and releasing a connection."""
    seen: set[ast.AST] = set()
    for hold in holds(module):
        if hold.function is not None and (
            is_test(hold.function) or runs_once(module, hold.function)
        ):
            continue
        for call, remote in islice(_remote_calls(module, hold), CALLS_MAX):
            if call not in seen and is_held_at(hold, call):
                seen.add(call)
                yield Found(
                    call,
                    f"{_NAMES[remote].capitalize()} is awaited while {hold.name or 'a connection'}"
                    " is held: its time becomes hold time, and the pool runs dry.",
                    _advice(hold, call),
                )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare with holds that last 200 ms longer."""
    longer = with_hold_added(scenario, ASSUMED_CALL_S)
    if longer is None or scenario.pool.serves != "database":
        return None
    label = f"if the call takes {ASSUMED_CALL_S * 1000:g} ms and the connection is held for it"
    return WhatIf(mistaken=longer, fixed=scenario, label=label)


def _remote_calls(module: Module, hold: Hold) -> Iterator[tuple[ast.Call, str]]:
    for node in hold.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        root = _root(node.func)
        remote = thing(module, root) or thing(module, node.func.value)
        if (remote == MODEL and node.func.attr in {"create", "parse", "stream", "generate"}) or (
            remote in {HTTP, HTTPX} and node.func.attr in _REQUESTS
        ):
            yield node, remote


def _root(node: ast.expr) -> ast.expr:
    """Return what a dotted name starts from: `client` of `client.chat.completions.create`."""
    while isinstance(node, ast.Attribute) and not (
        isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
    ):
        node = node.value
    return node


def _advice(hold: Hold, call: ast.Call) -> str:
    later = any(start(use) > start(call) for use in uses(hold))
    if hold.is_lazy and not later:
        return "Commit, or leave the session's block, before the call: it needs no connection."
    return (
        "Make the call before acquiring, or in between two short holds: read and release, call,"
        " acquire again and write."
    )


BAD = (
    """
import aiohttp
import asyncpg


async def enrich(pool: asyncpg.Pool, http: aiohttp.ClientSession, user_id: int) -> None:
    async with pool.acquire(timeout=2) as connection:
        name = await connection.fetchval("SELECT name FROM users WHERE id = $1", user_id)
        async with http.get("https://api.example.com/score", params={"n": name}) as answer:  # <-
            score = await answer.json()
        await connection.execute("UPDATE users SET score = $1 WHERE id = $2", score, user_id)
""",
    """
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from .app import engine, http_client

router = APIRouter()
maker = async_sessionmaker(engine)
client = httpx.AsyncClient(timeout=30)


async def get_session():
    async with maker() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


@router.post("/pay/{order_id}")
async def pay(order_id: int, session: SessionDep):
    order = (await session.execute(select(Order).where(Order.id == order_id))).scalar_one()
    answer = await client.post("https://pay.example.com", json={"sum": order.sum})  # <-
    order.state = answer.json()["state"]
    await session.commit()
""",
    """
from openai import AsyncOpenAI
from sqlalchemy.ext.asyncio import AsyncEngine


class Assistant:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.model = AsyncOpenAI()

    async def answer(self, question: str) -> str:
        async with self.engine.begin() as connection:
            context = (await connection.exec_driver_sql(SEARCH)).all()
            reply = await self.model.chat.completions.create(messages=[question, context])  # <-
            await connection.exec_driver_sql(INSERT)
        return reply
""",
    """
import aiohttp
import asyncpg


async def sync_prices(pool: asyncpg.Pool, session: aiohttp.ClientSession):
    connection = await pool.acquire(timeout=5)
    try:
        for row in await connection.fetch("SELECT sku FROM products"):
            response = await session.get(f"https://shop.example.com/{row['sku']}")  # <-
            await connection.execute("UPDATE products SET p = $1", await response.text())
    finally:
        await pool.release(connection)
""",
)
GOOD = (
    """
import aiohttp
import asyncpg


async def enrich(pool: asyncpg.Pool, http: aiohttp.ClientSession, user_id: int) -> None:
    name = await pool.fetchval("SELECT name FROM users WHERE id = $1", user_id)
    async with http.get("https://api.example.com/score", params={"n": name}) as answer:
        score = await answer.json()
    async with pool.acquire(timeout=2) as connection:
        await connection.execute("UPDATE users SET score = $1 WHERE id = $2", score, user_id)
""",
    '''
import httpx
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from .app import engine

maker = async_sessionmaker(engine)
client = httpx.AsyncClient(timeout=30)


async def pay(order_id: int):
    """A session takes its connection at the first statement, after the call."""
    async with maker() as session:
        answer = await client.post("https://pay.example.com", json={"id": order_id})
        session.add(Payment(state=answer.json()["state"]))
        await session.commit()
''',
    """
import httpx
from sqlalchemy.ext.asyncio import async_sessionmaker

from .app import engine

maker = async_sessionmaker(engine)


async def notify(client: httpx.AsyncClient, order_id: int):
    async with maker() as session:
        order = await session.get(Order, order_id)
        await session.commit()
        await client.post("https://hooks.example.com", json={"order": order_id})
        session.add(Notified(order=order_id))
        await session.commit()
""",
    """
import asyncpg
from openai import AsyncOpenAI

model = AsyncOpenAI()


async def answer(pool: asyncpg.Pool, question: str) -> str:
    async with pool.acquire(timeout=2) as connection:
        context = await connection.fetch("SELECT text FROM documents LIMIT 5")
    reply = await model.chat.completions.create(messages=[question, context])
    return reply.choices[0].message.content
""",
)
