"""Every failure is said in words: a code, a title, a next step, never a traceback or a secret.

`ROWS` is the fault matrix as exceptions: for each fault, what the libraries were seen to raise
for it. Faults that are made for real are in `tests/live/test_faults.py`.
"""

import errno
import signal
import socket
import ssl

import aiohttp
import asyncpg
import h11
import httpx
import psycopg
import psycopg_pool
import pytest
import sqlalchemy.exc
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from pools.live import own_problems, problems
from pools.live.deadline import OWNER_GONE
from pools.live.failures import built_in, classes, life_cycle, sqlstates
from pools.live.guard import Forbidden, TooManySockets
from pools.live.postgres import ServerFailed
from pools.live.preflight import PostgresFacts
from pools.live.problems import LiveCheckFailed, Problem, during, explain
from pools.live.restraint import too_many_failures
from pools.live.server_text import TEXT_MAX, harmless

SECRET = "canary-password"
WHERE = "db.example:5432"
KEY = aiohttp.client_reqrep.ConnectionKey("db.example", 80, False, True, None, None, None)
REQUEST = aiohttp.RequestInfo(URL("http://db.example/?token=canary-password"), "GET", {}, URL("/"))


def _connecting(error: Exception) -> Exception:
    return _in_phase("connect", error)


def _in_phase(phase: str, error: Exception) -> Exception:
    try:
        with during(phase):
            raise error
    except type(error) as noted:
        return noted


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def _wrapped(error: Exception) -> sqlalchemy.exc.DBAPIError:
    """Wrap as SQLAlchemy's asyncpg dialect does."""
    return sqlalchemy.exc.DBAPIError("SELECT 1", {}, _caused(RuntimeError(str(error)), error))


def _state(state: str, text: str) -> asyncpg.PostgresError:
    error = asyncpg.PostgresError(text)
    error.sqlstate = state
    return error


def _lost() -> asyncpg.ConnectionDoesNotExistError:
    return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


def _certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


