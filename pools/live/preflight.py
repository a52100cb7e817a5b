"""What a look at somebody's server finds, and what a check may therefore use of it.

A check never takes more than a quarter of the free slots, whichever limit is the tightest
(server, database, role), and always leaves `max(5, 10 % of max_connections)` free.
"""

import dataclasses
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any, Self, TypeAlias

SHARE_OF_FREE = 4
LEFT_FREE_MIN = 5
LEFT_FREE_SHARE = 0.1
CONTROL = 1
LOOK_REQUESTS = 10
NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something takes: mean and standard deviation in seconds, over `n` of it."""

    mean_s: float
    deviation_s: float
    n: int

    @property
    def cv(self) -> float:
        """Standard deviation over mean, as `hold_cv` counts."""
        return self.deviation_s / self.mean_s if self.mean_s > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class PostgresFacts:
    """A PostgreSQL server as one role sees it. Counts leave the check itself out.

    Limits are -1 where there is none. `settings` are those a connection may ask for as it
    starts; `timeouts` are in force for this role (name to text). `statements` comes from
    pg_stat_statements, where it can be read.
    """

    version: str
    max_connections: int
    reserved: int
    in_use: int
    role_limit: int
    role_in_use: int
    database_limit: int
    database_in_use: int
    is_standby: bool
    takes_reserved: bool
    is_pooled: bool
    settings: Mapping[str, str] = field(default_factory=dict)
    timeouts: Mapping[str, str] = field(default_factory=dict)
    statements: Spread | None = None

    @property
    def free(self) -> int:
        """Slots that an ordinary role could still get on this server."""
        return max(0, self.max_connections - self.reserved - self.in_use)

    @property
    def free_here(self) -> int:
        """Slots that this role could still get in this database."""
        role, database = (
            limit - in_use if limit != NO_LIMIT else self.free
            for limit, in_use in (
                (self.role_limit, self.role_in_use),
                (self.database_limit, self.database_in_use),
            )
        )
        return max(0, min(self.free, role, database))

    @property
    def kept_free(self) -> int:
        """Slots that must stay free whatever happens."""
        return max(LEFT_FREE_MIN, math.ceil(self.max_connections * LEFT_FREE_SHARE))

    @property
    def uses_most(self) -> int:
        """Connections a check may have at once, its own observer among them."""
        return max(0, min(self.free_here // SHARE_OF_FREE, self.free - self.kept_free))

    @property
    def pool_most(self) -> int:
        """Connections the pool under check may have; 0: too few are free for a check."""
        return max(0, self.uses_most - CONTROL)


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """An HTTP endpoint, asked a few times in a row over one connection."""

    status: int
    answers: Spread
    bytes_read: int


Facts: TypeAlias = PostgresFacts | HttpFacts


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a look, as it is handed around."""

    facts: Facts

    def as_json(self) -> dict[str, Any]:
        """Return plain values; `from_json` reads them back."""
        return dataclasses.asdict(self.facts)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        values = dict(plain)
        for name in ("statements", "answers"):
            if values.get(name):
                values[name] = Spread(**values[name])
        return cls(HttpFacts(**values) if "answers" in values else PostgresFacts(**values))


async def ask_a_few(ask: Callable[[], Awaitable[tuple[int, int]]]) -> HttpFacts:
    """Ask an HTTP server a few times in a row; `ask` returns status and length of an answer."""
    times, status, size = [], 0, 0
    for turn in range(LOOK_REQUESTS + 1):
        began_s = time.perf_counter()
        status, size = await ask()
        if turn:
            times.append(time.perf_counter() - began_s)
    return HttpFacts(status, Spread(fmean(times), pstdev(times), len(times)), size)


def shown(facts: Facts) -> dict[str, Any]:
    """Return what a step shows of what was found."""
    if isinstance(facts, HttpFacts):
        return {"status": facts.status, "answer_ms": round(facts.answers.mean_s * 1e3, 3)}
    return {"version": facts.version, "in_use": facts.in_use, "free": facts.free_here}
