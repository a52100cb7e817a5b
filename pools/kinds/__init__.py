"""The pool kinds Poolwise knows. A new kind is one file here and one line in KINDS."""

from collections.abc import Mapping

from pools.kinds.aiohttp import AiohttpConnector
from pools.kinds.asyncpg import AsyncpgPool
from pools.kinds.base import Pool
from pools.kinds.httpx import HttpxPool
from pools.kinds.psycopg import PsycopgPool
from pools.kinds.sqlalchemy import SqlalchemyQueue
from pools.kinds.sqlalchemy_null import SqlalchemyNull

KINDS: Mapping[str, type[Pool]] = {
    kind.name: kind
    for kind in (
        SqlalchemyQueue,
        SqlalchemyNull,
        AsyncpgPool,
        PsycopgPool,
        AiohttpConnector,
        HttpxPool,
    )
}

__all__ = [
    "KINDS",
    "AiohttpConnector",
    "AsyncpgPool",
    "HttpxPool",
    "Pool",
    "PsycopgPool",
    "SqlalchemyNull",
    "SqlalchemyQueue",
]
