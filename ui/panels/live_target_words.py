"""An own server in words: what was found, what a check will use, what it leaves free."""

from pools.live.preflight import NO_LIMIT, Facts, HttpFacts, PostgresFacts
from ui.words import count, duration, number

SUPERUSER = (
    "This role may take even the slots that are reserved for emergencies. Use it all the same."
)
NOWHERE = "none"


def room(facts: Facts) -> str:
    """Say what a check will use and what it leaves free, before it starts."""
    if isinstance(facts, HttpFacts):
        return (
            f"It answers {facts.status} in {duration(facts.answers.mean_s)}. A check asks up to 500"
            " times, over up to 50 connections."
        )
    if facts.pool_most < 1:
        return (
            f"Too few connections are free for a check: {facts.free_here} for this role, and"
            f" {facts.kept_free} must stay free on the server."
        )
    return (
        f"{facts.in_use} of {facts.max_connections} connections are in use, {facts.free_here} are"
        f" free for this role. A check uses **at most {facts.uses_most}**: {facts.pool_most} for"
        f" the pool and one to watch. At least **{facts.free - facts.uses_most} stay free**."
    )


def facts(found: Facts) -> dict[str, list[str]]:
    """Return the columns of the table of what was found."""
    rows = _http(found) if isinstance(found, HttpFacts) else _postgres(found)
    return {"what": list(rows), "found": list(rows.values())}


def _http(found: HttpFacts) -> dict[str, str]:
    return {
        "status": str(found.status),
        "answer": f"{duration(found.answers.mean_s)}, cv {number(found.answers.cv)}",
        "length": f"{found.bytes_read} bytes",
    }


def _postgres(found: PostgresFacts) -> dict[str, str]:
    slow = found.statements
    timeouts = ", ".join(f"{name} {value}" for name, value in found.timeouts.items())
    return {
        "version": found.version[:60],
        "max_connections": f"{found.max_connections}, {found.reserved} of them reserved",
        "in use": str(found.in_use),
        "limit of the role": _limit(found.role_limit, found.role_in_use),
        "limit of the database": _limit(found.database_limit, found.database_in_use),
        "server": "a standby (reads only)" if found.is_standby else "a primary",
        "pooler in front": "yes" if found.is_pooled else "no",
        "superuser": "yes" if found.takes_reserved else "no",
        "timeouts in force": timeouts[:200] or NOWHERE,
        "ends statements of a client that is gone": (
            "yes" if "client_connection_check_interval" in found.settings else "no"
        ),
        "pg_stat_statements": (
            f"{count(slow.n, 'call')}, mean {duration(slow.mean_s)}, cv {number(slow.cv)}"
            if slow
            else "not readable"
        ),
    }


def _limit(limit: int, in_use: int) -> str:
    return f"{limit}, {in_use} in use" if limit != NO_LIMIT else NOWHERE
