"""Why a check of somebody's server does not start, or stops itself."""

from pools.live.failures import classes, life_cycle
from pools.live.preflight import PostgresFacts
from pools.live.problems import Problem, of_life


def superuser() -> Problem:
    """Say that a role could take even the reserved slots."""
    return Problem(
        "PW-LIVE-superuser",
        "This role may take the reserved connections",
        "It is a superuser, or a member of pg_use_reserved_connections: with it a check could"
        " take the slots that are kept for emergencies.",
        "Use an ordinary role, or confirm that you want this one.",
    )


def too_few(facts: PostgresFacts, wanted: int) -> Problem:
    """Say that there is not, or no longer, enough room."""
    return Problem(
        "PW-LIVE-slots",
        "Too few connections are free",
        f"{facts.free_here} are free for this role and {facts.kept_free} must stay free on the"
        f" server: a check may use {facts.uses_most}, and needs {wanted + 1}.",
        "Try again at a quieter time, or raise max_connections or the role's limit.",
    )


def crowded(facts: PostgresFacts) -> Problem:
    """Say that others need the room that a check must leave."""
    return Problem(
        "PW-LIVE-crowded",
        "Others need the connections",
        f"Fewer than {facts.kept_free} connections were left free on the server, so the check"
        " stopped itself and gave its own back.",
        "Try again at a quieter time.",
    )


def wrong_kind(serves: str) -> Problem:
    """Say that a pool and a target do not go together."""
    database = serves == "database"
    wanted = "a PostgreSQL server" if database else "an HTTP endpoint"
    return Problem(
        "PW-LIVE-target",
        "This target is for another kind of pool",
        f"The pool chosen needs {wanted}.",
        "Choose the target or the kind of pool anew.",
    )


def too_large(bytes_most: int) -> Problem:
    """Say that answers are cut, which ends the connection each time."""
    return Problem(
        "PW-LIVE-answer",
        "The answers are too large",
        f"A check reads up to {bytes_most // 1024} KiB of an answer, and this one is longer.",
        "Use method HEAD, or the address of a smaller answer.",
    )


def redirects() -> Problem:
    """Say that the endpoint answers with another address."""
    row = classes.BY_CLASS["aiohttp.TooManyRedirects"]
    return Problem(row.code, row.title, row.cause, row.next_step)


def cancelled() -> Problem:
    """Say that a person ended the check."""
    return of_life(life_cycle.CANCELLED)
