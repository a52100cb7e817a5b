"""The pool waits longer than its caller does.

A request whose client has given up still stands in the queue, gets a connection in its turn,
and does work that nobody reads. The pool's timeout has to be the shorter one: then requests
fail while somebody can still act on it, and the queue holds only the living.
Source: Google SRE book, Addressing Cascading Failures (deadline propagation).
"""

import re
from collections.abc import Iterator

from pools.kinds import AsyncpgPool, SqlalchemyQueue
from pools.review.edits import Edit, add_argument, replace
from pools.review.limits import limits
from pools.review.made import Made, made
from pools.review.rule import Found, WhatIf
from pools.review.syntax import last_name
from pools.review.things import ENGINE, PG_POOL, SYNC_ENGINE, receiver
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.what_if import OVERLOAD_REQUESTS, overload, with_pool
from pools.review.worth import number
from sim.scenario import Scenario

DEFAULT_S = 30.0
OVERLOAD = 1.3
_NAME = re.compile(
    r"^(?:REQUEST|CLIENT|CALLER|GATEWAY|INGRESS|LB|LOAD_?BALANCER|UPSTREAM_REQUEST|API)_TIMEOUT"
    r"(?:_S|_SECONDS|_SECS|_SEC)?$",
    re.IGNORECASE,
)
_LONGEST_S = 600.0


def find(module: Module) -> Iterator[Found]:
    """Yield pools, and acquires, that wait longer than a limit around all requests."""
    caller = _caller(module)
    if caller is None:
        return
    limit_s, who = caller
    for one in made(module, ENGINE, SYNC_ENGINE):
        answer = one.argument(module, "pool_timeout")
        waits_s = DEFAULT_S if answer is None else number(answer)
        if waits_s is None or waits_s <= limit_s or _has_no_queue(module, one):
            continue
        default = ", SQLAlchemy's default" if answer is None else ""
        yield Found(
            one.arguments.get("pool_timeout", one.call),
            f"The pool waits up to {waits_s:g} s (pool_timeout{default}), and the caller gives up"
            f" after {limit_s:g} s ({who}): connections go to requests that nobody waits for.",
            f"Set pool_timeout below it, such as {limit_s / 2:g}.",
            _edits(module, one, limit_s),
        )
    for call in module.called("acquire"):
        given = next((k.value for k in call.keywords if k.arg == "timeout"), None)
        waits_s = number(evaluate(module, given)) if given is not None else None
        if (
            receiver(module, call) == PG_POOL
            and given is not None
            and waits_s
            and waits_s > limit_s
        ):
            yield Found(
                given,
                f"acquire waits up to {waits_s:g} s, and the caller gives up after {limit_s:g} s"
                f" ({who}).",
                f"Set the timeout below it, such as {limit_s / 2:g}.",
                (replace(module, given, f"{limit_s / 2:g}"),),
            )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare the pool's timeout with a tenth of it, in an overload of 30 % beyond capacity."""
    pool, overloaded = scenario.pool, overload(scenario, OVERLOAD)
    waits_s = pool.wait_s_max
    if overloaded is None or waits_s is None:
        return None
    if not isinstance(pool, SqlalchemyQueue | AsyncpgPool):
        return None
    name = "pool_timeout" if isinstance(pool, SqlalchemyQueue) else "acquire_timeout"
    shorter = max(0.05, round(waits_s / 10, 2))
    fixed = with_pool(overloaded, **{name: shorter})
    label = f"at {OVERLOAD * 100:.0f} % of what the pool can do,"
    label += f" {name} {waits_s:g} s against {shorter:g} s"
    return WhatIf("", overloaded, fixed, label, OVERLOAD_REQUESTS)


def _caller(module: Module) -> tuple[float, str] | None:
    """Return the shortest time after which callers give up, and how the text says so."""
    found = [*_around_handlers(module), *_from_names(module)]
    if module.context.client_timeout_s is not None:
        found.append((module.context.client_timeout_s, "the scenario's client timeout"))
    return min(found, default=None)


def _around_handlers(module: Module) -> Iterator[tuple[float, str]]:
    """Yield the limits of a middleware around `call_next(request)` or `handler(request)`."""
    for call in module.called("call_next", "handler"):
        if len(call.args) != 1 or last_name(call.args[0]) != "request":
            continue
        for answer in limits(module, call):
            limit_s = number(answer)
            if limit_s:
                yield limit_s, "the middleware's limit"


def _from_names(module: Module) -> Iterator[tuple[float, str]]:
    for name, bindings in module.bound.get(module.tree, {}).items():
        if _NAME.match(name) and len(bindings) == 1 and bindings[0].value is not None:
            limit_s = number(evaluate(module, bindings[0].value))
            if limit_s and 0 < limit_s < _LONGEST_S:
                yield limit_s, name


def _has_no_queue(module: Module, one: Made) -> bool:
    if one.is_open:
        return True
    if one.poolclass == "NullPool":
        return True
    overflow, size = one.argument(module, "max_overflow"), one.argument(module, "pool_size")
    return number(overflow) == -1 or number(size) == 0


def _edits(module: Module, one: Made, limit_s: float) -> tuple[Edit, ...]:
    written = next((k.value for k in one.call.keywords if k.arg == "pool_timeout"), None)
    if written is not None:
        return (replace(module, written, f"{limit_s / 2:g}"),)
    if "pool_timeout" in one.arguments:
        return ()
    return (add_argument(module, one.call, f"pool_timeout={limit_s / 2:g}"),)


BAD = (
    """
import asyncio
from fastapi import FastAPI, Request
from sqlalchemy.ext.asyncio import create_async_engine

from .lifespan import lifespan

engine = create_async_engine("postgresql+asyncpg://app@db/orders", pool_pre_ping=True)  # <-
app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def limit(request: Request, call_next):
    async with asyncio.timeout(10):
        return await call_next(request)
""",
    """
import os
from sqlalchemy.ext.asyncio import create_async_engine

GATEWAY_TIMEOUT_S = 15

engine = create_async_engine(
    os.environ["DATABASE_URL"],
    pool_size=10,
    pool_recycle=1800,
    pool_timeout=60,  # <-
)
""",
    """
import asyncio
import asyncpg
from aiohttp import web


@web.middleware
async def deadline(request, handler):
    return await asyncio.wait_for(handler(request), timeout=3)


class Orders:
    pool: asyncpg.Pool

    async def all(self):
        async with self.pool.acquire(timeout=30) as connection:  # <-
            return await connection.fetch("SELECT * FROM orders")
""",
)
GOOD = (
    """
import asyncio
from fastapi import FastAPI, Request
from sqlalchemy.ext.asyncio import create_async_engine

from .lifespan import lifespan

engine = create_async_engine(
    "postgresql+asyncpg://app@db/orders", pool_pre_ping=True, pool_timeout=3
)
app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def limit(request: Request, call_next):
    async with asyncio.timeout(10):
        return await call_next(request)
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

REQUEST_TIMEOUT_MS = 15000
LOCK_TIMEOUT = 5
REQUEST_TIMEOUT = 60

engine = create_async_engine("postgresql+asyncpg://app@db/orders", pool_recycle=1800)
""",
    """
import asyncio
import asyncpg
from aiohttp import web


@web.middleware
async def deadline(request, handler):
    return await asyncio.wait_for(handler(request), timeout=10)


class Orders:
    pool: asyncpg.Pool

    async def all(self):
        async with self.pool.acquire(timeout=2) as connection:
            return await connection.fetch("SELECT * FROM orders")
""",
)
