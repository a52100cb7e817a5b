"""Which kind's decisions are asked: what PoolLogic's methods do in the engine."""

from sim.kernel import aiohttp, asyncpg, sqlalchemy
from sim.kernel.compiled import compiled
from sim.kernel.state import AIOHTTP, ASYNCPG, State


@compiled
def start(s: State, number: int, warm: int) -> None:
    """Begin with warm connections."""
    if s.kind == ASYNCPG:
        asyncpg.start(s, number, warm)
    elif s.kind == AIOHTTP:
        aiohttp.start(s, number, warm)
    else:
        sqlalchemy.start(s, number, warm)


@compiled
def acquire(s: State, row: int) -> None:
    """Consider a request that asks for a connection."""
    if s.kind == ASYNCPG:
        asyncpg.acquire(s, row, s.now)
    elif s.kind == AIOHTTP:
        aiohttp.acquire(s, row)
    else:
        sqlalchemy.acquire(s, row, s.now)


@compiled
def woken(s: State, row: int) -> None:
    """Continue a waiter that was woken."""
    if s.kind == ASYNCPG:
        asyncpg.woken(s, row)
    elif s.kind == AIOHTTP:
        aiohttp.woken(s, row)
    else:
        sqlalchemy.woken(s, row, s.now)


@compiled
def expired(s: State, row: int) -> None:
    """Consider a request whose alarm went off."""
    if s.kind == ASYNCPG:
        asyncpg.expired(s, row, s.now)
    elif s.kind == AIOHTTP:
        aiohttp.expired(s, row, s.now)
    else:
        sqlalchemy.expired(s, row, s.now)


@compiled
def opened(s: State, slot: int) -> None:
    """Consider a connect that succeeded."""
    if s.kind == ASYNCPG:
        asyncpg.opened(s, slot)
    elif s.kind == AIOHTTP:
        aiohttp.opened(s, slot)
    else:
        sqlalchemy.opened(s, slot, s.now)


@compiled
def open_failed(s: State, slot: int) -> None:
    """Consider a connect that failed; HTTP hosts refuse none."""
    if s.kind == ASYNCPG:
        asyncpg.open_failed(s, slot)
    else:
        sqlalchemy.open_failed(s, slot)


@compiled
def exchanged(s: State, slot: int) -> None:
    """Consider a conversation that ended; aiohttp has none."""
    if s.kind == ASYNCPG:
        asyncpg.exchanged(s, slot)
    else:
        sqlalchemy.exchanged(s, slot, s.now)


@compiled
def release(s: State, row: int) -> None:
    """Take back what the request held."""
    if s.kind == ASYNCPG:
        asyncpg.release(s, row, s.now)
    elif s.kind == AIOHTTP:
        aiohttp.release(s, row)
    else:
        sqlalchemy.release(s, row)
