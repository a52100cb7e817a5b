"""How many connections a pool made in the text may open, and what the server allows."""

from dataclasses import dataclass

from pools.review.dsn import Dsn
from pools.review.made import Made, address, made
from pools.review.things import ENGINE, PG_POOL, SYNC_ENGINE
from pools.review.tree import Module
from pools.review.worth import Unknown, number

POOL_SIZE, MAX_OVERFLOW, MAX_SIZE = 5.0, 10.0, 10.0
_UNPOOLED = frozenset({"NullPool", "StaticPool", "SingletonThreadPool", "AssertionPool"})


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most connections of one pool, as a sum in words; `total` is None for no limit."""

    made: Made
    total: int | None
    said: str


def capacities(module: Module) -> list[Capacity]:
    """Return the capacity of each database pool whose settings the text shows in full."""
    found = [_capacity(module, one) for one in made(module, ENGINE, SYNC_ENGINE, PG_POOL)]
    return [one for one in found if one is not None]


def behind_pooler(module: Module, one: Made) -> bool:
    """Whether the address leads to a pooler, whose clients are not server connections."""
    dsn = address(module, one)
    return dsn is not None and is_pooler(dsn)


def is_pooler(dsn: Dsn) -> bool:
    """Whether an address is a pooler's: PgBouncer's port, or a host that says so."""
    host = dsn.host.lower()
    return dsn.port == 6432 or "bouncer" in host or "pooler" in host or "pgcat" in host


def _capacity(module: Module, one: Made) -> Capacity | None:
    if one.poolclass in _UNPOOLED:
        return None
    dsn = address(module, one)
    if dsn is not None and dsn.is_sqlite:
        return None
    if one.thing == PG_POOL:
        size = _number(module, one, "max_size", MAX_SIZE)
        return None if size is None else Capacity(one, int(size), f"max_size {size:g}")
    size = _number(module, one, "pool_size", POOL_SIZE)
    overflow = _number(module, one, "max_overflow", MAX_OVERFLOW)
    if size is None or overflow is None:
        return None
    if size == 0 or overflow < 0:
        return Capacity(one, None, "pool_size 0" if size == 0 else f"max_overflow {overflow:g}")
    return Capacity(one, int(size + overflow), f"pool_size {size:g} + max_overflow {overflow:g}")


def _number(module: Module, one: Made, name: str, default: float) -> float | None:
    answer = one.argument(module, name)
    if answer is None:
        return default
    if isinstance(answer, Unknown):
        return None
    if isinstance(answer.value, str) and answer.value.isdigit():
        return float(answer.value)
    return number(answer)
