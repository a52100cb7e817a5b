"""Connections are kept longer idle than the server, or a firewall between, lets them live.

Whoever cuts idle connections does it without asking the pool. A server says so, and the next
request fails; a firewall or load balancer mostly drops packets silently, and the next request,
or a pre-ping, hangs until the operating system gives up. pool_recycle has to be shorter.
Source: SQLAlchemy, Setting Pool Recycle; MySQL's wait_timeout (28 800 s by default).
"""

import re
from collections.abc import Iterator

from pools.review.context import seconds
from pools.review.edits import Edit, add_argument, replace
from pools.review.made import Made, address, made
from pools.review.rule import Found
from pools.review.settings import connection_settings
from pools.review.things import ENGINE, PG_POOL, SYNC_ENGINE
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.worth import Known, number

MYSQL_WAIT_TIMEOUT_S = 28_800.0
ASYNCPG_LIFETIME_S = 300.0
_CUT_NAME = re.compile(
    r"(?:FIREWALL|NAT|NLB|ALB|LB|LOAD_?BALANCER|PROXY|SERVER|GATEWAY|DB|NETWORK)_IDLE"
    r"(?:_CUT|_TIMEOUT|_LIMIT)?(?:_S|_SECONDS|_SECS|_SEC)?$",
    re.IGNORECASE,
)


def find(module: Module) -> Iterator[Found]:
    """Yield pools that keep connections longer than an idle cut that is known."""
    for one in made(module, ENGINE, SYNC_ENGINE):
        cut = _cut(module, one)
        age_s = _age(module, one, "pool_recycle", -1.0)
        if cut is None or age_s is None or 0 < age_s < cut[0]:
            continue
        if cut[2] and _pings(module, one):
            continue
        how_long = "for ever" if age_s <= 0 else f"{age_s:g} s"
        yield Found(
            one.arguments.get("pool_recycle", one.call),
            f"Connections are kept {how_long}, and {cut[1]} cuts idle ones after {cut[0]:g} s:"
            " the next request gets a dead connection.",
            f"Set pool_recycle below it, such as {_below(cut[0])}.",
            _edits(module, one, cut[0]),
        )
    for one in made(module, PG_POOL):
        cut = _cut(module, one)
        name = "max_inactive_connection_lifetime"
        age_s = _age(module, one, name, ASYNCPG_LIFETIME_S)
        if cut is None or cut[2] or age_s is None or 0 < age_s < cut[0]:
            continue
        yield Found(
            one.arguments.get(name, one.call),
            f"Idle connections are kept {'for ever' if age_s <= 0 else f'{age_s:g} s'}, and"
            f" {cut[1]} cuts them silently after {cut[0]:g} s.",
            f"Set {name} below it, such as {_below(cut[0])}, and min_size low: connections up"
            " to min_size are never closed for age.",
        )


def _cut(module: Module, one: Made) -> tuple[float, str, bool] | None:
    """Return the shortest idle cut known: seconds, who cuts, and whether the pool is told."""
    found = [*_from_settings(module, one), *module.once(_from_names), *_from_address(module, one)]
    if module.context.idle_cut_s is not None:
        found.append((module.context.idle_cut_s, "the network of the scenario", False))
    return min(found, default=None)


def _from_settings(module: Module, one: Made) -> Iterator[tuple[float, str, bool]]:
    given = connection_settings(module, one).get("idle_session_timeout")
    answer = evaluate(module, given) if given is not None else None
    said = answer.value if isinstance(answer, Known) else None
    cut_s = seconds(str(said), "ms") if isinstance(said, str | int | float) else None
    if cut_s:
        yield cut_s, "idle_session_timeout of the server", True
    pooler = seconds(module.context.noted.get("client_idle_timeout", ""))
    if pooler:
        yield pooler, "client_idle_timeout of PgBouncer", True


def _from_names(module: Module) -> list[tuple[float, str, bool]]:
    """Return constants named for a cut, such as `NAT_IDLE_TIMEOUT_S = 350`."""
    found = []
    for name, bindings in module.bound.get(module.tree, {}).items():
        if _CUT_NAME.search(name) and len(bindings) == 1 and bindings[0].value is not None:
            cut_s = number(evaluate(module, bindings[0].value))
            if cut_s and cut_s > 0:
                found.append((cut_s, name, False))
    return found


def _from_address(module: Module, one: Made) -> Iterator[tuple[float, str, bool]]:
    dsn = address(module, one)
    is_mysql = dsn is not None and dsn.scheme.startswith(("mysql", "mariadb"))
    if is_mysql and _age(module, one, "pool_recycle", -1.0) not in {None, -1.0}:
        yield MYSQL_WAIT_TIMEOUT_S, "MySQL (wait_timeout, by default)", True


def _age(module: Module, one: Made, name: str, default: float) -> float | None:
    answer = one.argument(module, name)
    return default if answer is None else number(answer)


def _pings(module: Module, one: Made) -> bool:
    answer = one.argument(module, "pool_pre_ping")
    return answer is not None and not (isinstance(answer, Known) and not answer.value)


def _below(cut_s: float) -> int:
    return max(1, int(cut_s * 0.8))


def _edits(module: Module, one: Made, cut_s: float) -> tuple[Edit, ...]:
    written = next((k.value for k in one.call.keywords if k.arg == "pool_recycle"), None)
    if written is not None:
        return (replace(module, written, str(_below(cut_s))),)
    if "pool_recycle" in one.arguments:
        return ()
    return (add_argument(module, one.call, f"pool_recycle={_below(cut_s)}"),)


BAD = (
    """
from sqlalchemy.ext.asyncio import create_async_engine

NAT_IDLE_TIMEOUT_S = 350

engine = create_async_engine(
    "postgresql+asyncpg://app@db/orders",
    pool_size=10,
    pool_pre_ping=True,
    pool_recycle=3600,  # <-
)
""",
    """
from sqlalchemy import create_engine

engine = create_engine("mysql+pymysql://app@db/shop", pool_recycle=8 * 60 * 60)  # <-
""",
    """
from datetime import timedelta
from sqlalchemy.ext.asyncio import create_async_engine

RECYCLE = timedelta(minutes=30).total_seconds()
engine = create_async_engine(
    "postgresql+asyncpg://app@db/orders",
    pool_recycle=RECYCLE,  # <-
    connect_args={"server_settings": {"idle_session_timeout": "600000"}},
)
""",
    """
import asyncpg

FIREWALL_IDLE_TIMEOUT = 240


async def open_pool(dsn):
    return await asyncpg.create_pool(  # <-
        dsn, min_size=1, max_size=10
    )
""",
)
GOOD = (
    """
from sqlalchemy.ext.asyncio import create_async_engine

NAT_IDLE_TIMEOUT_S = 350

engine = create_async_engine(
    "postgresql+asyncpg://app@db/orders", pool_recycle=NAT_IDLE_TIMEOUT_S - 50
)
""",
    """
from sqlalchemy import create_engine

engine = create_engine("mysql+pymysql://app@db/shop", pool_recycle=3600)
other = create_engine("postgresql+psycopg://app@db/shop", pool_recycle=8 * 60 * 60)
""",
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    "postgresql+asyncpg://app@db/orders",
    pool_pre_ping=True,
    connect_args={"server_settings": {"idle_session_timeout": "600000"}},
)
""",
    """
import asyncpg

LB_IDLE_SECONDS = 600


async def open_pool(dsn):
    return await asyncpg.create_pool(
        dsn, min_size=1, max_size=10, max_inactive_connection_lifetime=300
    )
""",
)
