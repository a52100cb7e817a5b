"""What a module proves for the checklist: by name of the proof, where it stands."""

import ast
import re
from collections.abc import Iterator, Mapping

from pools.review.closing import closes_elsewhere, is_closed
from pools.review.finding import Place
from pools.review.holds import holds
from pools.review.lifetimes import opens_at_start
from pools.review.made import Made, made
from pools.review.settings import connection_settings
from pools.review.syntax import last_name
from pools.review.things import CONNECTOR, ENGINE, HTTP, PG_POOL, SYNC_ENGINE, TIMEOUT
from pools.review.tree import Module

_CONNECT_ARGUMENTS = {
    "timeout": "connect timeout",
    "command_timeout": "command timeout",
    "tcp_keepalives_idle": "command timeout",
    "tcp_user_timeout": "command timeout",
    "statement_timeout": "statement timeout",
    "lock_timeout": "lock timeout",
}
_CONNECTOR_ARGUMENTS = {
    "limit": "connector limits",
    "limit_per_host": "per-host limit",
    "ttl_dns_cache": "DNS TTL",
}
_METRICS = frozenset({"Gauge", "Histogram", "Counter", "Summary"})
_METERS = re.compile(r"^create_(?:gauge|histogram|counter|up_down_counter|observable_\w+)$")
_METRIC_NAMES: Mapping[str, re.Pattern[str]] = {
    "size metric": re.compile(
        r"pool.*(?:size|open|limit|capacity|max)|connections_open", re.IGNORECASE
    ),
    "in-use metric": re.compile(r"in_?use|checked_?out|busy|active", re.IGNORECASE),
    "idle metric": re.compile(r"idle|checked_?in|available", re.IGNORECASE),
    "wait metric": re.compile(r"wait|acquire", re.IGNORECASE),
    "error metric": re.compile(r"timeout|error|fail", re.IGNORECASE),
}
_POOL_WORDS = re.compile(r"pool|connection|acquire|database|\bdb\b|db_|sql", re.IGNORECASE)


def evidence(module: Module) -> dict[str, Place]:
    """Return what the text proves to be done, with the place of the first proof."""
    found: dict[str, Place] = {}
    for name, node in _proofs(module):
        found.setdefault(name, module.place(node))
    return found


def _proofs(module: Module) -> Iterator[tuple[str, ast.AST]]:
    for one in made(module, ENGINE, SYNC_ENGINE, PG_POOL, HTTP):
        yield _WHAT[one.thing], one.call
        yield from _of_life(module, one)
    for one in made(module, ENGINE, SYNC_ENGINE, PG_POOL):
        own = one.arguments if one.thing == PG_POOL else {}
        for name, node in {**own, **connection_settings(module, one)}.items():
            if name in _CONNECT_ARGUMENTS:
                yield _CONNECT_ARGUMENTS[name], node
    for one in made(module, CONNECTOR):
        yield "connector", one.call
        for name, node in one.arguments.items():
            if name in _CONNECTOR_ARGUMENTS:
                yield _CONNECTOR_ARGUMENTS[name], node
    for one in made(module, TIMEOUT):
        yield "HTTP timeouts", one.call
    yield from _of_holds(module)
    yield from _of_metrics(module)
    yield from _of_shutdown(module)


_WHAT = {
    ENGINE: "async engine",
    PG_POOL: "async engine",
    SYNC_ENGINE: "sync engine",
    HTTP: "ClientSession",
}


def _of_life(module: Module, one: Made) -> Iterator[tuple[str, ast.AST]]:
    if opens_at_start(module, one.function):
        yield "made at start-up", one.call
    is_ended = one.role == "with" or (one.name != "" and is_closed(module, one.name))
    if is_ended or (one.name != "" and closes_elsewhere(module)):
        yield "closed at shutdown", one.call


def _of_holds(module: Module) -> Iterator[tuple[str, ast.AST]]:
    for hold in holds(module):
        above = module.parent.get(hold.acquired)
        managed = isinstance(above, ast.withitem) or isinstance(hold.acquired, ast.arg)
        yield ("context managers" if managed else "explicit release"), hold.acquired


def _of_metrics(module: Module) -> Iterator[tuple[str, ast.AST]]:
    for call in module.calls:
        name = last_name(call.func)
        if name not in _METRICS and not _METERS.match(name):
            continue
        texts = [a.value for a in call.args if isinstance(a, ast.Constant)]
        said = " ".join(text for text in texts if isinstance(text, str))
        if _POOL_WORDS.search(said):
            for proof, pattern in _METRIC_NAMES.items():
                if pattern.search(said):
                    yield proof, call


def _of_shutdown(module: Module) -> Iterator[tuple[str, ast.AST]]:
    for call in module.called("run"):
        if module.qualified(call.func) == "uvicorn.run":
            for keyword in call.keywords:
                if keyword.arg == "timeout_graceful_shutdown":
                    yield "graceful shutdown", keyword.value
