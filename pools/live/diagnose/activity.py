"""Who is connected to a PostgreSQL server and what each session does: one read-only question.

`pg_stat_activity` shows every session to every role, but state, waits and times only of one's
own sessions, unless the role is a member of pg_read_all_stats (pg_monitor is). Texts of
statements are not asked for: they may hold anybody's data.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pools.live.server_text import harmless

NAME_MOST = 64
UNNAMED = "(no application_name)"
SESSIONS = """
SELECT application_name AS application,
       usename::text AS role,
       datname::text AS database,
       state,
       wait_event_type AS waits_for,
       wait_event AS wait,
       extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_s,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_s,
       extract(epoch FROM clock_timestamp() - backend_start)::float8 AS age_s
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
  AND (backend_type = 'client backend' OR backend_type IS NULL AND usesysid IS NOT NULL)
ORDER BY backend_start
LIMIT 2000
"""
SEES_ALL = """
SELECT r.rolsuper OR pg_has_role(session_user, 'pg_read_all_stats', 'member')
FROM pg_roles AS r WHERE r.rolname = session_user
"""
TIMES = ("state_s", "transaction_s", "age_s")
TEXTS = ("application", "role", "database", "state", "waits_for", "wait")


@dataclass(frozen=True, slots=True)
class Session:
    """One connection as the server sees it; times in seconds.

    `state`, waits and times are None where the role may not see them (`is_hidden`);
    `transaction_s` also where no transaction is open.
    """

    application: str
    role: str | None
    database: str | None
    state: str | None = None
    waits_for: str | None = None
    wait: str | None = None
    state_s: float | None = None
    transaction_s: float | None = None
    age_s: float | None = None

    @property
    def is_hidden(self) -> bool:
        """Whether only its existence is known."""
        return self.state is None and self.age_s is None

    @property
    def holds_idle(self) -> bool:
        """Whether it sits in an open transaction and asks for nothing."""
        return (self.state or "").startswith("idle in transaction")


@dataclass(frozen=True, slots=True)
class Activity:
    """All sessions but the one that asked; `sees_all` tells whether none can be hidden."""

    sessions: tuple[Session, ...]
    sees_all: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain values; `from_json` reads them back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        return cls(tuple(Session(**one) for one in plain["sessions"]), plain["sees_all"])


async def activity_of(connection: Any) -> Activity:  # noqa: ANN401  asyncpg's, or a transaction of it
    """Ask who is connected; names come from their clients and are made harmless."""
    rows = await connection.fetch(SESSIONS)
    return Activity(
        tuple(Session(**_plain(dict(row))) for row in rows),
        bool(await connection.fetchval(SEES_ALL)),
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    late = {name: max(0.0, row[name]) for name in TIMES if row[name] is not None}
    cut = {name: harmless(row[name])[:NAME_MOST] for name in TEXTS if row[name] is not None}
    return row | late | cut | {"application": cut.get("application") or UNNAMED}
