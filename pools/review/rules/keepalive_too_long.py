"""The client keeps HTTP connections idle longer than the server does.

The server closes an idle connection just as the client sends on it: the request fails with
ServerDisconnectedError. aiohttp repeats idempotent requests once, silently; a POST is lost.
The client's keepalive_timeout has to be the shorter one. Common servers: gunicorn 2 s,
uvicorn and Node.js 5 s, AWS load balancers 60 s, nginx 75 s.
Source: aiohttp issues 9138, 850, 13283; aiohttp/connector.py (_get), aiohttp 3.14.5.
"""

import re
from collections.abc import Iterator

from pools.review.edits import Edit, replace
from pools.review.made import Made, made
from pools.review.rule import Found
from pools.review.things import CONNECTOR
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.worth import Known, number

LONGEST_COMMON_S = 75.0
_SERVER = re.compile(
    r"(?:SERVER|UPSTREAM|BACKEND|REMOTE|NGINX|ALB|ELB|LB|GATEWAY)_KEEP_?ALIVE(?:_TIMEOUT)?"
    r"(?:_S|_SECONDS|_SECS|_SEC)?$",
    re.IGNORECASE,
)


def find(module: Module) -> Iterator[Found]:
    """Yield connectors whose keep-alive outlasts the server's."""
    for one in made(module, CONNECTOR):
        answer = one.argument(module, "keepalive_timeout")
        if not isinstance(answer, Known):
            continue
        limit_s, whose = module.once(_server)
        kept_s = float("inf") if answer.value is None else number(answer)
        if kept_s is not None and kept_s >= limit_s:
            said = "for ever" if answer.value is None else f"{kept_s:g} s"
            yield Found(
                one.arguments["keepalive_timeout"],
                f"Idle connections are reused {said}, and {whose} closes them after {limit_s:g} s:"
                " a request sent at that moment fails, and a POST is not repeated.",
                f"Keep it below the server's, such as {_below(limit_s)}.",
                _edits(module, one, limit_s),
            )


def _server(module: Module) -> tuple[float, str]:
    """Return the server's keep-alive: a constant named for it, else the longest common one."""
    for name, bindings in module.bound.get(module.tree, {}).items():
        if _SERVER.search(name) and len(bindings) == 1 and bindings[0].value is not None:
            said_s = number(evaluate(module, bindings[0].value))
            if said_s and said_s > 0:
                return said_s, name
    return LONGEST_COMMON_S, "even nginx, the most patient of the common servers,"


def _below(limit_s: float) -> str:
    return f"{min(15.0, limit_s * 0.8):g}"


def _edits(module: Module, one: Made, limit_s: float) -> tuple[Edit, ...]:
    written = next((k.value for k in one.call.keywords if k.arg == "keepalive_timeout"), None)
    return (replace(module, written, _below(limit_s)),) if written is not None else ()


BAD = (
    """
import aiohttp


async def open_session():
    connector = aiohttp.TCPConnector(limit=50, keepalive_timeout=300)  # <-
    return aiohttp.ClientSession(connector=connector)
""",
    """
from aiohttp import TCPConnector

SERVER_KEEPALIVE_S = 5
connector = TCPConnector(
    limit_per_host=20,
    keepalive_timeout=30,  # <-
)
""",
    """
import aiohttp

POOL = dict(limit=100, keepalive_timeout=None)  # <-


def connector():
    return aiohttp.TCPConnector(**POOL)
""",
)
GOOD = (
    """
import aiohttp


async def open_session():
    connector = aiohttp.TCPConnector(limit=50, keepalive_timeout=20)
    return aiohttp.ClientSession(connector=connector)
""",
    """
from aiohttp import TCPConnector

SERVER_KEEPALIVE_S = 5
connector = TCPConnector(limit_per_host=20, keepalive_timeout=SERVER_KEEPALIVE_S - 1)
""",
    """
import aiohttp

connector = aiohttp.TCPConnector(force_close=True)
patient = aiohttp.TCPConnector(limit=10)


def configured(settings):
    return aiohttp.TCPConnector(keepalive_timeout=settings.keepalive)
""",
)
