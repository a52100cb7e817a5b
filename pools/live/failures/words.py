"""A row of the table of failures, and the rows that several tables share."""

from typing import NamedTuple


class Words(NamedTuple):
    """One row: a stable code and three texts."""

    code: str
    title: str
    cause: str
    next_step: str


AGAIN = "Run the check again; if it stays, use a smaller load."
CHECK_ADDRESS = "Check host and port, and that the server runs and may be reached from here."
ASK_SERVER = "Look into the server's log for the same moment."
OWN_SERVER = "Set POOLWISE_PG=system to use an installed PostgreSQL, or POOLWISE_PG_BIN."

REFUSED = Words(
    "PW-NET-refused",
    "Nothing listens there",
    "{where} refused the connection.",
    CHECK_ADDRESS,
)
NO_ANSWER = Words(
    "PW-NET-no_answer",
    "No answer",
    "{where} did not answer within the connect timeout: a firewall drops the packets, the host"
    " is wrong or down, or what listens there does not speak this protocol.",
    CHECK_ADDRESS,
)
NO_PATH = Words(
    "PW-NET-path",
    "No way there",
    "The network has no path to {where}, or refuses to use it.",
    "Check routes, VPN and firewall of this machine.",
)
UNKNOWN_HOST = Words(
    "PW-NET-unknown_host",
    "Host name unknown",
    "The name of {where} cannot be resolved here.",
    "Check the spelling; use the address, or the name this machine's DNS knows.",
)
CLOSED_AT_ONCE = Words(
    "PW-NET-closed",
    "The server closed the connection at once",
    "{where} accepts connections and drops them before the login.",
    "Check that this is the database's port, and proxies and allow-lists in between.",
)
LOST = Words(
    "PW-LIVE-lost",
    "The connection was lost",
    "The server or the network closed it.",
    ASK_SERVER,
)
NOT_POSTGRES = Words(
    "PW-DB-not_postgres",
    "This is not a PostgreSQL server",
    "{where} answers, but not in PostgreSQL's protocol.",
    "Check the port: PostgreSQL's is usually 5432, PgBouncer's 6432.",
)
SILENT = Words(
    "PW-DB-silent",
    "The server accepts connections but says nothing",
    "{where} took the connection and did not answer PostgreSQL's first message in time.",
    "Check that this is the database's port; a frozen server behaves like that, too.",
)
NO_TLS = Words(
    "PW-TLS-none",
    "The server has no TLS",
    "TLS is asked for, and {where} declined it.",
    "Turn TLS on at the server, or switch it off for this check if the network is yours.",
)
TOO_LARGE = Words(
    "PW-DB-too_large",
    "The server sent an implausibly large answer",
    "The answer to the login was larger than a check may keep.",
    "Check that this is your database's port.",
)
LOGIN_METHOD = Words(
    "PW-DB-login_method",
    "Login method not supported",
    "The server wants a login that this check cannot do, or broke off its own.",
    "Offer password login (scram-sha-256) for this role in pg_hba.conf.",
)
TLS_FAILED = Words(
    "PW-TLS-failed",
    "TLS could not be agreed upon",
    "{where} and this machine found no common way to encrypt.",
    "Check the server's TLS version and certificate.",
)
MEMORY = Words(
    "PW-LIVE-memory",
    "Out of memory",
    "The check may use 768 MiB.",
    "Use a smaller load; a server that sends huge answers does this, too.",
)
SYSTEM_REFUSED = Words("PW-LIVE-os", "The system refused", "{reason}.", AGAIN)
UNEXPECTED = Words(
    "PW-LIVE-unexpected",
    "Unexpected failure",
    "{name} in step {step}.",
    "Run the check again; if it stays, report it with this line.",
)