MANY = "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] Connect call"
NO_TLS = ConnectionError("PostgreSQL server at 'db:5432' rejected SSL upgrade")
LIBPQ = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: {}\n'
PARAMETER = 'unsupported startup parameter: "statement_timeout"'
ROWS = {
    # 1. Connecting.
    "wrong port": ("PW-NET-refused", _connecting(ConnectionRefusedError(111, "refused"))),
    "wrong port, two addresses": ("PW-NET-refused", _connecting(OSError(MANY))),
    "no socket file": ("PW-NET-refused", _connecting(FileNotFoundError(2, "No such file"))),
    "packets dropped": ("PW-NET-no_answer", _connecting(TimeoutError())),
    "packets dropped, by the system": ("PW-NET-no_answer", _connecting(OSError(110, "timed out"))),
    "declines TLS": ("PW-TLS-none", _connecting(NO_TLS)),
    "HTTP server without TLS": ("PW-NET-closed", _connecting(_lost())),
    "closes at once": ("PW-NET-closed", _connecting(ConnectionResetError(104, "reset"))),
    "huge message": ("PW-DB-too_large", _connecting(MemoryError())),
    "wrong password": ("PW-DB-28P01", asyncpg.InvalidPasswordError(SECRET)),
    "rejected by pg_hba.conf": ("PW-DB-28000", _state("28000", "pg_hba.conf rejects connection")),
    "TLS required": ("PW-DB-28000-tls", _state("28000", "no pg_hba.conf entry, no encryption")),
    "TLS forbidden": ("PW-DB-28000-no_tls", _state("28000", "no entry for host, SSL encryption")),
    "NOLOGIN": ("PW-DB-28000-nologin", _state("28000", 'role "x" is not permitted to log in')),
    "client certificate": (
        "PW-DB-28000-certificate",
        _state("28000", "connection requires a valid client certificate"),
    ),
    "certificate of unknown authority": ("PW-TLS-untrusted", _connecting(_certificate(19))),
    "certificate for another name": ("PW-TLS-name", _connecting(_certificate(62))),
    "certificate expired": ("PW-TLS-expired", _connecting(_certificate(10))),
    "TLS without agreement": ("PW-TLS-failed", ssl.SSLError(1, "no protocols available")),
    "driver refuses settings": (
        "PW-LIVE-settings",
        asyncpg.ClientConfigurationError("/home/x/.postgresql/root.crt is missing"),
    ),
    "database missing": ("PW-DB-3D000", asyncpg.InvalidCatalogNameError(SECRET)),
    "max_connections full": ("PW-DB-53300", _wrapped(asyncpg.TooManyConnectionsError("sorry"))),
    "reserved slots left": (
        "PW-DB-53300",
        asyncpg.TooManyConnectionsError("remaining slots are reserved for roles with SUPERUSER"),
    ),
    "role limit": (
        "PW-DB-53300-role",
        asyncpg.TooManyConnectionsError('too many connections for role "x"'),
    ),
    "database limit": (
        "PW-DB-53300-database",
        asyncpg.TooManyConnectionsError('too many connections for database "x"'),
    ),
    "starting up": ("PW-DB-57P03", asyncpg.CannotConnectNowError(SECRET)),
    "GSSAPI or bad nonce": ("PW-DB-login_method", _connecting(asyncpg.InternalClientError("x"))),
    "unknown authentication": ("PW-DB-login_method", _connecting(asyncpg.InterfaceError("x"))),
    "host unknown": ("PW-NET-unknown_host", _connecting(socket.gaierror(-2, "unknown"))),
    "route: blackhole": ("PW-NET-path", _connecting(OSError(errno.EINVAL, "Invalid argument"))),
    "route: prohibit": ("PW-NET-path", _connecting(PermissionError(13, "Permission denied"))),
    "route: unreachable": ("PW-NET-path", _connecting(OSError(errno.EHOSTUNREACH, "No route"))),
    "route: none": ("PW-NET-path", _connecting(OSError(errno.ENETUNREACH, "unreachable"))),
    "not allowed": ("PW-NET-not_allowed", _connecting(Forbidden())),
    "socket cap": ("PW-LIVE-sockets", _connecting(TooManySockets())),
    "recovering": ("PW-DB-57P03", _state("57P03", "the database system is in recovery mode")),
    "shutting down": ("PW-DB-57P03", _state("57P03", "the database system is shutting down")),
    "garbage bytes": ("PW-DB-not_postgres", _connecting(asyncpg.exceptions.ProtocolError("x"))),
    # 2. During the run.
    "corrupt bytes": ("PW-LIVE-lost", asyncpg.InternalClientError("unknown message type")),
    "frozen or silent": ("PW-LIVE-timeout_command", _in_phase("command", TimeoutError())),
    "reset": ("PW-DB-08003", _wrapped(_lost())),
    "silent, by the system": ("PW-LIVE-lost", OSError(errno.ETIMEDOUT, "timed out")),
    "reset in the pool": ("PW-LIVE-lost", ConnectionResetError(104, "reset")),
    "session ended by an operator": (
        "PW-DB-57P01",
        _caused(asyncpg.ConnectionDoesNotExistError("x"), asyncpg.AdminShutdownError("x")),
    ),
    "session ended, reason lost": ("PW-LIVE-lost", asyncpg.InternalClientError("state 15")),
    "another process crashed": ("PW-DB-57P02", asyncpg.CrashShutdownError("x")),
    "statement cancelled": ("PW-DB-57014", _wrapped(asyncpg.QueryCanceledError("x"))),
    # 3. Limits of the server.
    "idle too long": ("PW-LIVE-lost", asyncpg.InterfaceError("connection is closed")),
    "idle too long, said": ("PW-DB-57P05", _state("57P05", "idle-session timeout")),
    "idle in transaction": ("PW-DB-25P03", _state("25P03", "idle-in-transaction timeout")),
    "lock_timeout": ("PW-DB-55P03", asyncpg.LockNotAvailableError("x")),
    "standby": ("PW-DB-25006", asyncpg.ReadOnlySQLTransactionError("x")),
    "other kind of server": (
        "PW-DB-attributes",
        asyncpg.exceptions.TargetServerAttributeNotMatched("x"),
    ),
    "setting unknown": ("PW-DB-42704", asyncpg.UndefinedObjectError("x")),
    "right missing": ("PW-DB-42501", asyncpg.InsufficientPrivilegeError("x")),
    "acquire timeout, asyncpg": ("PW-LIVE-timeout_acquire", _in_phase("acquire", TimeoutError())),
    "acquire timeout, SQLAlchemy": (
        "PW-LIVE-timeout_acquire",
        sqlalchemy.exc.TimeoutError("QueuePool limit of size 1 overflow 0 reached"),
    ),
    "acquire timeout, psycopg_pool": ("PW-LIVE-timeout_acquire", psycopg_pool.PoolTimeout("x")),
    "queue full, psycopg_pool": ("PW-LIVE-queue_full", psycopg_pool.TooManyRequests("x")),
    "server error, psycopg": ("PW-DB-53300", psycopg.errors.TooManyConnections("x")),
    **{
        f"libpq: {said}": (code, _connecting(psycopg.OperationalError(LIBPQ.format(said))))
        for said, code in {
            "FATAL:  sorry, too many clients already": "PW-DB-53300",
            'FATAL:  too many connections for role "app"': "PW-DB-53300-role",
            f"FATAL:  password authentication failed for user {SECRET}": "PW-DB-28P01",
            "fe_sendauth: no password supplied": "PW-DB-28P01",
            'FATAL:  role "x" is not permitted to log in': "PW-DB-28000-nologin",
            'FATAL:  database "x" does not exist': "PW-DB-3D000",
            "FATAL:  the database system is starting up": "PW-DB-57P03",
            "FATAL:  no such database: x": "PW-DB-08P01-database",
            "FATAL:  no more connections allowed (max_client_conn)": "PW-DB-08P01-full",
            'FATAL:  unsupported startup parameter: "options"': "PW-DB-08P01-parameter",
            'FATAL:  unrecognized configuration parameter "x"': "PW-DB-42704",
            'FATAL:  permission denied for database "x"': "PW-DB-42501",
            "FATAL:  Passwort-Authentifizierung fehlgeschlagen": "PW-DB-refused",
            "Connection refused": "PW-NET-refused",
            "No route to host": "PW-NET-path",
            "timeout expired": "PW-NET-no_answer",
            "server closed the connection unexpectedly": "PW-NET-closed",
            "server does not support SSL, but SSL was required": "PW-TLS-none",
            "SSL error: certificate verify failed": "PW-TLS-untrusted",
            'server certificate for "x" does not match host name "y"': "PW-TLS-name",
            "received invalid response to SSL negotiation: H": "PW-DB-not_postgres",
            "authentication method 99 not supported": "PW-DB-login_method",
            "out of memory": "PW-DB-too_large",
        }.items()
    },
    "libpq: gone in use": ("PW-LIVE-lost", psycopg.OperationalError("the connection is lost")),
    "psycopg: ended by an operator": ("PW-DB-57P01", psycopg.errors.AdminShutdown("x")),
    "psycopg: statement cancelled": ("PW-DB-57014", psycopg.errors.QueryCanceled("x")),
    "close timeout": ("PW-LIVE-timeout_close", _in_phase("close", TimeoutError())),
    # 4. PgBouncer.
    "transaction mode": ("PW-DB-26000", _wrapped(asyncpg.InvalidSQLStatementNameError("x"))),
    "setting refused": ("PW-DB-08P01-parameter", _state("08P01", PARAMETER)),
    "unknown database": ("PW-DB-08P01-database", _state("08P01", "no such database: x")),
    "no more clients": ("PW-DB-08P01-full", _state("08P01", "no more connections allowed")),
    "no server in time": (
        "PW-DB-08P01-wait",
        _caused(asyncpg.ConnectionDoesNotExistError("x"), _state("08P01", "query_wait_timeout")),
    ),
    "server behind is down": (
        "PW-DB-08P01-behind",
        _state("08P01", "server login has been failing, try again later (server_login_retry)"),
    ),
    "pooler's own timeout": ("PW-DB-08P01-timeout", _state("08P01", "client_idle_timeout")),
    # 5. HTTP.
    "HTTP: refused": (
        "PW-NET-refused",
        aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "refused")),
    ),
    "HTTP: host unknown": (
        "PW-NET-unknown_host",
        aiohttp.ClientConnectorDNSError(KEY, OSError(None, "x")),
    ),
    "HTTP: packets dropped": ("PW-NET-no_answer", aiohttp.ConnectionTimeoutError("x")),
    "HTTP: never answers": ("PW-LIVE-timeout_read", aiohttp.SocketTimeoutError("x")),
    "HTTP: too long in all": ("PW-LIVE-timeout_read", _in_phase("read", TimeoutError())),
    "HTTP: short body": (
        "PW-HTTP-cut",
        _caused(
            aiohttp.ClientPayloadError("x"),
            aiohttp.http_exceptions.ContentLengthError("not enough"),
        ),
    ),
    "HTTP: closes": ("PW-HTTP-disconnected", aiohttp.ServerDisconnectedError()),
    "HTTP: reset": ("PW-LIVE-lost", aiohttp.ClientOSError(104, "Connection reset by peer")),
    "HTTP: a hang-up while sending": (
        "PW-LIVE-lost",
        aiohttp.ClientConnectionResetError("Cannot write to closing transport"),
    ),
    "HTTP: long header": (
        "PW-HTTP-garbage",
        _caused(
            aiohttp.ClientResponseError(REQUEST, (), message=SECRET),
            aiohttp.http_exceptions.LineTooLong(SECRET, "8190"),
        ),
    ),
    "HTTP: bad chunk": (
        "PW-HTTP-cut",
        _caused(
            aiohttp.ClientPayloadError(SECRET),
            aiohttp.http_exceptions.TransferEncodingError(SECRET),
        ),
    ),
    "HTTP: TLS on a port without": (
        "PW-TLS-failed",
        aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version number")),
    ),
    "HTTP: certificate for another name": (
        "PW-TLS-name",
        _caused(aiohttp.ClientConnectorCertificateError(KEY, _certificate(62)), _certificate(62)),
    ),
    "HTTP: garbage": (
        "PW-HTTP-garbage",
        _caused(
            aiohttp.ClientResponseError(REQUEST, (), message=SECRET),
            aiohttp.http_exceptions.BadStatusLine(SECRET),
        ),
    ),
    "HTTP: status 500": ("PW-HTTP-status", aiohttp.ClientResponseError(REQUEST, (), status=500)),
    "HTTP: redirects": ("PW-HTTP-redirects", aiohttp.TooManyRedirects(REQUEST, ())),
    "HTTP: certificate": (
        "PW-TLS-untrusted",
        _caused(aiohttp.ClientConnectorCertificateError(KEY, _certificate(18)), _certificate(18)),
    ),
    "HTTP: bad address": ("PW-HTTP-address", aiohttp.InvalidUrlClientError("http://:1", SECRET)),
    "HTTP: not http": ("PW-HTTP-scheme", aiohttp.NonHttpUrlClientError("ftp://x", SECRET)),
    "httpx: refused": (
        "PW-NET-refused",
        _caused(httpx.ConnectError("x"), ConnectionRefusedError(111, "refused")),
    ),
    "httpx: host unknown": (
        "PW-NET-unknown_host",
        _caused(httpx.ConnectError("x"), socket.gaierror(-2, "unknown")),
    ),
    "httpx: packets dropped": (
        "PW-NET-no_answer",
        _caused(httpx.ConnectTimeout(""), TimeoutError()),
    ),
    "httpx: never answers": (
        "PW-LIVE-timeout_read",
        _caused(httpx.ReadTimeout(""), TimeoutError()),
    ),
    "httpx: no connection free": ("PW-LIVE-timeout_acquire", httpx.PoolTimeout("")),
    "httpx: reset": ("PW-LIVE-lost", httpx.ReadError("")),
    "httpx: short body": (
        "PW-HTTP-cut",
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    ),
    "httpx: closes": ("PW-HTTP-disconnected", httpx.RemoteProtocolError("Server disconnected")),
    "httpx: garbage": (
        "PW-HTTP-garbage",
        _caused(httpx.RemoteProtocolError(SECRET), h11.RemoteProtocolError(SECRET)),
    ),
    "httpx: status 500": (
        "PW-HTTP-status",
        httpx.HTTPStatusError(
            SECRET, request=httpx.Request("GET", "http://x"), response=httpx.Response(500)
        ),
    ),
    "httpx: certificate": (
        "PW-TLS-untrusted",
        _caused(httpx.ConnectError(SECRET), _certificate(18)),
    ),
    "httpx: bad address": ("PW-HTTP-address", httpx.InvalidURL(SECRET)),
    # 6. The check itself.
    "memory": ("PW-LIVE-memory", MemoryError()),
    "files": ("PW-LIVE-files", OSError(errno.EMFILE, "Too many open files")),
    "disk": ("PW-LIVE-disk", OSError(errno.ENOSPC, "No space left on device")),
    "system": ("PW-LIVE-os", OSError(errno.EIO, "Input/output error")),
    "anything": ("PW-LIVE-unexpected", ValueError(SECRET)),
    "in a group": ("PW-DB-53300", ExceptionGroup("x", [asyncpg.TooManyConnectionsError("x")])),
    "files, in a group": (
        "PW-LIVE-files",
        ExceptionGroup("x", [OSError(errno.EMFILE, "Too many open files")]),
    ),
    **{
        f"server: {code}": (f"PW-LIVE-{code}", ServerFailed(code, SECRET)) for code in built_in.ROWS
    },
}
STEPS = ("server", "preflight", "calibrate", "load", "a step to come")


