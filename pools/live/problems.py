"""From an exception to what a person reads: a stable code, why, what was not done, what next.

`explain` is the one way from an exception to a Problem; its rows are in `pools.live.failures`.
The text of a server or of a library is never part of a sentence; only our own words are. What
a PostgreSQL said is kept apart, cut and redacted, in `server_text`.
"""

import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pools.live import deadline
from pools.live.failures import (
    built_in,
    classes,
    libpq,
    life_cycle,
    sqlstates,
    words,
)
from pools.live.failures.words import Words
from pools.live.server_text import harmless

LAST_WORDS_MAX = 200
THE_SERVER = "the server"
ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)
PHASE = "while in phase "
CHAIN_MAX = 12
NOT_DONE = "Nothing was written, and no connection is left open."
NOT_STARTED = "Nothing was started."


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a live check did not come to its end.

    `not_done` says what the check left alone. `server_text` is what the server itself said:
    one harmless line, to be shown as plain text only, or empty.
    """

    code: str
    title: str
    cause: str
    next_step: str
    not_done: str = NOT_DONE
    server_text: str = ""

    def __str__(self) -> str:
        """Say it in one line, without the server's own text."""
        parts = (f"{self.title}:", self.cause, self.not_done, self.next_step, f"({self.code})")
        return " ".join(filter(None, parts))


class LiveCheckFailed(RuntimeError):
    """A step failed in a way that is already a Problem."""

    def __init__(self, problem: Problem) -> None:
        """Carry the Problem."""
        super().__init__(str(problem))
        self.problem = problem


@contextmanager
def during(phase: str) -> Iterator[None]:
    """Note on an exception what was under way: connect, acquire, command, read or close.

    A TimeoutError says nothing about itself, and some driver errors mean another thing while
    connecting. The exception stays what it is, for the pool that waits for it.
    """
    try:
        yield
    except Exception as error:
        error.add_note(f"{PHASE}{phase}")
        raise


def explain(
    error: BaseException, step: str, *, where: str = "", secrets: Iterable[str] = ()
) -> Problem:
    """Turn an exception of a step (server, calibrate, load, ...) into a Problem.

    `where` is the address that was used, `secrets` what must not be shown of a server's text.
    """
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, LiveCheckFailed):
            return one.problem
    row = _by_own_code(chain) or _by_sqlstate(chain) or _by_libpq(chain) or _by_kind(chain, step)
    texts = {"step": step, "name": type(chain[0]).__name__, "reason": _reason(chain)}
    said = harmless(_server_text(chain), secrets)
    return replace(in_words(row, where, **texts), server_text=said)


def in_words(row: Words, where: str, **texts: str) -> Problem:
    """Make a Problem of a row of the table; `where` is named only if it is a plain address."""
    place = where if ADDRESS.fullmatch(where) else THE_SERVER
    cause = row.cause.format(where=place, **texts)
    if place == THE_SERVER:
        cause = cause[:1].upper() + cause[1:]
    return Problem(row.code, row.title, cause, row.next_step)


def no_binaries(text: str) -> Problem:
    """Say that there are no server programs; the text of NoBinaries names the next step."""
    title = "No PostgreSQL to check against"
    return Problem("PW-LIVE-no_binaries", title, text, "", NOT_STARTED)


def not_allowed(cause: str) -> Problem:
    """Say that whoever runs Poolwise does not allow this; `cause` is the policy in words."""
    next_step = "Ask whoever runs Poolwise, or check the built-in server."
    return Problem("PW-LIVE-policy", "Not allowed here", cause, next_step)


def unsupported() -> Problem:
    """Say that this system has no process groups and limits to run a check in."""
    cause = "A check needs process groups and resource limits, which this system does not have."
    next_step = "Use Linux, macOS or Docker."
    return Problem("PW-LIVE-system", "No live check here", cause, next_step, NOT_STARTED)


def too_late(seconds: float) -> Problem:
    """Say that the whole check ran into its deadline."""
    return of_life(life_cycle.DEADLINE, seconds=round(seconds))


def ended(status: int | None) -> Problem:
    """Say that the child process ended without a result, by itself or by a signal."""
    match status:
        case None:
            return of_life(life_cycle.STATUS, status="without a status")
        case deadline.OWNER_GONE:
            return of_life(life_cycle.OWNER_GONE)
        case _ if status == -signal.SIGXCPU:
            return of_life(life_cycle.PROCESSOR)
        case _ if status < 0:
            return of_life(life_cycle.SIGNAL, status=-status)
    return of_life(life_cycle.STATUS, status=f"with status {status}")


def of_life(row: Words, **values: object) -> Problem:
    """Make a Problem of a row about a check's life; one that never began says so."""
    began = row not in (life_cycle.SESSION_BUSY, life_cycle.ALL_BUSY, life_cycle.TOO_OFTEN)
    cause, next_step = (text.format(**values) for text in (row.cause, row.next_step))
    return Problem(row.code, row.title, cause, next_step, NOT_DONE if began else NOT_STARTED)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it wraps: groups, SQLAlchemy's `orig`, causes."""
    queue, seen = [error], set[int]()
    while queue and len(seen) < CHAIN_MAX:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, BaseExceptionGroup):
            queue[:0] = one.exceptions
            continue
        yield one
        wrapped = (getattr(one, "orig", None), one.__cause__)
        queue.extend(inner for inner in wrapped if isinstance(inner, BaseException))


