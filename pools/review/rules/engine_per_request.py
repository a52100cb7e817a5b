"""An engine, pool or HTTP client is made for each request.

A pool helps only if connections outlive the request. One that is made per request connects
anew each time (TCP, TLS, authentication; 10 more round trips for SQLAlchemy's first connect)
and its size limits nothing, because every request has a pool of its own.
Source: aiohttp documentation ("Don't create a session per request"); SQLAlchemy, Engine
Configuration ("the Engine is intended to be created once per application").
"""

from collections.abc import Iterator

from pools.kinds import AiohttpConnector, AsyncpgPool, SqlalchemyNull
from pools.review.lifetimes import is_cached, is_test, runs_once
from pools.review.made import Made, made
from pools.review.requests import per_item, per_request
from pools.review.rule import Found, WhatIf
from pools.review.sessions import (
    is_alternative,
    is_kept,
    is_memoised,
    is_per_call,
    is_socket,
)
from pools.review.syntax import Function
from pools.review.things import ENGINE, HTTP, HTTPX, PG_POOL, PSYCOPG_POOL, SYNC_ENGINE
from pools.review.tree import Module
from pools.review.what_if import on_pool, with_pool
from sim.scenario import Scenario

LEVEL = "error"
INITIALISE_ROUND_TRIPS = 10  # of a dialect, at an engine's first connect; counted on the wire
_WHAT = {
    ENGINE: "an engine",
    SYNC_ENGINE: "an engine",
    PG_POOL: "a pool",
    PSYCOPG_POOL: "a pool",
    HTTP: "a ClientSession",
    HTTPX: "an AsyncClient",
}
_CLIENTS = frozenset({HTTP, HTTPX})
_KEPT = frozenset({"global", "self", "attribute", "module", "class", "passed", "fallback"})


def find(module: Module) -> Iterator[Found]:
    """Yield engines, pools and sessions made in code that runs again and again."""
    yield from _requests_alone(module)
    for one in made(module, *_WHAT):
        often = _often(module, one)
        if often:
            yield Found(
                one.call,
                f"{often} makes {_WHAT[one.thing]} of its own, so nothing is pooled: each time"
                " pays for new connections, and no limit holds over all of them.",
                f"Make {_WHAT[one.thing]} once, at start-up (lifespan), keep it on the"
                " application's state, and close it at shutdown.",
            )


def _requests_alone(module: Module) -> Iterator[Found]:
    """Yield `aiohttp.request(...)`, which opens a session for its one request."""
    for call in module.called("request"):
        function = module.function_of(call)
        if module.qualified(call.func) != "aiohttp.request" or runs_once(module, function):
            continue
        if function is not None and not is_test(function):
            yield Found(
                call,
                f"aiohttp.request opens a ClientSession of its own, so each call of {function.name}"
                " pays for a new connection, and no limit holds over all of them.",
                "Make a ClientSession once, at start-up (lifespan), and call its request().",
            )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare a connect at each request with the pool as it is."""
    pool, said = scenario.pool, ""
    if isinstance(pool, AiohttpConnector):
        mistaken = with_pool(scenario, force_close=True)
    elif isinstance(pool, AsyncpgPool):
        mistaken = with_pool(scenario, max_queries=1)
    else:
        mistaken = on_pool(scenario, SqlalchemyNull())
        added_ms = INITIALISE_ROUND_TRIPS * scenario.server.rtt_s * 1000
        said = f"An engine's first connect takes {INITIALISE_ROUND_TRIPS} more round trips, "
        said += f"{added_ms:.3g} ms, not counted here."
    return WhatIf(said, mistaken, scenario, "connecting at each request")


def _often(module: Module, one: Made) -> str:
    """Say what runs again and again, or ''."""
    function = one.function
    if function is None or is_cached(function) or is_test(function):
        return ""
    if one.poolclass == "NullPool":
        return ""  # there is nothing to pool
    if one.role in _KEPT or (one.role == "local" and is_kept(function, one.name)):
        return ""
    if one.thing in _CLIENTS and _is_no_pool(module, one, function):
        return ""
    if function in per_request(module):
        return "Each request" if one.role != "returned" else "Each call"
    if one.role == "returned":
        return ""
    if one.thing in _CLIENTS:
        is_again = is_per_call(module, one, function)
    else:
        is_again = function in per_item(module)
    return f"Each call of {function.name}" if is_again else ""


def _is_no_pool(module: Module, one: Made, function: Function) -> bool:
    """Whether a client is a stand-in, a socket, or one that talks to an application directly."""
    if "transport" in one.arguments or "app" in one.arguments:
        return True
    if is_memoised(module, function):
        return True
    return is_alternative(module, one) or is_socket(function, one.name)


BAD = (
    """
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

app = FastAPI()


@app.get("/users")
async def users():
    engine = create_async_engine("postgresql+asyncpg://db/app", pool_pre_ping=True)  # <-
    async with engine.connect() as connection:
        return (await connection.exec_driver_sql("SELECT * FROM users")).all()
""",
    """
import aiohttp
from fastapi import APIRouter, Depends

router = APIRouter(prefix="/weather")


async def get_http():
    async with aiohttp.ClientSession() as session:  # <-
        yield session


