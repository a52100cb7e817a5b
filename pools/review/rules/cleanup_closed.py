"""`enable_cleanup_closed` does nothing on a current Python but warn.

It aborted TLS connections to servers that never finish the shutdown, because asyncio leaked
them; Python 3.12.8 and 3.13.1 fixed that, and aiohttp ignores the setting there with a
DeprecationWarning.
Source: aiohttp/connector.py (NEEDS_CLEANUP_CLOSED), aiohttp 3.14.5.
"""

from collections.abc import Iterator

from pools.review.edits import drop_argument
from pools.review.made import made
from pools.review.rule import Found
from pools.review.things import CONNECTOR
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.worth import Known

LEVEL = "note"


def find(module: Module) -> Iterator[Found]:
    """Yield connectors that switch it on."""
    for one in made(module, CONNECTOR):
        node = one.arguments.get("enable_cleanup_closed")
        answer = evaluate(module, node) if node is not None else None
        if node is not None and isinstance(answer, Known) and answer.value is True:
            edit = drop_argument(module, one.call, "enable_cleanup_closed")
            yield Found(
                node,
                "enable_cleanup_closed=True is ignored, with a DeprecationWarning, from Python"
                " 3.12.8 and 3.13.1 on.",
                "Leave it out.",
                (edit,) if edit is not None else (),
            )


BAD = (
    """
import aiohttp

connector = aiohttp.TCPConnector(limit=100, enable_cleanup_closed=True)  # <-
""",
    """
from aiohttp import ClientSession, TCPConnector


async def open_session() -> ClientSession:
    return ClientSession(
        connector=TCPConnector(
            limit_per_host=10,
            enable_cleanup_closed=True,  # <-
            ttl_dns_cache=300,
        )
    )
""",
    """
import aiohttp

OPTIONS = {"limit": 20}
OPTIONS["enable_cleanup_closed"] = True  # <-


def connector():
    return aiohttp.TCPConnector(**OPTIONS)
""",
)
GOOD = (
    """
import aiohttp

connector = aiohttp.TCPConnector(limit=100)
old = aiohttp.TCPConnector(enable_cleanup_closed=False)
""",
    """
import sys
import aiohttp

NEEDED = sys.version_info < (3, 12, 8)
connector = aiohttp.TCPConnector(enable_cleanup_closed=NEEDED)
""",
    """
from .http import TCPConnector

connector = TCPConnector(enable_cleanup_closed=True)
""",
)
