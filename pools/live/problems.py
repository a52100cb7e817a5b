"""From an exception to what a person reads: a stable code, a title, why, what to do next.

The text of a server or of a library is never part of it; only our own sentences are.
Codes are stable: `PW-DB-` and the SQLSTATE, or `PW-LIVE-` and a word.
"""

import re
from dataclasses import dataclass

LAST_WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a live check did not come to its end."""

    code: str
    title: str
    cause: str
    next_step: str

    def __str__(self) -> str:
        """Say it in one line."""
        return " ".join(
            filter(None, (f"{self.title}:", self.cause, self.next_step, f"({self.code})"))
        )


class LiveCheckFailed(RuntimeError):
    """A step failed in a way that is already a Problem."""

    def __init__(self, problem: Problem) -> None:
        """Carry the Problem."""
        super().__init__(str(problem))
        self.problem = problem


AGAIN = "Run the check again; if it stays, use a smaller load."
OWN_SERVER = "Set POOLWISE_PG=system to use an installed PostgreSQL, or POOLWISE_PG_BIN."

BY_SERVER_CODE = {
    "no_account": ("No account for the server", OWN_SERVER, "Run Poolwise as an ordinary user."),
    "no_directory": (
        "No place for the server",
        "No temporary directory is private, short and reachable enough.",
        "Set TMPDIR to a short path such as /tmp that every account may enter.",
    ),
    "unreachable": (
        "The server programs cannot be run",
        "The account that the server runs as cannot run them where they are.",
        "Install PostgreSQL and set POOLWISE_PG=system, or run Poolwise as an ordinary user.",
    ),
    "initdb_failed": (
        "The server could not be prepared",
        "initdb failed: often the disk is full, or our user has no entry in /etc/passwd.",
        "Free disk space; in a container, run as a user that /etc/passwd names.",
    ),
    "start_failed": ("The server did not start", "It ended before it was ready.", OWN_SERVER),
    "server_ended": ("The server ended during the check", "It was stopped from outside.", AGAIN),
    "keeper_ended": ("The server's keeper ended", "It was stopped from outside.", AGAIN),
}

BY_SQLSTATE = {
    "53300": (
        "All connection slots are taken",
        "The server refused one more connection.",
        "Raise max_connections, or use a smaller pool.",
    ),
    "57P03": ("The server is not ready", "It is starting or stopping.", AGAIN),
    "57P01": ("The server ended the connection", "It was stopped or told to.", AGAIN),
    "57014": ("A statement was cut off", "It ran into a statement timeout.", AGAIN),
    "28P01": ("Login refused", "User name or password is wrong.", AGAIN),
    "08003": ("The connection was lost", "The server closed it.", AGAIN),
}

TIMEOUTS = {
    "server": "The server was not ready in time (start timeout).",
    "calibrate": "A single connection or statement took too long (command timeout).",
    "load": "The pool could not be opened in time (connect timeout).",
}


def explain(error: BaseException, step: str) -> Problem:
    """Turn an exception of a step (server, calibrate, load) into a Problem."""
    if isinstance(error, LiveCheckFailed):
        return error.problem
    cause = _root(error)
    state = getattr(cause, "sqlstate", None)
    code = getattr(cause, "code", None)
    if isinstance(state, str) and state in BY_SQLSTATE:
        return Problem(f"PW-DB-{state}", *BY_SQLSTATE[state])
    if isinstance(code, str) and code in BY_SERVER_CODE:
        return Problem(f"PW-LIVE-{code}", *BY_SERVER_CODE[code])
    if isinstance(cause, TimeoutError):
        return Problem("PW-LIVE-timeout", "It took too long", TIMEOUTS[step], AGAIN)
    if isinstance(cause, MemoryError):
        return Problem("PW-LIVE-memory", "Out of memory", "The check may use 768 MiB.", AGAIN)
    if isinstance(cause, OSError):
        return Problem("PW-LIVE-os", "The system refused", f"{_plain(cause.strerror)}.", AGAIN)
    name = type(cause).__name__
    return Problem("PW-LIVE-unexpected", "Unexpected failure", f"{name} in step {step}.", AGAIN)


def no_binaries(text: str) -> Problem:
    """Say that there are no server programs; the text of NoBinaries names the next step."""
    return Problem("PW-LIVE-no_binaries", "No PostgreSQL to check against", text, "")


def no_driver(title: str) -> Problem:
    """Say that a kind is simulated only."""
    cause = f"The {title} is simulated, but not yet driven live."
    return Problem("PW-LIVE-kind", "No live check of this kind", cause, "Choose another kind.")


def unsupported() -> Problem:
    """Say that this system has no process groups and limits to run a check in."""
    cause = "A check needs process groups and resource limits, which this system does not have."
    return Problem("PW-LIVE-system", "No live check here", cause, "Use Linux, macOS or Docker.")


def deadline(seconds: float) -> Problem:
    """Say that the whole check ran into its deadline."""
    cause = f"It was not finished {seconds:.0f} s after its start (total timeout), so it was ended."
    return Problem("PW-LIVE-deadline", "The check took too long", cause, AGAIN)


def ended(status: int | None) -> Problem:
    """Say that the child process ended without a result."""
    cause = f"Its process ended with status {status} before it had a result."
    return Problem("PW-LIVE-child", "The check ended unexpectedly", cause, AGAIN)


def _root(error: BaseException) -> BaseException:
    """Look through the wrapping of SQLAlchemy."""
    wrapped = getattr(error, "orig", None)
    return (wrapped.__cause__ or wrapped) if isinstance(wrapped, BaseException) else error


def _plain(text: str | None) -> str:
    return re.sub(r"[^\x20-\x7e]", "", text or "no reason given")[:LAST_WORDS_MAX]