def _by_own_code(chain: list[BaseException]) -> Words | None:
    """Find the row of the built-in server's keeper."""
    codes = (str(vars(one).get("code")) for one in chain)
    return next((built_in.ROWS[code] for code in codes if code in built_in.ROWS), None)


def _by_sqlstate(chain: list[BaseException]) -> Words | None:
    """Find the row of the first SQLSTATE that says more than "connection lost"."""
    states = [state for one in chain if (state := sqlstate(one))]
    if not states:
        return None
    telling = [state for state in states if state not in sqlstates.ONLY_LOST]
    if not telling:
        return sqlstates.BY_SQLSTATE[states[0]] if _phase(chain) != "connect" else None
    state, text = telling[0], _server_text(chain)
    for pattern, row in sqlstates.BY_TEXT.get(state, ()):
        if pattern.search(text):
            return row
    fallback = sqlstates.BY_SQLSTATE_CLASS.get(state[:2], sqlstates.STATEMENT_REFUSED)
    return sqlstates.BY_SQLSTATE.get(state) or Words(f"PW-DB-{state}", *fallback)


def _by_libpq(chain: list[BaseException]) -> Words | None:
    """Find the row of a sentence of libpq, whose errors are all of one class."""
    connecting = _phase(chain) == "connect"
    rows = (libpq.row_of(str(one), connecting=connecting) for one in chain if _is_libpq(one))
    return next(filter(None, rows), None)


def _by_kind(chain: list[BaseException], step: str) -> Words:
    """Find the row by class, by error number, by which timeout it was; causes come first."""
    phase = _phase(chain)
    if code := next((found for one in chain if (found := _verify_code(one))), 0):
        return classes.BY_CERTIFICATE.get(code, classes.UNTRUSTED)
    for find in (_by_class, _by_errno):
        for one in reversed(chain):
            if row := find(one, phase):
                return row
    if any(isinstance(one, TimeoutError) for one in chain):
        return classes.TIMEOUTS[phase or classes.TIMEOUT_OF_STEP.get(step, "command")]
    return words.SYSTEM_REFUSED if _is_system(chain) else words.UNEXPECTED


def _by_class(error: BaseException, phase: str) -> Words | None:
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error):
        return words.NO_TLS
    if "complete message body" in str(error):  # h11 has one class for all
        return classes.CUT_SHORT
    for name in _names(error):
        if phase == "connect" and name in classes.BY_CLASS_CONNECTING:
            return classes.BY_CLASS_CONNECTING[name]
        if name in classes.BY_CLASS:
            return classes.BY_CLASS[name]
    return None


def _by_errno(error: BaseException, phase: str) -> Words | None:
    """Find the row by error number; of several addresses tried, the first that has one."""
    if not isinstance(error, OSError):
        return None
    numbers = [error.errno] if error.errno else map(int, re.findall(r"\[Errno (\d+)\]", str(error)))
    for number in numbers:
        if phase == "connect" and number in classes.BY_ERRNO_CONNECTING:
            return classes.BY_ERRNO_CONNECTING[number]
        if number in classes.BY_ERRNO:
            return classes.BY_ERRNO[number]
    return None


def _phase(chain: list[BaseException]) -> str:
    """Return what `during` noted innermost, or nothing."""
    for one in chain:
        for note in getattr(one, "__notes__", ()):
            if note.startswith(PHASE):
                return str(note.removeprefix(PHASE))
    return ""


def _verify_code(error: BaseException) -> int:
    """Return OpenSSL's reason to refuse a certificate, or 0."""
    code = getattr(error, "verify_code", 0)
    return code if isinstance(code, int) else 0


def _names(error: BaseException) -> list[str]:
    return [f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(error).__mro__]


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE; a hostile server may send any text in its place."""
    state = getattr(error, "sqlstate", None)
    if state is None and _is_libpq(error):
        return libpq.state_of(libpq.said_by_server(str(error)) or str(error))
    return state if isinstance(state, str) and re.fullmatch("[0-9A-Z]{5}", state) else ""


def _server_text(chain: list[BaseException]) -> str:
    """Return what the server said: of errors that carry a SQLSTATE, the innermost text."""
    said = [_said(one) for one in chain if not getattr(one, "orig", None)]
    return next(filter(None, reversed(said)), "")


def _said(error: BaseException) -> str:
    """Return the text of a server's error, or nothing; libpq puts the address in front of it."""
    if _is_libpq(error) and not getattr(error, "sqlstate", None):
        return libpq.said_by_server(str(error))
    return str(error) if sqlstate(error) else ""


def _is_libpq(error: BaseException) -> bool:
    """Whether an error is libpq's own, or what a server said before there was a connection."""
    package = type(error).__module__.partition(".")[0]
    return package == "psycopg" and "psycopg.OperationalError" in _names(error)


def _is_system(chain: list[BaseException]) -> bool:
    return any(isinstance(one, OSError) for one in chain)


def _reason(chain: list[BaseException]) -> str:
    text = next((one.strerror for one in chain if isinstance(one, OSError) and one.strerror), "")
    return re.sub(r"[^\x20-\x7e]", "", text)[:LAST_WORDS_MAX] or "No reason given"
