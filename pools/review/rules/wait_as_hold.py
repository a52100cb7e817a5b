"""The wait for a connection is measured from checkout to checkin, which is the hold.

SQLAlchemy's checkout event fires when the wait is over, and checkin when the connection comes
back. Their difference is how long it was held; a saturated pool looks healthy in it. The wait
is the time around `engine.connect()`, or around a session's first statement.
Source: sqlalchemy/pool/base.py (_ConnectionFairy._checkout); observed: waits of 0 to 256 ms,
and a histogram that says 51 ms six times.
"""

import ast
import re
from collections.abc import Iterator

from pools.review.rule import Found
from pools.review.syntax import Function, inside, last_name
from pools.review.tree import Module

_WAIT = re.compile(r"wait|queue|acqui|checkout_latency|time_to_(?:get|connect)", re.IGNORECASE)
_RECORDS = frozenset(
    {"observe", "record", "timing", "histogram", "gauge", "set", "info", "debug", "append"}
    | {"warning", "distribution", "labels", "add", "update"}
)


def find(module: Module) -> Iterator[Found]:
    """Yield what a checkin listener records under a name that says wait."""
    for function in module.functions:
        if not _listens(module, function, "checkin"):
            continue
        times = _differences(function)
        for node in inside(function):
            if isinstance(node, ast.Call) and last_name(node.func) in _RECORDS:
                takes = any(_mentions(argument, times) for argument in node.args)
                if takes and _says_wait(module, node):
                    yield Found(
                        node,
                        "This records checkin minus checkout, which is the hold time: the wait"
                        " is over before checkout fires.",
                        "Measure the wait around the acquire itself, and call this one hold time.",
                    )


def _listens(module: Module, function: Function, event: str) -> bool:
    """Whether a function listens to an event, by decorator or by `event.listen`."""
    for decorator in function.decorator_list:
        is_listener = isinstance(decorator, ast.Call) and last_name(decorator.func) == "listens_for"
        given = decorator.args if isinstance(decorator, ast.Call) and is_listener else []
        if any(isinstance(a, ast.Constant) and a.value == event for a in given):
            return True
    for call in module.called("listen"):
        if len(call.args) == 3 and module.function_named(call.args[2]) is function:
            return isinstance(call.args[1], ast.Constant) and call.args[1].value == event
    return False


def _differences(function: Function) -> set[str]:
    """Return the names bound to a difference; '-' stands for one written in place."""
    found = {"-"}
    for node in inside(function):
        if isinstance(node, ast.Assign) and any(_is_difference(n) for n in ast.walk(node.value)):
            found |= {last_name(target) for target in node.targets}
    return found


def _is_difference(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)


def _mentions(argument: ast.expr, names: set[str]) -> bool:
    return any(
        _is_difference(node) or (isinstance(node, ast.Name) and node.id in names)
        for node in ast.walk(argument)
    )


def _says_wait(module: Module, call: ast.Call) -> bool:
    """Whether the metric's name, its definition, or a text beside the number says wait."""
    metric = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    names = [last_name(n) for n in ast.walk(metric) if isinstance(n, ast.Name | ast.Attribute)]
    texts = [n.value for a in call.args for n in ast.walk(a) if isinstance(n, ast.Constant)]
    for name in names:
        for binding in module.bound.get(module.tree, {}).get(name, ()):
            made_by = [*ast.walk(binding.value)] if binding.value is not None else []
            texts += [n.value for n in made_by if isinstance(n, ast.Constant)]
    texts += [n.value for n in ast.walk(metric) if isinstance(n, ast.Constant)]
    said = [*names, *[text for text in texts if isinstance(text, str)]]
    return any(_WAIT.search(one) for one in said)


BAD = (
    """
import time
from prometheus_client import Histogram
from sqlalchemy import event

from .engine import engine

POOL_WAIT = Histogram("db_pool_wait_seconds", "Time spent waiting for a connection")


@event.listens_for(engine.sync_engine, "checkout")
def on_checkout(connection, record, proxy):
    record.info["at"] = time.monotonic()


@event.listens_for(engine.sync_engine, "checkin")
def on_checkin(connection, record):
    POOL_WAIT.observe(time.monotonic() - record.info["at"])  # <-
""",
    """
import logging
import time
from sqlalchemy import event
from sqlalchemy.pool import Pool

log = logging.getLogger(__name__)


def checkin(dbapi_connection, connection_record):
    elapsed = time.time() - connection_record.info.pop("checkout_time", time.time())
    log.info("waited %.3f s for a pool connection", elapsed)  # <-


event.listen(Pool, "checkin", checkin)
""",
    """
import time
from sqlalchemy import event


class Metrics:
    def __init__(self, engine, statsd):
        @event.listens_for(engine, "checkin")
        def returned(connection, record):
            ms = (time.perf_counter() - record.info["start"]) * 1000
            statsd.timing("db.pool.acquire_time", ms)  # <-
""",
)
GOOD = (
    """
import time
from prometheus_client import Histogram
from sqlalchemy import event

from .engine import engine

POOL_HOLD = Histogram("db_pool_hold_seconds", "Time a connection is held")


@event.listens_for(engine.sync_engine, "checkout")
def on_checkout(connection, record, proxy):
    record.info["at"] = time.monotonic()


@event.listens_for(engine.sync_engine, "checkin")
def on_checkin(connection, record):
    POOL_HOLD.observe(time.monotonic() - record.info["at"])
""",
    """
import time
from contextlib import asynccontextmanager
from prometheus_client import Histogram

from .engine import engine

POOL_WAIT = Histogram("db_pool_wait_seconds", "Time spent waiting for a connection")


@asynccontextmanager
async def connection():
    asked = time.monotonic()
    async with engine.connect() as connection:
        POOL_WAIT.observe(time.monotonic() - asked)
        yield connection
""",
    """
from prometheus_client import Gauge
from sqlalchemy import event
from sqlalchemy.pool import Pool

IN_USE = Gauge("db_pool_in_use", "Connections in use")


@event.listens_for(Pool, "checkout")
def out(connection, record, proxy):
    IN_USE.inc()


@event.listens_for(Pool, "checkin")
def back(connection, record):
    IN_USE.dec()
""",
)
