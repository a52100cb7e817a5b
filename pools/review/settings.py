"""From constructor calls to settings by query name, as the page's sliders have them."""

import ast
from collections.abc import Mapping

from pools.kinds import KINDS
from pools.review.clients import read_client_timeout, read_httpx
from pools.review.draft import NOTED, Draft, number_or_set, spoken
from pools.review.finding import PoolRead
from pools.review.made import Made, address, made
from pools.review.syntax import last_name
from pools.review.things import (
    CONNECTOR,
    ENGINE,
    HTTP,
    HTTPX,
    PG_POOL,
    PSYCOPG_POOL,
    SYNC_ENGINE,
    receiver,
)
from pools.review.tree import Module
from pools.review.values import entries, evaluate
from pools.setting import settings_of

POOLS_MAX = 50
_KIND_OF: Mapping[str, str] = {
    ENGINE: "sqlalchemy",
    SYNC_ENGINE: "sqlalchemy",
    PG_POOL: "asyncpg",
    CONNECTOR: "aiohttp",
    HTTP: "aiohttp",
    HTTPX: "httpx",
    PSYCOPG_POOL: "psycopg",
}
# Parameters the libraries know and the simulation has no slider for.
_OTHER: Mapping[str, frozenset[str]] = {
    "sqlalchemy": frozenset(
        {"url", "echo", "echo_pool", "future", "connect_args", "isolation_level", "creator"}
        | {"json_serializer", "json_deserializer", "execution_options", "pool_reset_on_return"}
        | {"poolclass", "pool", "pool_logging_name", "logging_name", "query_cache_size", "events"}
        | {"hide_parameters", "insertmanyvalues_page_size", "use_insertmanyvalues", "module"}
        | {"async_creator", "paramstyle", "plugins", "label_length", "max_identifier_length"}
        | {"enable_from_linting", "skip_autocommit_rollback", "encoding", "convert_unicode"}
        | {"executemany_mode", "strategy", "listeners", "native_uuid", "bind", "pool_events"}
    ),
    "asyncpg": frozenset(
        {"dsn", "host", "port", "user", "password", "database", "passfile", "service", "ssl"}
        | {"servicefile", "loop", "timeout", "command_timeout", "server_settings", "init"}
        | {"setup", "reset", "connect", "statement_cache_size", "record_class", "direct_tls"}
        | {"max_cached_statement_lifetime", "max_cacheable_statement_size", "connection_class"}
        | {"target_session_attrs", "krbsrvname", "gsslib"}
    ),
    "aiohttp": frozenset(
        {"ssl", "use_dns_cache", "ttl_dns_cache", "family", "local_addr", "resolver", "loop"}
        | {"happy_eyeballs_delay", "interleave", "enable_cleanup_closed", "verify_ssl"}
        | {"ssl_context", "fingerprint", "dns_cache_max_size", "socket_factory"}
        | {"timeout_ceil_threshold", "ssl_shutdown_timeout"}
    ),
}
# Settings that only ask whether the library is given a callback.
_CALLBACKS = frozenset({("psycopg", "check"), ("psycopg", "reset")})
_UNUSUAL_POOLS = frozenset({"StaticPool", "SingletonThreadPool", "AssertionPool"})
_DSN_POOL_NAMES = frozenset({"pool_size", "max_overflow", "pool_timeout", "min_size", "max_size"})


def pools_read(module: Module) -> tuple[PoolRead, ...]:
    """Return each pool made in the module with its settings, in source order."""
    everything = [one for one in made(module, *_KIND_OF) if _KIND_OF[one.thing] in KINDS]
    has_connector = bool(made(module, CONNECTOR))
    wanted = [
        one
        for one in everything
        if one.thing != HTTP or not (has_connector or "connector" in one.arguments)
    ]
    return tuple(_pool(module, one) for one in wanted[:POOLS_MAX])


def _pool(module: Module, one: Made) -> PoolRead:
    draft = Draft(module, _kind(one))
    if one.thing == HTTPX:
        read_httpx(draft, one)
    elif one.thing != HTTP:
        _read_arguments(draft, one)
    if one.thing in {ENGINE, SYNC_ENGINE, PG_POOL}:
        _read_connection(draft, one)
    if draft.kind == "asyncpg":
        _read_acquire(draft)
    if draft.kind == "aiohttp":
        read_client_timeout(draft)
    place = module.place(one.call)
    return PoolRead(draft.kind, one.name, place, draft.found, draft.noted, tuple(draft.asked))


def _kind(one: Made) -> str:
    is_null = one.poolclass == "NullPool"
    return "sqlalchemy-null" if is_null else _KIND_OF[one.thing]


def _read_arguments(draft: Draft, one: Made) -> None:
    family = _KIND_OF[one.thing]
    for name, node in one.arguments.items():
        if name in draft.known:
            draft.take(name, _switch(node) if (family, name) in _CALLBACKS else node)
        elif name in NOTED:
            draft.note(name, node)
        elif name == "poolclass" and last_name(node) in _UNUSUAL_POOLS:
            draft.ask(name, node, f"{last_name(node)} is not simulated")
        elif name not in _OTHER.get(family, {name}) and name not in settings_of(KINDS[family]):
            draft.ask(name, node, f"is not a parameter of {last_name(one.call.func)}")
    if one.is_open:
        what = next((k.value for k in one.call.keywords if k.arg is None), one.call)
        why = "more settings come from where the text does not show them"
        draft.ask("**" + (last_name(what) or "options"), what, why)


def _switch(node: ast.expr) -> ast.expr:
    """Return whether a callback is given, as an expression: what is not None is one."""
    if isinstance(node, ast.IfExp):
        return node.test
    given = not (isinstance(node, ast.Constant) and node.value is None)
    return ast.copy_location(ast.Constant(given), node)


def _read_connection(draft: Draft, one: Made) -> None:
    """Note what the address, connect_args and server_settings say."""
    dsn = address(draft.module, one)
    for name, text in (dsn.query if dsn is not None else {}).items():
        if name in _DSN_POOL_NAMES:
            why = f"is not a parameter of an address; give it to {last_name(one.call.func)}"
            draft.ask(name, one.call, why)
        elif name in NOTED:
            draft.noted[name] = number_or_set(text)
    for name, node in connection_settings(draft.module, one).items():
        draft.note(name, node)


def connection_settings(module: Module, one: Made) -> dict[str, ast.expr]:
    """Return what each connection is given: connect_args and server_settings, by name."""
    given = one.arguments.get("connect_args")
    inner = dict(entries(module, given).items) if given is not None else {}
    outer = one.arguments if one.thing == PG_POOL else inner
    settings = outer.get("server_settings")
    return inner | (dict(entries(module, settings).items) if settings is not None else {})


def _read_acquire(draft: Draft) -> None:
    """Take the timeout given to `acquire` at each use as the pool's acquire timeout."""
    module, name = draft.module, "acquire_timeout"
    calls = module.once(_acquires)
    given = [next((k.value for k in c.keywords if k.arg == "timeout"), None) for c in calls]
    nodes = [node for node in given if node is not None]
    if not nodes:
        return
    if len(nodes) < len(calls):
        why = f"{len(calls) - len(nodes)} of {len(calls)} calls of acquire have none"
        draft.ask(name, calls[0], why)
    elif len({spoken(evaluate(module, node)) for node in nodes}) > 1:
        draft.ask(name, nodes[0], "acquire is called with different timeouts")
    else:
        draft.take(name, nodes[0])


def _acquires(module: Module) -> list[ast.Call]:
    return [call for call in module.called("acquire") if receiver(module, call) == PG_POOL]
