"""`ssl=False` switches off certificate verification; it does not choose plain HTTP.

The address' scheme decides whether TLS is spoken. With ssl=False aiohttp speaks TLS to
whoever answers and believes any certificate, so anybody in between can read and change all.
Source: aiohttp, Client Reference (ClientSession.request, ssl); observed with 3.14.5: the
server saw TLS 1.3 with ssl=False, and with ssl=True the same address was rejected.
"""

import ast
from collections.abc import Iterator

from pools.review.edits import drop_argument
from pools.review.made import made
from pools.review.rule import Found
from pools.review.syntax import last_name
from pools.review.things import CONNECTOR, HTTP, receiver
from pools.review.tree import Module
from pools.review.values import evaluate, text_of
from pools.review.worth import Known

LEVEL = "error"
_REQUESTS = ("get", "post", "put", "patch", "delete", "head", "options", "request", "ws_connect")
_LOCAL = ("http://", "ws://", "https://localhost", "https://127.0.0.1", "https://[::1]")
_WHY = {
    "ssl": "ssl=False verifies no certificate: whoever stands in between can read and change"
    " everything. The address' scheme, not this, decides whether TLS is used.",
    "verify_ssl": "verify_ssl=False verifies no certificate, and is deprecated.",
}


def find(module: Module) -> Iterator[Found]:
    """Yield connectors and requests that do not verify certificates."""
    for call in _calls(module):
        for keyword in call.keywords:
            if keyword.arg in _WHY and _is_unverified(module, keyword.value):
                yield Found(
                    keyword.value,
                    _WHY[keyword.arg],
                    f"Leave {keyword.arg} out. For a private authority, pass"
                    " ssl=ssl.create_default_context(cafile=...).",
                    (drop_argument(module, call, keyword.arg),),
                )


def _calls(module: Module) -> Iterator[ast.Call]:
    yield from (one.call for one in made(module, CONNECTOR))
    for call in module.called(*_REQUESTS):
        if receiver(module, call) == HTTP and not _is_local(module, call):
            yield call
    for call in module.called("request"):
        if module.qualified(call.func) == "aiohttp.request" and not _is_local(module, call):
            yield call


def _is_unverified(module: Module, node: ast.expr) -> bool:
    answer = evaluate(module, node)
    if isinstance(answer, Known):
        return answer.value is False and not answer.how.startswith("default of")
    return isinstance(node, ast.Call) and last_name(node.func) == "_create_unverified_context"


def _is_local(module: Module, call: ast.Call) -> bool:
    """Whether a request's address is plain HTTP or this machine."""
    position = 1 if last_name(call.func) == "request" else 0
    given = next((k.value for k in call.keywords if k.arg == "url"), None)
    if given is None and len(call.args) > position:
        given = call.args[position]
    return given is not None and text_of(module, given).startswith(_LOCAL)


BAD = (
    """
import aiohttp


async def fetch(urls):
    connector = aiohttp.TCPConnector(limit=20, ssl=False)  # <-
    async with aiohttp.ClientSession(connector=connector) as session:
        for url in urls:
            async with session.get(url) as response:
                yield await response.read()
""",
    """
from aiohttp import ClientSession


class Hook:
    def __init__(self, session: ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def send(self, body: dict) -> int:
        async with self.session.post(
            self.url,
            json=body,
            ssl=False,  # <-
        ) as response:
            return response.status
""",
    """
import ssl
from aiohttp import TCPConnector as Connector

VERIFY = False
by_flag = Connector(ssl=VERIFY)  # <-
by_context = Connector(ssl=ssl._create_unverified_context())  # <-
by_old_name = Connector(verify_ssl=False, limit_per_host=4)  # <-
""",
)
GOOD = (
    """
import ssl
import aiohttp

context = ssl.create_default_context(cafile="/etc/ssl/internal.pem")


async def fetch(urls):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        for url in urls:
            async with session.get(url, ssl=True) as response:
                yield await response.read()
""",
    """
import os
import aiohttp


def connector(verify: bool = True) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=verify, limit=50)


FLAG = os.environ.get("VERIFY_TLS", "yes") == "yes"
other = aiohttp.TCPConnector(ssl=FLAG)
""",
    '''
import aiohttp
import asyncpg


async def probe(session: aiohttp.ClientSession) -> int:
    async with session.get("http://localhost:8080/healthz", ssl=False) as response:
        return response.status


async def open_pool():
    """asyncpg's ssl=False does mean a connection without TLS."""
    return await asyncpg.create_pool(host="/var/run/postgresql", ssl=False)
''',
)
