"""Failures of the built-in server, by the keeper's word for each."""

from collections.abc import Mapping

from pools.live.failures.words import AGAIN, OWN_SERVER, Words

ROWS: Mapping[str, Words] = {
    row.code.removeprefix("PW-LIVE-"): row
    for row in (
        Words(
            "PW-LIVE-no_account",
            "No account for the server",
            OWN_SERVER,
            "Run Poolwise as an ordinary user.",
        ),
        Words(
            "PW-LIVE-no_directory",
            "No place for the server",
            "No temporary directory is private, short and reachable enough.",
            "Set TMPDIR to a short path such as /tmp that every account may enter.",
        ),
        Words(
            "PW-LIVE-unreachable",
            "The server programs cannot be run",
            "The account that the server runs as cannot run them where they are.",
            "Install PostgreSQL and set POOLWISE_PG=system, or run Poolwise as an ordinary user.",
        ),
        Words(
            "PW-LIVE-initdb_failed",
            "The server could not be prepared",
            "initdb failed: often the disk is full, or our user has no entry in /etc/passwd.",
            "Free disk space; in a container, run as a user that /etc/passwd names.",
        ),
        Words(
            "PW-LIVE-start_failed",
            "The server did not start",
            "It ended before it was ready.",
            OWN_SERVER,
        ),
        Words(
            "PW-LIVE-server_ended",
            "The server ended during the check",
            "It was stopped from outside.",
            AGAIN,
        ),
        Words(
            "PW-LIVE-keeper_ended",
            "The server's keeper ended",
            "It was stopped from outside.",
            AGAIN,
        ),
    )
}
