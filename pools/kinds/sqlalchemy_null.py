"""SQLAlchemy's NullPool over asyncpg: one connect for each checkout, no queue, no limit.

Source: sqlalchemy/pool/impl.py (NullPool), SQLAlchemy 2.1.9.
"""

import random
from dataclasses import dataclass
from typing import ClassVar

from pools.kinds.base import CLOSE_ROUND_TRIPS, Pool
from pools.kinds.sqlalchemy_record import Record, RecordLogic
from pools.protocol import PoolLogic, Request, World
from pools.trace import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlalchemyNull(Pool):
    """`create_async_engine(..., poolclass=NullPool)`: nothing to set."""

    name: ClassVar[str] = "sqlalchemy-null"
    title: ClassVar[str] = "SQLAlchemy NullPool"
    versions: ClassVar[str] = "SQLAlchemy 2.0 and 2.1, asyncpg driver"
    use_round_trips: ClassVar[int] = 2

    @property
    def capacity(self) -> int | None:
        """No limit."""
        return None

    @property
    def hold_round_trips(self) -> int:
        """BEGIN, COMMIT and the close."""
        return self.use_round_trips + CLOSE_ROUND_TRIPS

    def release_hops(self, explicit: bool) -> int:
        """As the queue pool: 0 after an explicit close()."""
        return 0 if explicit else 1

    def logic(self, world: World, rng: random.Random) -> PoolLogic:
        """Make the decisions of one such pool."""
        return NullPoolLogic(world)


class NullPoolLogic(RecordLogic):
    """The decisions of one NullPool: connect for each request, close on return."""

    def __init__(self, world: World) -> None:
        """Start with nothing, which is also how it stays."""
        super().__init__(world, Cause.NOT_POOLED)

    def start(self, now: float, warm: int) -> None:
        """Keep no connections; `warm` only says that the dialect is initialised."""
        self._initialised = warm > 0

    def acquire(self, request: Request, now: float) -> None:
        """Connect."""
        self._create(request, now)

    def woken(self, request: Request, now: float) -> None:
        """Do nothing: nobody ever waits."""

    def expired(self, request: Request, now: float) -> None:
        """Do nothing: there is no timeout."""

    def _put(self, record: Record, by: Request | None) -> None:
        self._close(record, by)

    def _forget(self, record: Record) -> None:
        """There is no room to come free."""
