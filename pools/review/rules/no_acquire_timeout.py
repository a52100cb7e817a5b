"""Connections are acquired without a timeout: in overload every caller waits for ever.

asyncpg's acquire() has no default timeout, and aiohttp's wait for a place has none but total.
When demand exceeds the pool, requests pile up behind it until memory, or the patience of the
load balancer, ends; nothing fails early and nothing is shed.
Source: asyncpg/pool.py (Pool.acquire), 0.32.0; asyncpg pull request 1273; aiohttp, ClientTimeout.
"""

import ast
from collections.abc import Iterator

from pools.kinds import AiohttpConnector, AsyncpgPool
from pools.review.edits import add_argument
from pools.review.health import is_health_check
from pools.review.lifetimes import is_test, runs_once
from pools.review.limits import is_limited
from pools.review.made import made
from pools.review.rule import Found, WhatIf
from pools.review.things import CONNECTOR, PG_POOL, TIMEOUT, receiver
from pools.review.tree import Module
from pools.review.what_if import OVERLOAD_REQUESTS, overload, with_pool
from pools.review.worth import Known
from sim.scenario import Scenario

OVERLOAD = 1.3
ADVISED_S = 2.0


def find(module: Module) -> Iterator[Found]:
    """Yield acquires without a limit, and client timeouts that leave the queue without one."""
    for call in module.called("acquire"):
        if receiver(module, call) == PG_POOL and _is_endless(module, call):
            yield Found(
                call,
                "acquire() waits without limit: in overload callers pile up here and hang.",
                "Give each acquire a timeout, such as acquire(timeout=2).",
                (add_argument(module, call, f"timeout={ADVISED_S:g}"),),
            )
    yield from _endless_http(module)


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare both in an overload of 30 % beyond capacity."""
    if not isinstance(scenario.pool, AsyncpgPool | AiohttpConnector):
        return None
    overloaded = overload(scenario, OVERLOAD)
    if overloaded is None or scenario.pool.wait_s_max is not None:
        return None
    name = "acquire_timeout" if isinstance(scenario.pool, AsyncpgPool) else "connect_timeout"
    fixed = with_pool(overloaded, **{name: ADVISED_S})
    rate = overloaded.workload.rate_per_s
    label = f"at {rate:.4g} requests/s, {OVERLOAD * 100:.0f} % of what the pool can do, against"
    label = f"{label} a timeout of {ADVISED_S:g} s"
    return WhatIf("", overloaded, fixed, label, OVERLOAD_REQUESTS)


def _is_endless(module: Module, call: ast.Call) -> bool:
    """Whether an acquire has no limit, in code that others compete with."""
    function = module.function_of(call)
    if function is None or is_test(function) or runs_once(module, function):
        return False
    if any(keyword.arg in {"timeout", None} for keyword in call.keywords):
        return False
    return not is_limited(module, call) and not is_health_check(function)


def _endless_http(module: Module) -> Iterator[Found]:
    if any(_is_unlimited(one.argument(module, "limit")) for one in made(module, CONNECTOR)):
        return
    for one in made(module, TIMEOUT):
        total, connect = one.argument(module, "total"), one.argument(module, "connect")
        if one.is_open or not _is_nothing(total) or not (connect is None or _is_nothing(connect)):
            continue
        yield Found(
            one.call,
            "With total=None nothing limits the wait for a free place in the connector: in"
            " overload requests hang there.",
            "Set connect to the longest wait you accept for a place, or give total a value.",
            (add_argument(module, one.call, "connect=10"),) if connect is None else (),
        )


def _is_unlimited(answer: object) -> bool:
    return isinstance(answer, Known) and not answer.value


def _is_nothing(answer: object) -> bool:
    """Whether a timeout is None or 0, which both mean none."""
    return isinstance(answer, Known) and not answer.value and answer.value is not False


BAD = (
    """
import asyncpg


class Users:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get(self, user_id: int):
        async with self._pool.acquire() as connection:  # <-
            return await connection.fetchrow("SELECT * FROM users WHERE id = $1", user_id)
""",
    """
import asyncpg
from fastapi import Depends, FastAPI, Request

from .lifespan import lifespan

app = FastAPI(lifespan=lifespan)


async def get_connection(request: Request):
    pool: asyncpg.Pool = request.app.state.pool
    connection = await pool.acquire()  # <-
    try:
        yield connection
    finally:
        await pool.release(connection)


@app.get("/users")
async def users(connection=Depends(get_connection)):
    return await connection.fetch("SELECT * FROM users")
""",
    """
import asyncpg
from aiohttp import web

routes = web.RouteTableDef()


async def pool_context(app):
    async with asyncpg.create_pool(min_size=2) as pool:
        app["pool"] = pool
        yield


@routes.get("/orders")
async def orders(request):
    async with request.app["pool"].acquire() as connection, connection.transaction():  # <-
        return web.json_response([dict(r) for r in await connection.fetch("SELECT 1")])


app = web.Application()
app.cleanup_ctx.append(pool_context)
""",
    """
import aiohttp

NO_TIMEOUT = aiohttp.ClientTimeout(total=None)  # <-


async def session():
    return aiohttp.ClientSession(timeout=NO_TIMEOUT)
""",
)
GOOD = (
    """
import asyncio
import asyncpg


class Users:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get(self, user_id: int):
        async with self._pool.acquire(timeout=2) as connection:
            return await connection.fetchrow("SELECT * FROM users WHERE id = $1", user_id)

    async def all(self):
        async with asyncio.timeout(3), self._pool.acquire() as connection:
            return await connection.fetch("SELECT * FROM users")

    async def count(self):
        connection = await asyncio.wait_for(self._pool.acquire(), 2)
        try:
            return await connection.fetchval("SELECT count(*) FROM users")
        finally:
            await self._pool.release(connection)
""",
    """
import asyncio
import asyncpg


async def main():
    async with asyncpg.create_pool(min_size=1) as pool:
        async with pool.acquire() as connection:
            print(await connection.fetchval("SELECT version()"))


asyncio.run(main())
""",
    """
import asyncio


class Limiter:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.pool = asyncio.Semaphore(4)

    async def run(self, job):
        await self.lock.acquire()
        async with self.pool:
            await job()
        self.lock.release()
""",
    """
import aiohttp

timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_connect=5, sock_read=60)
usual = aiohttp.ClientTimeout(total=30)
""",
)
