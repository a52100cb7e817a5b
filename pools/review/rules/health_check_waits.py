"""A health check queues for the pool like everybody, for as long as the pool lets it.

When the pool is exhausted the probe waits the full timeout (30 s by default; asyncpg: for
ever), misses the orchestrator's deadline, and healthy processes are restarted in the middle
of the overload. Readiness needs a short limit of its own; liveness does not touch the pool.
Source: otari issue 1240 (a readiness probe that waits 30 s).
"""

import ast
from collections.abc import Iterator

from pools.review.health import is_health_check
from pools.review.holds import holds, uses
from pools.review.lifetimes import is_test
from pools.review.limits import is_limited
from pools.review.made import made
from pools.review.rule import Found, WhatIf
from pools.review.syntax import Function, inside, start
from pools.review.things import ENGINE, PG_CONNECTION, PG_POOL, SYNC_ENGINE, receiver
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.worth import number
from sim.scenario import Scenario

SHORT_S = 5.0
_FETCHES = frozenset({"fetch", "fetchval", "fetchrow", "execute"})


def find(module: Module) -> Iterator[Found]:
    """Yield the first acquire in each health check that has no short limit."""
    for function in module.functions:
        if is_test(function) or not is_health_check(function):
            continue
        found = sorted(_acquires(module, function), key=start)
        if found:
            yield Found(
                found[0],
                f"{function.name} waits for a connection as long as the pool lets it: when the pool"
                " is exhausted the probe fails too, and the process is restarted in overload.",
                "Put a short limit of its own around it, `async with asyncio.timeout(1):`, and let"
                " liveness answer without the pool.",
            )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Say how long the probe may hang here."""
    if scenario.pool.capacity is None:
        return None
    waits_s = scenario.pool.wait_s_max
    how_long = "without limit" if waits_s is None else f"up to {waits_s:g} s"
    return WhatIf(
        said=f"With all {scenario.pool.capacity} connections in use the probe waits {how_long};"
        " an orchestrator's usual limit is 1 s."
    )


def _acquires(module: Module, function: Function) -> Iterator[ast.AST]:
    if not module.once(_fails_fast):
        for hold in holds(module):
            if hold.function is function and hold.thing != PG_CONNECTION:
                # A session acquires at its first use.
                node = next(uses(hold), None) if hold.is_lazy else hold.acquired
                if node is not None and not is_limited(module, node):
                    yield node
    for node in inside(function):
        if isinstance(node, ast.Call) and receiver(module, node) == PG_POOL:
            name = getattr(node.func, "attr", "")
            is_short = name == "acquire" and _is_short(module, node)
            if name in _FETCHES | {"acquire"} and not is_short and not is_limited(module, node):
                yield node


def _is_short(module: Module, call: ast.Call) -> bool:
    """Whether an acquire has a timeout of its own that is short, or not known."""
    given = next((k.value for k in call.keywords if k.arg in {"timeout", None}), None)
    limit_s = number(evaluate(module, given)) if given is not None else None
    return given is not None and (limit_s is None or limit_s <= SHORT_S)


def _fails_fast(module: Module) -> bool:
    """Whether the engine made here gives up soon, or its pool_timeout is not known."""
    for one in made(module, ENGINE, SYNC_ENGINE):
        answer = one.argument(module, "pool_timeout")
        limit_s = number(answer)
        if answer is not None and (limit_s is None or limit_s <= SHORT_S):
            return True
    return False


BAD = (
    """
from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

router = APIRouter()
engine: AsyncEngine


@router.get("/healthz")
async def healthz():
    async with engine.connect() as connection:  # <-
        await connection.execute(text("SELECT 1"))
    return {"status": "ok"}
""",
    """
import asyncpg
from aiohttp import web

routes = web.RouteTableDef()


@routes.get("/ready")
async def ready(request: web.Request) -> web.Response:
    pool: asyncpg.Pool = request.app["pool"]
    async with pool.acquire() as connection:  # <-
        await connection.execute("SELECT 1")
    return web.Response(text="ready")
""",
    """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from .engine import engine, lifespan

app = FastAPI(lifespan=lifespan)
sessions = async_sessionmaker(engine)


async def get_session():
    async with sessions() as session:
        yield session


@app.get("/health/ready")
async def readiness(session: Annotated[AsyncSession, Depends(get_session)]):
    await session.execute(text("SELECT 1"))  # <-
    return {"ready": True}
""",
)
GOOD = (
    """
import asyncio
from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

router = APIRouter()
engine: AsyncEngine


@router.get("/livez")
async def livez():
    return {"status": "ok"}


@router.get("/readyz")
async def readyz():
    async with asyncio.timeout(1), engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return {"status": "ok"}
""",
    """
import asyncpg
from aiohttp import web

routes = web.RouteTableDef()


@routes.get("/ready")
async def ready(request: web.Request) -> web.Response:
    pool: asyncpg.Pool = request.app["pool"]
    async with pool.acquire(timeout=1) as connection:
        await connection.execute("SELECT 1", timeout=1)
    return web.Response(text="ready")
""",
    """
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from .lifespan import lifespan

engine = create_async_engine(
    "postgresql+asyncpg://app@db/orders", pool_timeout=2, pool_pre_ping=True
)
app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health():
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return {"status": "ok"}
""",
)