@pytest.mark.parametrize("fault", ROWS)
def test_every_row_of_the_fault_matrix_has_its_code_and_words_of_our_own(fault: str) -> None:
    code, error = ROWS[fault]
    for step in STEPS:
        problem = explain(error, step, where=WHERE, secrets=[SECRET])
        assert problem.code == code
        assert is_said_well(problem)


def is_said_well(problem: Problem) -> bool:
    """Whether a Problem has all of its words, and none that are not for people."""
    texts = (problem.code, problem.title, problem.cause, problem.next_step, problem.not_done)
    whole = " ".join((*texts, str(problem)))
    assert SECRET not in problem.server_text
    assert all(text.strip() for text in texts)
    assert all(text[-1] in ".?!" for text in (problem.cause, problem.next_step, problem.not_done))
    for unwanted in (SECRET, "None", "Traceback", "Error(", "{", "\n", "/home/"):
        assert unwanted not in whole
    return True


FACTS = PostgresFacts("18", 40, 3, 30, -1, 5, -1, 10, False, False, False)
# The rows of the matrix that are no exceptions: the check itself refuses, stops, or is ended.
LIFE = {
    "a second check in one session": ("PW-LIVE-busy_session", life_cycle.SESSION_BUSY, {}),
    "more sessions than checks": ("PW-LIVE-busy", life_cycle.ALL_BUSY, {"most": 2}),
    "one after the other": ("PW-LIVE-too_often", life_cycle.TOO_OFTEN, {"most": 6, "wait_s": 9}),
    "tab closed, or cancelled": ("PW-LIVE-cancelled", life_cycle.CANCELLED, {}),
}
OWN = {
    "ended with the application (Ctrl-C, SIGTERM, SIGKILL)": (
        "PW-LIVE-owner",
        problems.ended(OWNER_GONE),
    ),
    "deadline": ("PW-LIVE-deadline", problems.too_late(38.2)),
    "process killed": ("PW-LIVE-child", problems.ended(-9)),
    "process ended": ("PW-LIVE-child", problems.ended(1)),
    "process ended, how is not known": ("PW-LIVE-child", problems.ended(None)),
    "processor time": ("PW-LIVE-processor", problems.ended(-signal.SIGXCPU)),
    "reset and refused, again and again": ("PW-LIVE-failures", too_many_failures(5, 20)),
    "superuser": ("PW-LIVE-superuser", own_problems.superuser()),
    "too few slots": ("PW-LIVE-slots", own_problems.too_few(FACTS, 3)),
    "others need the slots": ("PW-LIVE-crowded", own_problems.crowded(FACTS)),
    "a pool for another kind of server": ("PW-LIVE-target", own_problems.wrong_kind("http")),
    "answers too large": ("PW-LIVE-answer", own_problems.too_large(65_536)),
    "redirect": ("PW-HTTP-redirects", own_problems.redirects()),
    "cancelled": ("PW-LIVE-cancelled", own_problems.cancelled()),
    "policy": ("PW-LIVE-policy", problems.not_allowed("Policy public: live checks are off.")),
    "system": ("PW-LIVE-system", problems.unsupported()),
} | {what: (code, problems.of_life(row, **values)) for what, (code, row, values) in LIFE.items()}


