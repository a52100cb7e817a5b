"""A pool, engine or ClientSession is opened and never closed.

At shutdown the server then sees its clients vanish: PostgreSQL logs an unexpected end of file
and keeps a backend that is inside a query until it ends, and work in flight is cut. aiohttp
warns of an unclosed session, and each one that is forgotten keeps its sockets.
Source: aiohttp, Client Quickstart; SQLAlchemy, Asynchronous I/O ("engine.dispose() must be
awaited explicitly"); asyncpg.Pool.close.
"""

from collections.abc import Iterator

from pools.review.closing import closes_elsewhere, escapes, is_closed, sounds_closing
from pools.review.lifetimes import is_cached, is_lifespan, is_startup, is_test
from pools.review.made import Made, made
from pools.review.requests import per_request
from pools.review.rule import Found
from pools.review.syntax import last_name, methods
from pools.review.things import ENGINE, HTTP, PG_POOL
from pools.review.tree import Module

_CLOSE = {ENGINE: "dispose", PG_POOL: "close", HTTP: "close"}
_APPLICATIONS = frozenset({"FastAPI", "Starlette", "Application", "Quart", "Litestar", "Sanic"})


def find(module: Module) -> Iterator[Found]:
    """Yield what is opened where the text also shows the end of its life, and not closed there."""
    for one in made(module, *_CLOSE):
        if not one.name or one.role == "with" or is_closed(module, one.name):
            continue
        where = _where(module, one)
        if where:
            closer = f"await {one.name}.{_CLOSE[one.thing]}()"
            yield Found(
                one.call,
                f"{one.name} is opened {where} and nothing closes it.",
                f"Close it where its life ends: `{closer}` in a finally, after the lifespan's"
                " yield, or in the shutdown hook; or open it with `async with`.",
            )


def _where(module: Module, one: Made) -> str:
    function = one.function
    if function is None:
        is_app = one.role == "module" and module.once(_makes_application)
        return "beside the application" if is_app and not closes_elsewhere(module) else ""
    if is_cached(function) or is_test(function) or function in per_request(module):
        return ""
    if is_lifespan(module, function) or is_startup(module, function):
        return "at start-up" if not closes_elsewhere(module) else ""
    if one.role == "local" and not escapes(function, one.name):
        return f"in {function.name}"
    if one.role == "self" and one.thing == HTTP and _has_no_end(module, one):
        return "by the object"
    return ""


def _makes_application(module: Module) -> bool:
    return any(
        last_name(call.func) in _APPLICATIONS and module.qualified(call.func)
        for call in module.calls
        if module.function_of(call) is None
    )


def _has_no_end(module: Module, one: Made) -> bool:
    """Whether a class stores a session and has no method that could close it."""
    owner = module.class_of(one.call)
    if owner is None or owner.bases:
        return False
    return not any(sounds_closing(m.name) or m.name == "__del__" for m in methods(owner))


BAD = (
    """
import asyncpg
from contextlib import asynccontextmanager
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.pool = await asyncpg.create_pool("postgresql://db/app", max_size=20)  # <-
    yield


app = FastAPI(lifespan=lifespan)
""",
    """
import aiohttp
from fastapi import FastAPI

app = FastAPI()


@app.on_event("startup")
async def open_session():
    app.state.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))  # <-
""",
    """
import asyncio
import aiohttp


async def report(url):
    session = aiohttp.ClientSession()  # <-
    response = await session.get(url)
    print(response.status, await response.text())


asyncio.run(report("https://example.com"))
""",
    """
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from .config import DATABASE_URL

engine = create_async_engine(DATABASE_URL, pool_pre_ping=True)  # <-
Session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI(title="orders")


@app.get("/orders")
async def orders():
    async with Session() as session:
        return (await session.execute(QUERY)).all()
""",
    """
import aiohttp


class Weather:
    def __init__(self, key):
        self.key = key
        self.session = aiohttp.ClientSession()  # <-

    async def today(self, city):
        async with self.session.get("https://api.example.com", params={"q": city}) as answer:
            return await answer.json()
""",
    """
import asyncpg
from aiohttp import web


async def open_pool(app):
    app["pool"] = await asyncpg.create_pool(min_size=2, max_size=8)  # <-


app = web.Application()
app.on_startup.append(open_pool)
web.run_app(app)
""",
)
GOOD = (
    """
import asyncpg
from aiohttp import web


async def pool_context(app):
    app["pool"] = await asyncpg.create_pool(min_size=2, max_size=8)
    yield
    await app["pool"].close()


app = web.Application()
app.cleanup_ctx.append(pool_context)
""",
    """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://db/app", pool_pre_ping=True)


@asynccontextmanager
async def lifespan(app):
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
""",
    """
import aiohttp
from fastapi import FastAPI

app = FastAPI()


@app.on_event("startup")
async def open_session():
    app.state.http = aiohttp.ClientSession()


@app.on_event("shutdown")
async def close_session():
    await app.state.http.close()
""",
    """
import aiohttp


class Weather:
    def __init__(self, session=None):
        self.session = session or aiohttp.ClientSession()

    async def close(self):
        await self.session.close()

    async def today(self, city):
        async with self.session.get("https://api.example.com", params={"q": city}) as answer:
            return await answer.json()
""",
    """
import aiohttp


async def make_session(token):
    session = aiohttp.ClientSession(headers={"Authorization": token})
    return session


async def report(urls):
    session = aiohttp.ClientSession()
    try:
        for url in urls:
            async with session.get(url) as response:
                print(await response.text())
    finally:
        await session.close()
""",
    """
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import asyncpg
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with AsyncExitStack() as stack:
        pool = await asyncpg.create_pool(max_size=20)
        stack.push_async_callback(pool.close)
        app.state.pool = pool
        app.state.http = await stack.enter_async_context(aiohttp.ClientSession())
        yield


app = FastAPI(lifespan=lifespan)
""",
    '''
"""Only the database module: whoever imports it closes the engine."""
from sqlalchemy.ext.asyncio import create_async_engine

from .settings import settings

engine = create_async_engine(settings.database_url, pool_pre_ping=True)
''',
)
