"""What libpq says when a connection does not come to be, or is gone: it has no SQLSTATE then.

psycopg passes the text on. A server's own refusal stands behind `FATAL:`, in the server's
language; in English (and from PgBouncer always) it tells which it was. libpq's own sentences are
English, because a check's process has no language set (libpq 18, fe-connect.c, fe-auth.c,
fe-secure-openssl.c, fe-protocol3.c).
"""

import re

from pools.live.failures import classes
from pools.live.failures.words import (
    ASK_SERVER,
    CLOSED_AT_ONCE,
    LOGIN_METHOD,
    LOST,
    NO_ANSWER,
    NO_PATH,
    NO_TLS,
    NOT_POSTGRES,
    REFUSED,
    TLS_FAILED,
    TOO_LARGE,
    UNKNOWN_HOST,
    Words,
)

REFUSED_IN_WORDS = Words(
    "PW-DB-refused",
    "The server refused the connection",
    "It said why in words of its own, without a code.",
    ASK_SERVER,
)
FATAL = re.compile(r"(?:FATAL|PANIC|ERROR):\s+(?P<said>.*)", re.DOTALL)
STATES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), state)
    for pattern, state in (
        ("too many clients|remaining connection slots|too many connections for", "53300"),
        ("password authentication failed|no password supplied", "28P01"),
        ("not permitted to log in|pg_hba.conf|valid client certificate", "28000"),
        ("database system is|recovery", "57P03"),
        ("unsupported startup parameter|no such database|no more connections allowed", "08P01"),
        ("server login|server_login_retry|cannot connect to server|connect failed", "08P01"),
        ("query_wait_timeout|client_(login|idle)_timeout|idle_transaction_timeout", "08P01"),
        ("database .* does not exist", "3D000"),
        ("role .* does not exist", "28P01"),
        ("unrecognized configuration parameter", "42704"),
        ("terminating connection due to administrator", "57P01"),
        ("permission denied", "42501"),
    )
)
SENTENCES: tuple[tuple[re.Pattern[str], Words], ...] = tuple(
    (re.compile(pattern), row)
    for pattern, row in (
        ("does not support SSL", NO_TLS),
        ("certificate verify failed.*expired", classes.BY_CERTIFICATE[10]),
        ("certificate verify failed|root certificate file", classes.UNTRUSTED),
        ("does not match host name", classes.BY_CERTIFICATE[62]),
        ("SSL error|SSL SYSCALL", TLS_FAILED),
        ("invalid response to SSL negotiation|received invalid", NOT_POSTGRES),
        ("expected authentication request|unexpected message|protocol version", NOT_POSTGRES),
        ("lost synchronization|message contents|invalid message", NOT_POSTGRES),
        ("authentication method requirement|authentication method \\d+|SASL|SCRAM", LOGIN_METHOD),
        ("GSSAPI|SSPI|Kerberos|not supported", LOGIN_METHOD),
        ("out of memory|cannot allocate memory", TOO_LARGE),
        ("[Cc]onnection refused|No such file", REFUSED),
        ("timeout expired|timed out", NO_ANSWER),
        ("No route to host|[Nn]etwork is unreachable|Permission denied|Invalid arg", NO_PATH),
        ("translate host name|failed to resolve", UNKNOWN_HOST),
    )
)
GONE = re.compile(
    "closed the connection|could not (receive|send)|socket closed|[Cc]onnection reset"
    "|connection is (lost|closed|bad)|[Bb]roken pipe|EOF detected|no connection to the server"
)


def state_of(text: str) -> str:
    """Return the SQLSTATE that a refusal had, as far as its text tells, or nothing."""
    return next((state for pattern, state in STATES if pattern.search(text)), "")


def said_by_server(text: str) -> str:
    """Return the server's own part of a text of libpq, without address and prefix."""
    found = FATAL.search(text)
    return found["said"] if found else ""


def row_of(text: str, *, connecting: bool) -> Words | None:
    """Return the row for one of libpq's own sentences."""
    if FATAL.search(text):
        return REFUSED_IN_WORDS
    row = next((row for pattern, row in SENTENCES if pattern.search(text)), None)
    if row is None and GONE.search(text):
        return CLOSED_AT_ONCE if connecting else LOST
    return row