@pytest.mark.parametrize("what", OWN)
def test_every_row_of_a_checks_own_life_has_its_code_and_words(what: str) -> None:
    code, problem = OWN[what]
    assert problem.code == code
    assert is_said_well(problem)


def test_what_never_began_says_that_nothing_was_started() -> None:
    for what, (_, problem) in OWN.items():
        began = what not in LIFE or what == "tab closed, or cancelled"
        assert ("started" in problem.not_done) == (not began or what == "system"), what


def test_the_rows_cover_every_sentence_there_is() -> None:
    tables = (sqlstates.BY_SQLSTATE, classes.BY_CLASS, classes.BY_CERTIFICATE, classes.BY_ERRNO)
    known = {row.code for table in tables for row in table.values()}
    known |= {row.code for rows in sqlstates.BY_TEXT.values() for _, row in rows}
    used = {code for code, _ in ROWS.values()}
    only_by_state = {f"PW-DB-{state}" for state in sqlstates.BY_SQLSTATE}
    assert known - used <= only_by_state


@pytest.mark.parametrize("state", [*sqlstates.BY_SQLSTATE, "08XXX", "57XXX", "XX000", "22012"])
def test_every_sqlstate_is_said_in_words(state: str) -> None:
    problem = explain(_state(state, f"text with {SECRET}"), "load", secrets=[SECRET])
    assert problem.code == f"PW-DB-{state}"
    assert is_said_well(problem)