@router.get("/{city}")
async def weather(city: str, http: aiohttp.ClientSession = Depends(get_http)):
    async with http.get(f"https://api.example.com/{city}") as answer:
        return await answer.json()
""",
    """
import asyncpg
from aiohttp import web

routes = web.RouteTableDef()


@routes.get("/items/{id}")
async def item(request: web.Request) -> web.Response:
    async with asyncpg.create_pool(request.app["dsn"], min_size=1) as pool:  # <-
        row = await pool.fetchrow("SELECT * FROM items WHERE id = $1", request.match_info["id"])
    return web.json_response(dict(row))
""",
    """
import asyncio
import aiohttp


async def fetch(url):
    async with aiohttp.ClientSession() as session:  # <-
        async with session.get(url) as response:
            return await response.text()


async def crawl(urls):
    return await asyncio.gather(*[fetch(url) for url in urls])
""",
    """
from aiohttp import ClientSession as Http


class Payments:
    def __init__(self, base, key):
        self.base = base
        self.headers = {"Authorization": key}

    async def charge(self, order):
        async with Http(headers=self.headers) as http:  # <-
            async with http.post(f"{self.base}/charges", json=order) as response:
                response.raise_for_status()
                return await response.json()
""",
    """
import os
import sqlalchemy as sa
from flask import Flask, jsonify
from sqlalchemy.orm import Session

app = Flask(__name__)


def load(user_id):
    engine = sa.create_engine(os.environ["DATABASE_URL"], pool_pre_ping=True)  # <-
    with Session(engine) as session:
        return session.get(User, user_id)


@app.route("/users/<int:user_id>")
def user(user_id):
    return jsonify(load(user_id))
""",
    """
import httpx
from fastapi import FastAPI

app = FastAPI()


@app.get("/rates/{currency}")
async def rate(currency: str) -> float:
    async with httpx.AsyncClient(timeout=5) as client:  # <-
        answer = await client.get("https://rates.example.com/", params={"of": currency})
    return answer.json()["rate"]
""",
    """
import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=10)


async def notify(url: str, body: dict) -> int:
    session = aiohttp.ClientSession(timeout=TIMEOUT)  # <-
    try:
        async with session.post(url, json=body) as response:
            return response.status
    finally:
        await session.close()


async def stock(article: str) -> int:
    async with aiohttp.request("GET", f"https://stock.example.com/{article}") as response:  # <-
        return int(await response.text())
""",
    """
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

app = FastAPI()


@app.get("/users/{number}")
async def user(number: int):
    async with AsyncConnectionPool("service=app", min_size=1, max_size=4) as pool:  # <-
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT * FROM users WHERE id = %s", [number])
            return await cursor.fetchone()
""",
)
GOOD = (
    """
from contextlib import asynccontextmanager

import aiohttp
from fastapi import Depends, FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with aiohttp.ClientSession() as session:
        app.state.http = session
        yield


app = FastAPI(lifespan=lifespan)


async def get_http(request: Request) -> aiohttp.ClientSession:
    return request.app.state.http


@app.get("/weather")
async def weather(http: aiohttp.ClientSession = Depends(get_http)):
    async with http.get("https://api.example.com/weather") as answer:
        return await answer.json()
""",
    """
from functools import lru_cache

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .settings import settings

app = FastAPI(lifespan=settings.lifespan)

@lru_cache
def get_engine() -> AsyncEngine:
    return create_async_engine(settings.url, pool_pre_ping=True)


@app.get("/users")
async def users(engine: AsyncEngine = Depends(get_engine)):
    async with engine.connect() as connection:
        return (await connection.exec_driver_sql("SELECT 1")).scalar()
""",
    """
import asyncpg
from aiohttp import web

_pool = None


async def get_pool():
    global _pool
    if _pool is None:
        _pool = await asyncpg.create_pool(min_size=1, max_size=5)
    return _pool


async def handler(request: web.Request) -> web.Response:
    pool = await get_pool()
    return web.json_response(await pool.fetchval("SELECT 1"))
""",
    '''
import aiohttp


class Client:
    """Opens its session once, when entered."""

    async def __aenter__(self):
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *exc):
        await self._session.close()

    async def charge(self, order):
        async with self._session.post("https://pay.example.com", json=order) as response:
            return await response.json()
''',
    """
import aiohttp

async def test_get(server):
    async with aiohttp.ClientSession() as session, session.get(server) as response:
        assert response.status == 200
""",
    """
import httpx

from .scheduler import periodic

VIEWS: dict[str, dict] = {}


async def view(name: str) -> dict:
    try:
        return VIEWS[name]
    except KeyError:
        pass
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"https://registry.example.com/views/{name}.json")
    VIEWS[name] = answer.json()
    return VIEWS[name]


async def check(address: str) -> None:
    if is_cached(address):
        return
    async with httpx.AsyncClient() as client:
        (await client.get(f"{address}/version")).raise_for_status()


@periodic(minutes=10)
async def heartbeat() -> None:
    async with httpx.AsyncClient(timeout=5) as client:
        await client.post("https://status.example.com/beat")
""",
    """
import asyncio
import sys

import httpx


async def fetch(url: str) -> str:
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).text


async def main() -> None:
    print(await fetch(sys.argv[1]))


asyncio.run(main())
""",
)
