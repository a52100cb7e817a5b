"""What a PostgreSQL server or a pooler in front of it refuses, by SQLSTATE.

Observed with PostgreSQL 15 to 18 and PgBouncer 1.18.
"""

import re
from collections.abc import Mapping

from pools.live.failures.words import ASK_SERVER, LOST, NO_ANSWER, Words

ONLY_LOST = frozenset({"08000", "08003", "08006"})
BY_SQLSTATE: Mapping[str, Words] = {
    state: Words(f"PW-DB-{state}", *texts)
    for state, texts in {
        "08P01": (
            "The server or a pooler in front broke the protocol",
            "It refused what every PostgreSQL accepts; PgBouncer does so for its own errors.",
            "Check the name of the database in PgBouncer, or connect to PostgreSQL directly.",
        ),
        "08003": LOST[1:],
        "08006": LOST[1:],
        "08000": LOST[1:],
        "08001": NO_ANSWER[1:],
        "08004": ("The server rejected the connection", "It said so before the login.", ASK_SERVER),
        "25006": (
            "The server only reads",
            "It is a standby, or in a read-only transaction, and a statement wanted to write.",
            "A check itself never writes; look at default_transaction_read_only and the role.",
        ),
        "26000": (
            "A prepared statement is gone",
            "A pooler in transaction mode gave the next statement another connection.",
            "Set statement_cache_size=0 in the service, or let PgBouncer 1.21 track statements.",
        ),
        "28000": (
            "Login not allowed",
            "The server does not let this role in from here.",
            "Add a line for this role and address to pg_hba.conf.",
        ),
        "28P01": (
            "Login refused",
            "User name or password is wrong; the server does not say which.",
            "Check both. Too many tries may lock the role.",
        ),
        "3D000": (
            "The database does not exist",
            "The server knows no database of that name.",
            "Check its name; psql -l lists them.",
        ),
        "42501": (
            "The role may not do that",
            "A right is missing that even a check needs.",
            "Grant CONNECT on the database to the role.",
        ),
        "42704": (
            "The server does not know a setting",
            "It is older or other than expected, and refused a setting at connect.",
            "Tell us the server's version; connect to PostgreSQL 12 or newer.",
        ),
        "53100": ("The server's disk is full", "It could not store a file.", ASK_SERVER),
        "53200": ("The server is out of memory", "It could not serve the statement.", ASK_SERVER),
        "53300": (
            "All connection slots are taken",
            "The server refused one more connection.",
            "Raise max_connections, close what is not needed, or use a smaller pool.",
        ),
        "55P03": (
            "A lock was not to be had",
            "Another session holds it longer than lock_timeout.",
            "See under Diagnose who holds connections in a transaction.",
        ),
        "57014": (
            "A statement was cut off",
            "It ran into a statement timeout, or somebody cancelled it.",
            "Raise statement_timeout for this role above the longest hold, or shorten the holds.",
        ),
        "57P01": (
            "The server ended the connection",
            "It is being stopped, or somebody ended this session.",
            ASK_SERVER,
        ),
        "57P02": ("The server crashed", "Another of its processes did, so all ended.", ASK_SERVER),
        "57P03": (
            "The server is not ready",
            "It is starting, recovering or stopping.",
            "Wait until it accepts connections, then run the check again.",
        ),
        "57P05": (
            "The server closed an idle connection",
            "Its idle_session_timeout ran out.",
            "Let the pool close idle connections before the server does.",
        ),
        "25P03": (
            "The server closed a connection that was idle in a transaction",
            "Its idle_in_transaction_session_timeout ran out.",
            "End transactions before waiting for anything else.",
        ),
        "25P04": (
            "The server ended a transaction",
            "Its transaction_timeout ran out.",
            "Raise transaction_timeout for this role above the longest hold.",
        ),
    }.items()
}

