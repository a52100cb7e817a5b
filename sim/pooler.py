"""PgBouncer between the pools and the server: its settings."""

from dataclasses import dataclass

from pools.setting import Settings, setting

_DEFAULT = "PgBouncer's default"


@dataclass(frozen=True, slots=True)
class Pooler(Settings):
    """PgBouncer in front of PostgreSQL; its own names."""

    pgbouncer: bool = setting(
        False,
        "Put PgBouncer between the pools and PostgreSQL: connecting to it is cheap, and its"
        " server connections are shared by all pools.",
        source="off",
    )
    pool_mode: str = setting(
        "transaction",
        "A server connection belongs to a client for one transaction, or for as long as the"
        " client is connected (session, PgBouncer's default).",
        source="what a pooler is put there for",
        choices=("transaction", "session"),
    )
    default_pool_size: int = setting(
        20,
        "Server connections for one user and database.",
        source=_DEFAULT,
        unit="connections",
        low=1,
        high=1000,
        step=1,
    )
    max_client_conn: int = setting(
        100,
        "Clients that may be connected; further ones are refused.",
        source=_DEFAULT,
        unit="connections",
        low=1,
        high=100_000,
        step=10,
    )
    query_wait_timeout: float = setting(
        120.0,
        "Longest wait for a server connection; then the client is disconnected.",
        source=_DEFAULT,
        unit="s",
        low=0.0,
        high=3600.0,
        step=1.0,
        special={0.0: "waits for ever"},
    )