def test_a_timeout_says_which_one_it_was() -> None:
    said = {explain(_in_phase(name, TimeoutError()), "load").cause for name in classes.TIMEOUTS}
    assert len(said) == len(classes.TIMEOUTS)
    assert all("timeout" in cause for cause in said)


def test_a_problem_is_passed_on_as_it_is() -> None:
    problem = Problem("PW-LIVE-x", "Title", "Cause.", "Next.")
    assert explain(LiveCheckFailed(problem), "load") is problem


def test_unprintable_text_of_the_system_is_not_shown() -> None:
    assert "\x1b" not in explain(OSError(1, "\x1b[31mred"), "load").cause


@pytest.mark.parametrize(
    "state", ["", "42", "[x](y)", "../..", "28p01", None, 7, "28P01\n", "x" * 9999]
)
def test_a_hostile_sqlstate_never_reaches_the_screen(state: object) -> None:
    problem = explain(_state(state, "text"), "load")  # type: ignore[arg-type]
    assert problem.code == "PW-LIVE-unexpected"


@pytest.mark.parametrize("where", ["[x](http://evil)", "a b", "<b>", "", "x" * 9 + "\n", ":red[x]"])
def test_only_a_plain_address_is_part_of_a_sentence(where: str) -> None:
    problem = explain(_connecting(ConnectionRefusedError(111, "x")), "load", where=where)
    assert problem.cause == "The server refused the connection."


@given(st.text(max_size=3000), st.text(min_size=3, max_size=30), st.integers(0, 3000))
def test_server_text_is_plain_short_and_without_the_secret(
    text: str, secret: str, place: int
) -> None:
    said = harmless(text[:place] + secret + text[place:], [secret])
    assert len(said) <= TEXT_MAX
    assert said.isprintable()
    visible = harmless(secret)
    assert len(visible) < 3 or visible == "***" or visible not in said.replace("***", "\0")


@pytest.mark.parametrize(
    "text",
    [
        "no pg_hba.conf entry for canary-password",
        "can\u200bary-pass\u202eword",
        "at postgresql://app:canary-password@db/x",
        "Basic Y2FuYXJ5LXBhc3N3b3Jk",
        "canary%2Dpassword",
        "x" * 495 + "canary-password",
    ],
)
def test_no_spelling_of_a_secret_is_shown(text: str) -> None:
    said = harmless(text, [SECRET])
    assert "canary" not in said
    assert "Y2FuYXJ5" not in said
