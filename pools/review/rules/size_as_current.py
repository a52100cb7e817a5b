"""`pool.size()` is read as the current size; it is the configured pool_size.

SQLAlchemy's size() never changes. Open connections are size() + overflow(), where overflow()
starts at -pool_size and counts up; in use is checkedout().
Source: sqlalchemy/pool/impl.py (QueuePool.size, overflow), SQLAlchemy 2.1.9; observed: 1, with
2 connections open.
"""

import ast
import re
from collections.abc import Iterator

from pools.review.edits import Edit, replace
from pools.review.readers import dotted
from pools.review.rule import Found
from pools.review.syntax import last_name
from pools.review.things import SA_POOL, thing
from pools.review.tree import Module

_CURRENT = re.compile(
    r"current|open(?:ed)?\b|\bopen|active|in_?use|\bused\b|busy|checked_?out|total_conn|live|"
    r"num_conn|connections?_(?:open|total|count)|^connections$",
    re.IGNORECASE,
)
_CONFIGURED = re.compile(r"config|max|limit|capacity|pool_?size|^size$|setting", re.IGNORECASE)


def find(module: Module) -> Iterator[Found]:
    """Yield uses of size() under a name, or in a sum, that means connections now."""
    for call in module.called("size"):
        if call.args or call.keywords or not isinstance(call.func, ast.Attribute):
            continue
        if thing(module, call.func.value) != SA_POOL:
            continue
        above = module.parent.get(call)
        if isinstance(above, ast.BinOp) and isinstance(above.op, ast.Sub) and above.left is call:
            if _is_call_of(above.right, "checkedin"):
                yield _found(module, above, call, "checkedout")
        elif _means_current(module, call):
            yield _found(module, call, call, "overflow")


def _found(module: Module, node: ast.expr, call: ast.Call, what: str) -> Found:
    assert isinstance(call.func, ast.Attribute)  # noqa: S101  narrows what find has tested
    pool = dotted(call.func.value) or "pool"
    better = (
        f"{pool}.checkedout()" if what == "checkedout" else f"{pool}.size() + {pool}.overflow()"
    )
    edit = _edit(module, node, better) if dotted(call.func.value) else None
    return Found(
        node,
        "size() is the configured pool_size and never changes; connections beyond it, and those"
        " not opened yet, are missed.",
        f"Use {better}.",
        (edit,) if edit is not None else (),
    )


def _edit(module: Module, node: ast.expr, better: str) -> Edit | None:
    inside_text = any(isinstance(a, ast.JoinedStr) for a in module.above(node))
    return None if inside_text else replace(module, node, better)


def _is_call_of(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) == name


def _means_current(module: Module, call: ast.Call) -> bool:
    label = _label(module, call)
    return bool(label) and bool(_CURRENT.search(label)) and not _CONFIGURED.search(label)


def _label(module: Module, call: ast.Call) -> str:
    """Return what the number is called: dictionary key, name, metric, or the text before it."""
    above = module.parent.get(call)
    match above:
        case ast.Dict(keys=keys, values=values):
            key = keys[values.index(call)]
            return str(key.value) if isinstance(key, ast.Constant) else ""
        case ast.Assign(targets=[target, *_]):
            return last_name(target)
        case ast.keyword(arg=str() as name):
            return name
        case ast.Call(func=ast.Attribute(attr="set", value=metric)):
            texts = [n.value for n in ast.walk(metric) if isinstance(n, ast.Constant)]
            return " ".join([last_name(metric), *[t for t in texts if isinstance(t, str)]])
        case ast.FormattedValue():
            return _text_before(module, above)
        case _:
            return ""


def _text_before(module: Module, piece: ast.FormattedValue) -> str:
    whole = module.parent.get(piece)
    if not isinstance(whole, ast.JoinedStr):
        return ""
    index = whole.values.index(piece)
    before = whole.values[index - 1] if index else None
    return str(before.value)[-40:] if isinstance(before, ast.Constant) else ""


BAD = (
    """
from fastapi import FastAPI
from .engine import lifespan
from sqlalchemy.ext.asyncio import AsyncEngine

app = FastAPI(lifespan=lifespan)


def pool_status(engine: AsyncEngine) -> dict:
    pool = engine.pool
    return {
        "open_connections": pool.size(),  # <-
        "idle": pool.checkedin(),
    }
""",
    """
from prometheus_client import Gauge
from sqlalchemy import create_engine

OPEN = Gauge("db_connections_open", "Connections open now")
IN_USE = Gauge("db_connections_in_use", "Connections in use")
engine = create_engine("postgresql+psycopg://app@db/orders", pool_pre_ping=True)


def collect() -> None:
    OPEN.set(engine.pool.size())  # <-
    IN_USE.set(engine.pool.size() - engine.pool.checkedin())  # <-
""",
    """
import logging
from sqlalchemy.ext.asyncio import AsyncEngine


class Monitor:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    def log(self) -> None:
        current = self.engine.pool.size()  # <-
        logging.info(f"pool: {current} connections, active: {self.engine.pool.size()}")  # <-
""",
)
GOOD = (
    """
from sqlalchemy.ext.asyncio import AsyncEngine


def pool_status(engine: AsyncEngine) -> dict:
    pool = engine.pool
    return {
        "pool_size": pool.size(),
        "open_connections": pool.size() + pool.overflow(),
        "in_use": pool.checkedout(),
        "idle": pool.checkedin(),
    }
""",
    """
from prometheus_client import Gauge
from sqlalchemy import create_engine

CONFIGURED = Gauge("db_pool_size_configured", "pool_size")
engine = create_engine("postgresql+psycopg://app@db/orders", pool_pre_ping=True)
CONFIGURED.set(engine.pool.size())
size = engine.pool.size()
""",
    """
import asyncpg


class Frame:
    def size(self) -> int:
        return 3


def report(frame: Frame, pool: asyncpg.Pool) -> dict:
    return {"open_connections": pool.get_size(), "active": frame.size()}
""",
)
