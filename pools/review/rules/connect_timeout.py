"""`ClientTimeout(connect=...)` is taken for the TCP timeout; it includes the wait for a place.

`connect` runs while a request queues for a free connection of the connector, and through DNS,
TCP and TLS after that. Under load it fires in aiohttp's own queue, against a server that is
well. The time to reach the server is `sock_connect`; a ClientTimeout of one's own has none.
Source: aiohttp/connector.py (connect), aiohttp 3.14.5; aiohttp issues 2648 and 1463.
"""

from collections.abc import Iterator

from pools.kinds import AiohttpConnector
from pools.review.edits import add_argument
from pools.review.made import Made, made
from pools.review.rule import Found, WhatIf
from pools.review.sessions import is_kept, serves_one_call
from pools.review.syntax import last_name
from pools.review.things import CONNECTOR, HTTP, TIMEOUT
from pools.review.tree import Module
from pools.review.what_if import with_pool
from pools.review.worth import Known, number
from sim.scenario import Scenario

LEVEL = "note"


def find(module: Module) -> Iterator[Found]:
    """Yield timeouts that limit `connect` and say nothing of `sock_connect`."""
    if _has_no_queue(module):
        return
    for one in made(module, TIMEOUT):
        limit_s = number(one.argument(module, "connect"))
        if one.is_open or not limit_s or "sock_connect" in one.arguments:
            continue
        if _is_of_one_call(module, one):
            continue
        node = one.arguments["connect"]
        yield Found(
            node,
            f"connect={limit_s:g} also counts the wait for a free place in the connector: under"
            " load, requests fail here though the server answers.",
            "Set sock_connect for reaching the server, and let connect, if given, be the longest"
            " wait you accept in your own queue.",
            (add_argument(module, one.call, f"sock_connect={limit_s:g}"),),
        )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare the connect timeout as it is with none."""
    pool = scenario.pool
    if not isinstance(pool, AiohttpConnector):
        return None
    if pool.connect_timeout == 0:
        mistaken = with_pool(scenario, connect_timeout=1.0)
        label = "connect=1, say"
        return WhatIf(mistaken=mistaken, fixed=scenario, label=label)
    fixed = with_pool(scenario, connect_timeout=0.0)
    return WhatIf(mistaken=scenario, fixed=fixed, label=f"connect={pool.connect_timeout:g}")


def _has_no_queue(module: Module) -> bool:
    """Whether every connector made here is without limits, so that nobody queues."""
    connectors = made(module, CONNECTOR)
    return bool(connectors) and all(_is_unlimited(module, one) for one in connectors)


def _is_of_one_call(module: Module, one: Made) -> bool:
    """Whether the timeout goes to a session that is made for one call, where nobody queues."""
    for session in made(module, HTTP):
        given = session.arguments.get("timeout")
        is_given = given is one.call or (given is not None and last_name(given) == one.name != "")
        if is_given and session.function is not None and session.function is one.function:
            is_local = session.role == "local" and not is_kept(session.function, session.name)
            return is_local or serves_one_call(session.function, session)
    return False


def _is_unlimited(module: Module, one: Made) -> bool:
    answer, each = one.argument(module, "limit"), one.argument(module, "limit_per_host")
    is_open = isinstance(answer, Known) and not answer.value
    return is_open and (each is None or (isinstance(each, Known) and not each.value))


BAD = (
    """
import aiohttp

timeout = aiohttp.ClientTimeout(total=30, connect=5)  # <-


async def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=timeout)
""",
    """
from aiohttp import ClientSession, ClientTimeout, TCPConnector

CONNECT_TIMEOUT = 2.5


class Api:
    async def __aenter__(self):
        self.session = ClientSession(
            connector=TCPConnector(limit=10),
            timeout=ClientTimeout(
                total=None,
                connect=CONNECT_TIMEOUT,  # <-
                sock_read=20,
            ),
        )
        return self

    async def __aexit__(self, *exc):
        await self.session.close()
""",
    """
import os
import aiohttp

TIMEOUTS = {"total": 60, "connect": int(os.getenv("CONNECT_TIMEOUT", "10"))}  # <-
timeout = aiohttp.ClientTimeout(**TIMEOUTS)
""",
)
GOOD = (
    """
import aiohttp

timeout = aiohttp.ClientTimeout(total=30, connect=10, sock_connect=5)
only_tcp = aiohttp.ClientTimeout(total=30, sock_connect=5, sock_read=20)
""",
    """
import aiohttp

timeout = aiohttp.ClientTimeout(total=300, connect=None)


async def unlimited():
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(), timeout=timeout)
""",
    '''
import aiohttp


async def crawler():
    """No limit, so nobody ever queues: connect is DNS, TCP and TLS alone."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=30, connect=5),
    )
''',
    """
import aiohttp


async def main(url: str, body: dict) -> int:
    timeout = aiohttp.ClientTimeout(total=10, connect=3)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        async with session.post(url, json=body) as response:
            return response.status
""",
)
