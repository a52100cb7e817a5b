"""A synchronous engine is used inside async code and blocks the event loop.

While a synchronous query runs, and while its pool makes the caller wait, the event loop does
nothing else: no other request, no timeout, no health check. One process then serves one query
at a time, whatever pool_size says.
Source: SQLAlchemy, Asynchronous I/O; FastAPI, Concurrency and async / await.
"""

import ast
from collections.abc import Iterator

from pools.kinds import SqlalchemyQueue
from pools.review.lifetimes import is_test, runs_once
from pools.review.made import address, made
from pools.review.rule import Found, WhatIf
from pools.review.syntax import inside, start
from pools.review.things import SYNC_CONNECTION, SYNC_ENGINE, SYNC_SESSION, thing
from pools.review.tree import Module
from pools.review.what_if import with_pool
from sim.scenario import Scenario

LEVEL = "error"
_BLOCKING = frozenset(
    {"execute", "scalar", "scalars", "query", "get", "commit", "flush", "refresh", "exec"}
    | {"connect", "begin", "exec_driver_sql", "rollback", "delete", "merge"}
)
_OWNERS = frozenset({SYNC_ENGINE, SYNC_CONNECTION, SYNC_SESSION})


def find(module: Module) -> Iterator[Found]:
    """Yield the first blocking use in each async function."""
    if _is_embedded(module):
        return
    for function in module.functions:
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        if is_test(function) or runs_once(module, function):
            continue
        uses = sorted(_uses(module, function), key=start)
        if uses:
            yield Found(
                uses[0],
                f"{function.name} is async, and this blocks the event loop: nothing else runs in"
                " the process until the database has answered.",
                "Use create_async_engine and AsyncSession here; or make the function a plain"
                " `def`, which FastAPI runs in a thread; or await asyncio.to_thread(...).",
            )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare with one connection per worker, which is what a blocked event loop amounts to."""
    if not isinstance(scenario.pool, SqlalchemyQueue):
        return None
    mistaken = with_pool(scenario, pool_size=1, max_overflow=0)
    return WhatIf(mistaken=mistaken, fixed=scenario, label="one query at a time in each worker")


def _uses(module: Module, function: ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    for node in inside(function):
        if isinstance(node, ast.With):
            for item in node.items:
                if thing(module, item.context_expr) == SYNC_CONNECTION:
                    yield item.context_expr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_awaited = isinstance(module.parent.get(node), ast.Await)
            is_blocking = node.func.attr in _BLOCKING and not is_awaited
            if is_blocking and thing(module, node.func.value) in _OWNERS:
                yield node


def _is_embedded(module: Module) -> bool:
    """Whether every engine made here is an embedded database, which answers without a network."""
    engines = made(module, SYNC_ENGINE)
    found = [address(module, one) for one in engines]
    return bool(engines) and all(dsn is not None and dsn.is_sqlite for dsn in found)


BAD = (
    """
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from .lifespan import lifespan

engine = create_engine("postgresql+psycopg://app@db/orders", pool_pre_ping=True)
SessionLocal = sessionmaker(bind=engine)
app = FastAPI(lifespan=lifespan)


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


@app.get("/users/{user_id}")
async def user(user_id: int, db: Session = Depends(get_db)):
    return db.query(User).filter(User.id == user_id).first()  # <-
""",
    """
from aiohttp import web
from sqlmodel import Session, create_engine, select

engine = create_engine("postgresql://app@db/orders", pool_recycle=1800)
routes = web.RouteTableDef()


@routes.get("/heroes")
async def heroes(request: web.Request) -> web.Response:
    with Session(engine) as session:
        found = session.exec(select(Hero)).all()  # <-
    return web.json_response([hero.model_dump() for hero in found])
""",
    """
from sqlalchemy import Engine, text


class Repository:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def names(self) -> list[str]:
        with self.engine.connect() as connection:  # <-
            return [row.name for row in connection.execute(text("SELECT name FROM users"))]
""",
)
GOOD = (
    """
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from .lifespan import lifespan

engine = create_engine("postgresql+psycopg://app@db/orders", pool_pre_ping=True)
SessionLocal = sessionmaker(bind=engine)
app = FastAPI(lifespan=lifespan)


def get_db():
    with SessionLocal() as db:
        yield db


@app.get("/users/{user_id}")
def user(user_id: int, db: Session = Depends(get_db)):
    return db.query(User).filter(User.id == user_id).first()
""",
    """
import asyncio
from sqlalchemy import Engine, text


def load(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [row.name for row in connection.execute(text("SELECT name FROM users"))]


async def names(engine: Engine) -> list[str]:
    return await asyncio.to_thread(load, engine)
""",
    """
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession


async def run(engine: AsyncEngine) -> None:
    def inspect(connection):
        return connection.execute("SELECT 1").scalar()

    async with engine.connect() as connection:
        await connection.run_sync(inspect)
    async with AsyncSession(engine) as session:
        await session.run_sync(lambda sync: sync.execute("SELECT 1"))
""",
    """
from sqlalchemy import create_engine, text

engine = create_engine("sqlite:///settings.db")


async def setting(name: str) -> str:
    with engine.connect() as connection:
        return connection.execute(text("SELECT v FROM s")).scalar_one()
""",
)
