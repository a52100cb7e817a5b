"""What a module makes: engines, pools, connectors and sessions, with their arguments."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from pools.review.dsn import Dsn, parse_dsn
from pools.review.syntax import Function, is_self, last_name, store_key
from pools.review.things import (
    CONNECTOR,
    ENGINE,
    HTTP,
    HTTPX,
    HTTPX_TIMEOUT,
    LIMITS,
    PG_POOL,
    PSYCOPG_POOL,
    SYNC_ENGINE,
    TIMEOUT,
    named,
)
from pools.review.tree import Module
from pools.review.values import entries, evaluate, text_of
from pools.review.worth import HOLE, Answer, Unknown

_CONSTRUCTORS = frozenset(
    {"create_async_engine", "create_engine", "create_pool"}
    | {"TCPConnector", "ClientTimeout", "ClientSession"}
    | {"AsyncClient", "Limits", "Timeout", "AsyncConnectionPool", "ConnectionPool"}
)
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    ENGINE: ("url",),
    SYNC_ENGINE: ("url",),
    PG_POOL: ("dsn",),
    CONNECTOR: (),
    HTTP: ("base_url",),
    HTTPX: (),
    LIMITS: (),
    HTTPX_TIMEOUT: ("timeout",),
    PSYCOPG_POOL: ("conninfo",),
    TIMEOUT: ("total", "connect", "sock_read", "sock_connect"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """One constructor call.

    `role` says what becomes of it: with, local, module, global, class, self, attribute,
    returned, yielded, passed, fallback (`given or ClientSession()`) or other; `name` is the last
    part of the name it is bound to, or ''.
    `is_open` if arguments come from where the text does not show them.
    """

    thing: str
    call: ast.Call
    arguments: Mapping[str, ast.expr]
    is_open: bool
    role: str
    name: str
    function: Function | None

    @property
    def poolclass(self) -> str:
        """The name of the pool class given, or ''."""
        given = self.arguments.get("poolclass")
        return last_name(given) if given is not None else ""

    def argument(self, module: Module, name: str) -> Answer | None:
        """Return what an argument is worth: None if not given, Unknown if it may be."""
        if name in self.arguments:
            return evaluate(module, self.arguments[name])
        return Unknown("set where the text does not show it") if self.is_open else None


def made(module: Module, *things: str) -> list[Made]:
    """Return what a module makes, in source order; only these things if any are named."""
    if len(things) == 1:
        return module.once(_by_thing).get(things[0], [])
    return [one for one in module.once(_made) if not things or one.thing in things]


def address(module: Module, one: Made) -> Dsn | None:
    """Return the address an engine or pool connects to, as far as the text shows it."""
    node = one.arguments.get("url") or one.arguments.get("dsn")
    if node is not None:
        built = _built_url(module, node)
        return built or parse_dsn(text_of(module, node))
    parts = {n: text_of(module, one.arguments[n]) for n in ("host", "user") if n in one.arguments}
    port = one.arguments.get("port")
    if not parts and port is None:
        return None
    number = evaluate(module, port) if port is not None else None
    value = getattr(number, "value", None)
    return Dsn(
        "postgresql", host=parts.get("host", ""), port=value if isinstance(value, int) else None
    )


def _built_url(module: Module, node: ast.expr) -> Dsn | None:
    """`URL.create("postgresql+asyncpg", host=...)`, directly or through a name."""
    if isinstance(node, ast.Name):
        values = [b.value for b in module.lookup(node.id, node) if b.how == "assign"]
        node = values[0] if len(values) == 1 and values[0] is not None else node
    if not isinstance(node, ast.Call) or last_name(node.func) != "create":
        return None
    if not module.qualified(node.func).startswith("sqlalchemy"):
        return None
    given = {k.arg: k.value for k in node.keywords if k.arg}
    scheme = node.args[0] if node.args else given.get("drivername")
    port = evaluate(module, given["port"]) if "port" in given else None
    value = getattr(port, "value", None)
    query = entries(module, given["query"]).items if "query" in given else {}
    return Dsn(
        scheme=text_of(module, scheme).lower() if scheme is not None else HOLE,
        host=text_of(module, given["host"]) if "host" in given else "",
        port=value if isinstance(value, int) else None,
        query={name: text_of(module, one) for name, one in query.items()},
    )


def _made(module: Module) -> list[Made]:
    found = []
    for call in module.calls:
        name = module.qualified(call.func).rpartition(".")[2]
        if name in _CONSTRUCTORS:
            thing = named(module, call.func)
            if thing in _POSITIONS:
                found.append(_one(module, call, thing))
    return found


def _by_thing(module: Module) -> dict[str, list[Made]]:
    found: dict[str, list[Made]] = {}
    for one in module.once(_made):
        found.setdefault(one.thing, []).append(one)
    return found


def _one(module: Module, call: ast.Call, thing: str) -> Made:
    given: dict[str, ast.expr] = {}
    is_open = any(isinstance(a, ast.Starred) for a in call.args)
    given.update(zip(_POSITIONS[thing], call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is not None:
            given[keyword.arg] = keyword.value
        else:
            inner = entries(module, keyword.value)
            given |= inner.items
            is_open |= inner.is_open
    role, name = _role(module, call)
    return Made(thing, call, given, is_open, role, name, module.function_of(call))


def _role(module: Module, call: ast.Call) -> tuple[str, str]:
    for above in module.above(call):
        match above:
            case ast.IfExp() | ast.BoolOp():
                return "fallback", _fallback_name(module, above)
            case ast.Await():
                continue
            case ast.NamedExpr(target=target):
                return "local", target.id
            case ast.withitem(optional_vars=target):
                return "with", last_name(target) if target is not None else ""
            case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
                return _stored(module, target, above)
            case ast.Return():
                return "returned", ""
            case ast.Yield():
                return "yielded", ""
            case ast.Call() | ast.keyword() | ast.Dict() | ast.List() | ast.Tuple() | ast.Starred():
                return "passed", ""
            case _:
                return "other", ""
    return "other", ""


def _fallback_name(module: Module, node: ast.AST) -> str:
    """Return the name that `session or ClientSession()` is bound to."""
    above = module.parent.get(node)
    above = module.parent.get(above) if isinstance(above, ast.Await) else above
    return last_name(above.targets[0]) if isinstance(above, ast.Assign) else ""


def _stored(module: Module, target: ast.expr, at: ast.AST) -> tuple[str, str]:
    if isinstance(target, ast.Attribute | ast.Subscript):
        return ("self" if is_self(getattr(target, "value", target)) else "attribute"), store_key(
            target
        )
    if not isinstance(target, ast.Name):
        return "other", ""
    scope = module.scope(at)
    if isinstance(scope, ast.Module):
        return "module", target.id
    if isinstance(scope, ast.ClassDef):
        return "class", target.id
    is_global = target.id not in module.bound.get(scope, {})
    return ("global" if is_global else "local"), target.id
