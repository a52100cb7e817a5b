"""What goes wrong on this side: by class of exception, by error number, by timeout.

Keys of classes are `package.Class`, looked up along the class's bases. Observed with asyncpg
0.32.0, SQLAlchemy 2.1.9, aiohttp 3.14.5, httpx 0.28.1 and psycopg_pool 3.3.3.
"""

import errno
from collections.abc import Mapping

from pools.live.failures.words import (
    AGAIN,
    ASK_SERVER,
    CLOSED_AT_ONCE,
    LOGIN_METHOD,
    LOST,
    MEMORY,
    NO_ANSWER,
    NO_PATH,
    NOT_POSTGRES,
    REFUSED,
    TLS_FAILED,
    TOO_LARGE,
    UNKNOWN_HOST,
    Words,
)

TIMEOUTS: Mapping[str, Words] = {
    word: Words(f"PW-LIVE-timeout_{word}", *texts)
    for word, texts in {
        "start": (
            "The server took too long to start",
            "It was not ready in time (start timeout).",
            AGAIN,
        ),
        "acquire": (
            "No connection was free in time",
            "The pool lent none within the acquire timeout.",
            "Use a larger pool, shorter holds or a lower rate.",
        ),
        "command": (
            "A statement took too long",
            "No answer within the command timeout: network silent, server frozen or overloaded.",
            ASK_SERVER,
        ),
        "read": (
            "The answer took too long",
            "The HTTP server sent nothing, or not all, within the read timeout.",
            "Check that the address answers quickly, with curl for example.",
        ),
        "close": (
            "Closing took too long",
            "Connections did not end within the close timeout, so they were cut.",
            ASK_SERVER,
        ),
        "load": (
            "The pool took too long to open",
            "Its first connections were not ready in time (connect timeout).",
            AGAIN,
        ),
    }.items()
} | {"connect": NO_ANSWER}
TIMEOUT_OF_STEP: Mapping[str, str] = {"server": "start", "calibrate": "command", "load": "load"}

BY_CERTIFICATE: Mapping[int, Words] = {
    10: Words(
        "PW-TLS-expired",
        "The certificate has expired",
        "That of {where} is no longer valid, or this machine's clock is wrong.",
        "Renew the certificate.",
    ),
    62: Words(
        "PW-TLS-name",
        "The certificate is for another name",
        "{where} shows a certificate that does not name this host.",
        "Use the host name that the certificate names.",
    ),
}
UNTRUSTED = Words(
    "PW-TLS-untrusted",
    "The certificate is not trusted",
    "No authority known here has signed the certificate of {where}.",
    "Give the certificate of the authority that signed it.",
)