BY_SQLSTATE_CLASS: Mapping[str, tuple[str, str, str]] = {
    "08": LOST[1:],
    "28": BY_SQLSTATE["28000"][1:],
    "53": ("The server is out of resources", "It could not serve the statement.", ASK_SERVER),
    "57": ("The server broke off", "Its operator or its own limits did so.", ASK_SERVER),
    "58": ("The server's system failed", "It could not read or write a file.", ASK_SERVER),
    "XX": ("The server failed inside", "It reported an internal error.", ASK_SERVER),
}
STATEMENT_REFUSED = ("The server refused a statement", "It is one every check uses.", ASK_SERVER)

# The server's text decides between reasons that share a SQLSTATE; a server in another language
# gets the general row. Case 08P01 is PgBouncer's, whose text is never translated.
BY_TEXT: Mapping[str, tuple[tuple[re.Pattern[str], Words], ...]] = {
    state: tuple(
        (re.compile(pattern), Words(f"PW-DB-{state}-{word}", *texts))
        for pattern, word, *texts in rows
    )
    for state, rows in {
        "28000": (
            (
                "client certificate",
                "certificate",
                "The server wants a client certificate",
                "Its pg_hba.conf asks for one, and a check never presents any.",
                "Offer password login (scram-sha-256) for this role in pg_hba.conf.",
            ),
            (
                "not permitted to log in",
                "nologin",
                "The role may not log in",
                "It is a role without LOGIN.",
                "Use a role with LOGIN.",
            ),
            (
                "no encryption|SSL off",
                "tls",
                "Login needs TLS",
                "The server lets this role in from here only with TLS, or not at all.",
                "Turn TLS on for this check, or add a line to pg_hba.conf.",
            ),
            (
                "SSL encryption|SSL on",
                "no_tls",
                "Login must not use TLS",
                "The server lets this role in from here only without TLS, or not at all.",
                "Switch TLS off for this check, or add a line to pg_hba.conf.",
            ),
        ),
        "53300": (
            (
                "connections for role",
                "role",
                "The role's connection limit is reached",
                "The role has a CONNECTION LIMIT, and all of it is in use.",
                "Raise it (ALTER ROLE ... CONNECTION LIMIT) or use a smaller pool.",
            ),
            (
                "connections for database",
                "database",
                "The database's connection limit is reached",
                "The database has a CONNECTION LIMIT, and all of it is in use.",
                "Raise it (ALTER DATABASE ... CONNECTION LIMIT) or use a smaller pool.",
            ),
        ),
        "08P01": (
            (
                "unsupported startup parameter",
                "parameter",
                "A pooler in front refuses a setting",
                "PgBouncer takes only settings it knows at connect.",
                "List it in PgBouncer's ignore_startup_parameters, or connect to PostgreSQL.",
            ),
            (
                "no such database|does not exist",
                "database",
                "The pooler does not know the database",
                "PgBouncer's [databases] has no entry of that name, or PostgreSQL has not.",
                "Check the name in pgbouncer.ini.",
            ),
            (
                "no more connections allowed",
                "full",
                "The pooler takes no more clients",
                "PgBouncer's max_client_conn is reached.",
                "Raise max_client_conn, or use a smaller pool.",
            ),
            (
                "query_wait_timeout",
                "wait",
                "The pooler had no server connection in time",
                "PgBouncer's query_wait_timeout ran out while all of its pool was in use.",
                "Raise PgBouncer's default_pool_size, or use a smaller pool.",
            ),
            (
                "server login|server_login_retry|cannot connect to server|connect failed",
                "behind",
                "The pooler cannot reach PostgreSQL",
                "PgBouncer answers; the server behind it does not.",
                "Check the server behind PgBouncer.",
            ),
            (
                "client_login_timeout|client_idle_timeout|idle_transaction_timeout",
                "timeout",
                "The pooler closed the connection",
                "One of PgBouncer's own timeouts ran out.",
                "Look into pgbouncer.ini and its log.",
            ),
        ),
    }.items()
}