CUT_SHORT = Words(
    "PW-HTTP-cut",
    "The answer was cut short",
    "{where} sent less than it announced.",
    "Look into the server's log, and at proxies in between.",
)
DISCONNECTED = Words(
    "PW-HTTP-disconnected",
    "The server hung up without an answer",
    "{where} closed the connection before a whole answer: it is not an HTTP server, wants"
    " TLS, or crashed.",
    "Check the port and whether the address begins with http or https.",
)
NOT_HTTP = Words(
    "PW-HTTP-garbage",
    "This is not a proper HTTP answer",
    "{where} answered with something that HTTP does not allow.",
    "Check the port and whether the address begins with http or https.",
)
STATUS = Words(
    "PW-HTTP-status",
    "The server answered with an error",
    "{where} answered, but not with a success.",
    "Give an address that answers GET with a status from 200 to 299.",
)
ADDRESS = Words(
    "PW-HTTP-address",
    "Not a usable address",
    "The address has no valid host or port.",
    "Check its spelling.",
)
BY_CLASS_CONNECTING: Mapping[str, Words] = {
    "asyncpg.InternalClientError": LOGIN_METHOD,
    "asyncpg.InterfaceError": LOGIN_METHOD,
    "asyncpg.ProtocolError": NOT_POSTGRES,
    "asyncpg.ConnectionDoesNotExistError": CLOSED_AT_ONCE,
    "builtins.ConnectionResetError": CLOSED_AT_ONCE,
    "builtins.BrokenPipeError": CLOSED_AT_ONCE,
    "builtins.ConnectionAbortedError": CLOSED_AT_ONCE,
    "builtins.MemoryError": TOO_LARGE,
    "builtins.EOFError": CLOSED_AT_ONCE,
}
BY_CLASS: Mapping[str, Words] = {
    "pools.Forbidden": Words(
        "PW-NET-not_allowed",
        "A check may not connect there",
        "The policy of this Poolwise does not allow the address that {where} leads to.",
        "Ask whoever runs it; POOLWISE_POLICY and POOLWISE_ALLOW decide.",
    ),
    "pools.TooManySockets": Words(
        "PW-LIVE-sockets",
        "The check has all the sockets it may have",
        "It wanted one connection more than it stated before it started, and did not open it.",
        "Use a smaller pool.",
    ),
    "asyncpg.TargetServerAttributeNotMatched": Words(
        "PW-DB-attributes",
        "The server is of the other kind",
        "A primary was asked for and this is a standby, or the other way round.",
        "Give the address of the server you mean.",
    ),
    "asyncpg.ClientConfigurationError": Words(
        "PW-LIVE-settings",
        "The connection settings do not fit together",
        "The driver refused them before it connected.",
        "Check the connection's form.",
    ),
    "asyncpg.InterfaceError": LOST,
    "asyncpg.InternalClientError": LOST,
    "sqlalchemy.PendingRollbackError": LOST,
    "psycopg_pool.TooManyRequests": Words(
        "PW-LIVE-queue_full",
        "The pool's queue is full",
        "max_waiting requests already wait, so the next was refused.",
        "Use a larger pool or a lower rate.",
    ),
    "ssl.SSLError": TLS_FAILED,
    "socket.gaierror": UNKNOWN_HOST,
    "builtins.ConnectionRefusedError": REFUSED,
    "builtins.ConnectionResetError": LOST,
    "builtins.BrokenPipeError": LOST,
    "builtins.ConnectionAbortedError": LOST,
    "builtins.MemoryError": MEMORY,
    "aiohttp.ClientConnectorDNSError": UNKNOWN_HOST,
    "aiohttp.ServerDisconnectedError": DISCONNECTED,
    "aiohttp.ClientPayloadError": CUT_SHORT,
    "aiohttp.PayloadEncodingError": CUT_SHORT,
    "aiohttp.TooManyRedirects": Words(
        "PW-HTTP-redirects",
        "The address redirects",
        "A check follows no redirect.",
        "Give the address that answers by itself.",
    ),
    "aiohttp.NonHttpUrlClientError": Words(
        "PW-HTTP-scheme",
        "Not a web address",
        "Only http and https are checked.",
        "Begin the address with http:// or https://.",
    ),
    "aiohttp.InvalidURL": ADDRESS,
    "aiohttp.HttpProcessingError": NOT_HTTP,
    "aiohttp.ClientResponseError": STATUS,
    "h11.RemoteProtocolError": NOT_HTTP,
    "httpx.RemoteProtocolError": DISCONNECTED,
    "httpx.HTTPStatusError": STATUS,
    "httpx.InvalidURL": ADDRESS,
    "httpx.ConnectTimeout": NO_ANSWER,
    "httpx.PoolTimeout": TIMEOUTS["acquire"],
    "httpx.TimeoutException": TIMEOUTS["read"],
    "httpx.NetworkError": LOST,
    "aiohttp.ClientConnectionResetError": LOST,
    "sqlalchemy.TimeoutError": TIMEOUTS["acquire"],
    "psycopg_pool.PoolTimeout": TIMEOUTS["acquire"],
    "aiohttp.ConnectionTimeoutError": NO_ANSWER,
    "aiohttp.ServerTimeoutError": TIMEOUTS["read"],
}
BY_ERRNO: Mapping[int, Words] = {
    errno.ECONNREFUSED: REFUSED,
    errno.ETIMEDOUT: LOST,
    errno.ECONNRESET: LOST,
    errno.EPIPE: LOST,
    errno.EHOSTUNREACH: NO_PATH,
    errno.ENETUNREACH: NO_PATH,
    errno.EHOSTDOWN: NO_PATH,
    errno.ENETDOWN: NO_PATH,
    errno.EMFILE: Words(
        "PW-LIVE-files",
        "Too many open files",
        "The check may open 256, connections included.",
        "Use a smaller pool.",
    ),
    errno.ENOSPC: Words(
        "PW-LIVE-disk",
        "The disk is full",
        "This machine could not store a file.",
        "Free disk space.",
    ),
}
BY_ERRNO_CONNECTING: Mapping[int, Words] = {
    errno.ETIMEDOUT: NO_ANSWER,
    errno.ECONNRESET: CLOSED_AT_ONCE,
    errno.EPIPE: CLOSED_AT_ONCE,
    errno.EINVAL: NO_PATH,
    errno.EACCES: NO_PATH,
    errno.EPERM: NO_PATH,
    errno.ENOENT: REFUSED,
    errno.EADDRNOTAVAIL: NO_PATH,
}
