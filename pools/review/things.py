"""What an expression is: an engine, a pool, a session; from constructors and annotations."""

import ast
from collections.abc import Mapping

from pools.review.syntax import Function, arguments_of, inside, is_self, last_name, store_key
from pools.review.tree import BINDINGS_MAX, Binding, Module

DEPTH_MAX = 20
CALLS_MAX = 10
ENGINE, SYNC_ENGINE = "engine", "sync engine"
MAKER, SYNC_MAKER = "session maker", "sync session maker"
SESSION, SYNC_SESSION = "session", "sync session"
CONNECTION, SYNC_CONNECTION = "connection", "sync connection"
PG_POOL, PG_CONNECTION = "asyncpg pool", "asyncpg connection"
HTTP, HTTPX, MODEL, CONNECTOR = "ClientSession", "httpx client", "model client", "connector"
SA_POOL, TIMEOUT = "SQLAlchemy pool", "ClientTimeout"
LIMITS, HTTPX_TIMEOUT = "httpx limits", "httpx timeout"
PSYCOPG_POOL, PSYCOPG_CONNECTION = "psycopg pool", "psycopg connection"
DATABASE = frozenset({ENGINE, MAKER, SESSION, CONNECTION, PG_POOL, PG_CONNECTION})
REMOTE = frozenset({HTTP, HTTPX, MODEL})

# By the package imported from, then by the last name: the same for a constructor and for the
# class named in an annotation.
_NAMES: Mapping[str, Mapping[str, str]] = {
    "sqlalchemy": {
        "create_async_engine": ENGINE,
        "async_engine_from_config": ENGINE,
        "AsyncEngine": ENGINE,
        "create_engine": SYNC_ENGINE,
        "engine_from_config": SYNC_ENGINE,
        "Engine": SYNC_ENGINE,
        "async_sessionmaker": MAKER,
        "async_scoped_session": MAKER,
        "sessionmaker": SYNC_MAKER,
        "scoped_session": SYNC_MAKER,
        "AsyncSession": SESSION,
        "Session": SYNC_SESSION,
        "AsyncConnection": CONNECTION,
        "Connection": SYNC_CONNECTION,
    },
    "asyncpg": {
        "create_pool": PG_POOL,
        "Pool": PG_POOL,
        "Connection": PG_CONNECTION,
        "PoolConnectionProxy": PG_CONNECTION,
    },
    "aiohttp": {"ClientSession": HTTP, "TCPConnector": CONNECTOR, "ClientTimeout": TIMEOUT},
    "httpx": {"AsyncClient": HTTPX, "Limits": LIMITS, "Timeout": HTTPX_TIMEOUT},
    "psycopg_pool": {"AsyncConnectionPool": PSYCOPG_POOL, "ConnectionPool": PSYCOPG_POOL},
    "openai": {"AsyncOpenAI": MODEL, "AsyncAzureOpenAI": MODEL},
    "anthropic": {"AsyncAnthropic": MODEL},
}
_NAMES = {**_NAMES, "sqlmodel": _NAMES["sqlalchemy"]}
_METHODS: Mapping[tuple[str, str], str] = {
    (ENGINE, "connect"): CONNECTION,
    (ENGINE, "begin"): CONNECTION,
    (ENGINE, "pool"): SA_POOL,
    (SYNC_ENGINE, "pool"): SA_POOL,
    (SYNC_ENGINE, "connect"): SYNC_CONNECTION,
    (SYNC_ENGINE, "begin"): SYNC_CONNECTION,
    (MAKER, "begin"): SESSION,
    (SYNC_MAKER, "begin"): SYNC_SESSION,
    (SESSION, "connection"): CONNECTION,
    (PG_POOL, "acquire"): PG_CONNECTION,
    (PSYCOPG_POOL, "connection"): PSYCOPG_CONNECTION,
    (PSYCOPG_POOL, "getconn"): PSYCOPG_CONNECTION,
}
_WRAPPERS = frozenset(
    {"Optional", "Annotated", "AsyncIterator", "AsyncGenerator", "Iterator", "Generator"}
    | {"Awaitable", "ClassVar", "Final", "AsyncIterable", "Iterable", "Depends"}
    | {"AbstractAsyncContextManager", "AsyncContextManager"}
)


def thing(module: Module, node: ast.expr | None, depth: int = 0) -> str:
    """Return what an expression is, or '' if the text does not say."""
    if node is None or depth > DEPTH_MAX:
        return ""
    if node not in module.things:
        module.tick()
        module.things[node] = ""  # what a name defined by itself finds
        module.things[node] = _thing(module, node, depth + 1)
    return module.things[node]


def receiver(module: Module, call: ast.Call) -> str:
    """Return what a method is called on, or ''."""
    return thing(module, call.func.value) if isinstance(call.func, ast.Attribute) else ""


def named(module: Module, node: ast.AST) -> str:
    """Return what a class or constructor makes, by where its name was imported from."""
    full = module.qualified(node)
    return _NAMES.get(full.partition(".")[0], {}).get(full.rpartition(".")[2], "") if full else ""


def annotated(module: Module, node: ast.expr | None, depth: int = 0) -> str:
    """Return what an annotation says a value is, through Optional, Annotated and iterators."""
    if node is None or depth > DEPTH_MAX:
        return ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _quoted(module, node.value)
    if isinstance(node, ast.BinOp):
        return annotated(module, node.left, depth + 1) or annotated(module, node.right, depth + 1)
    if isinstance(node, ast.Subscript):
        if last_name(node.value) in _WRAPPERS:
            first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
            return annotated(module, first, depth + 1)
        return annotated(module, node.value, depth + 1)
    found = named(module, node)
    if found or not isinstance(node, ast.Name):
        return found
    values = [b.value for b in module.lookup(node.id, node) if b.how == "assign"]
    aliased = values[0] if len(values) == 1 else None
    return annotated(module, aliased, depth + 1) if isinstance(aliased, ast.Subscript) else ""


def result(module: Module, function: Function, depth: int = 0) -> str:
    """Return what a function returns, or yields, by annotation or by its statements."""
    said = annotated(module, function.returns, depth + 1)
    if said or depth > DEPTH_MAX:
        return said
    for node in inside(function):
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            found = thing(module, node.value, depth + 1)
            if found:
                return found
    return ""


def dependency(module: Module, value: ast.expr | None) -> ast.expr | None:
    """Return the function inside `Depends(...)`, also within `Annotated[..., Depends(...)]`."""
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Tuple):
        found = [dependency(module, part) for part in value.slice.elts]
        return next((one for one in found if one is not None), None)
    if isinstance(value, ast.Call) and last_name(value.func) in {"Depends", "Security"}:
        given = [*value.args, *[k.value for k in value.keywords if k.arg == "dependency"]]
        return given[0] if given else None
    if isinstance(value, ast.Name):
        bound = [b.value for b in module.lookup(value.id, value) if b.how == "assign"]
        if len(bound) == 1 and isinstance(bound[0], ast.Subscript | ast.Call):
            return dependency(module, bound[0])
    return None


def _thing(module: Module, node: ast.expr, depth: int) -> str:
    match node:
        case ast.Await(value=value) | ast.NamedExpr(value=value):
            return thing(module, value, depth)
        case ast.Call():
            return _made(module, node, depth)
        case ast.Name():
            found = [_bound(module, b, depth) for b in module.lookup(node.id, node)]
            return _only(found)
        case ast.Attribute(value=owner, attr=name):
            of_owner = _METHODS.get((thing(module, owner, depth), name), "")
            return of_owner or _stored(module, node, name, depth)
        case ast.Subscript():
            return _stored(module, node, store_key(node), depth)
        case ast.BoolOp(values=values):
            return _only([thing(module, value, depth) for value in values])
        case ast.IfExp(body=body, orelse=orelse):
            return _only([thing(module, body, depth), thing(module, orelse, depth)])
        case _:
            return ""


def _made(module: Module, node: ast.Call, depth: int) -> str:
    made = named(module, node.func)
    if made == SYNC_MAKER and _is_async_maker(module, node, depth):
        return MAKER
    if made:
        return made
    if isinstance(node.func, ast.Attribute):
        owner = thing(module, node.func.value, depth)
        if (owner, node.func.attr) in _METHODS:
            return _METHODS[owner, node.func.attr]
        if node.func.attr == "execution_options" and owner in {ENGINE, CONNECTION}:
            return owner
    called = {MAKER: SESSION, SYNC_MAKER: SYNC_SESSION}.get(thing(module, node.func, depth), "")
    if called:
        return called
    function = module.function_named(node.func)
    return result(module, function, depth) if function is not None else ""


def _is_async_maker(module: Module, node: ast.Call, depth: int) -> bool:
    """`sessionmaker(engine, class_=AsyncSession)` and `scoped_session(async maker)`."""
    classes = [k.value for k in node.keywords if k.arg == "class_"]
    if classes:
        return named(module, classes[0]) == SESSION
    return any(thing(module, a, depth) in {MAKER, ENGINE} for a in node.args)


def _bound(module: Module, binding: Binding, depth: int) -> str:
    if binding.how == "argument" and isinstance(binding.node, ast.arg):
        return _argument(module, binding, binding.node, depth)
    annotation = getattr(binding.node, "annotation", None)
    said = annotated(module, annotation, depth) if annotation is not None else ""
    if said or binding.how not in {"assign", "with"}:
        return said
    if isinstance(binding.value, ast.Constant) and binding.value.value is None:
        return "nothing"
    return thing(module, binding.value, depth)


def _argument(module: Module, binding: Binding, node: ast.arg, depth: int) -> str:
    said = annotated(module, node.annotation, depth)
    if said:
        return said
    for given in (binding.value, node.annotation):
        provider = dependency(module, given)
        function = module.function_named(provider) if provider is not None else None
        if function is not None:
            return result(module, function, depth)
    return "" if node.annotation is not None else _passed(module, node, depth)


def _passed(module: Module, node: ast.arg, depth: int) -> str:
    """Return what all calls in the text pass for an argument without annotation."""
    function = module.function_of(node)
    if function is None or depth > DEPTH_MAX:
        return ""
    names = [argument.arg for argument, _ in arguments_of(function)]
    offset = 1 if names[:1] == ["self"] else 0
    found = []
    for call in module.called(function.name)[:CALLS_MAX]:
        if module.function_named(call.func) is function:
            given = dict(zip(names[offset:], call.args, strict=False))
            given |= {k.arg: k.value for k in call.keywords if k.arg}
            found.append(thing(module, given.get(node.arg), depth + 1))
    return _only(found)


def _only(found: list[str]) -> str:
    """Return the one thing all agree on; None as a placeholder does not count."""
    different = {one for one in found if one != "nothing"}
    return different.pop() if len(different) == 1 else ""


def _stored(module: Module, node: ast.expr, key: str, depth: int) -> str:
    stores = module.stored.get(key, [])[:BINDINGS_MAX]
    if isinstance(node, ast.Attribute) and is_self(node.value):
        owner = module.class_of(node)
        own = [s for s in stores if module.class_of(s[0]) is owner]
        declared = [*module.bound.get(owner, {}).get(key, ())] if owner is not None else []
        found = [_value(module, value, depth) for _, value in own]
        found += [_bound(module, binding, depth) for binding in declared]
        return _only(found)
    found = [_value(module, value, depth) for _, value in stores]
    found += [_value(module, value, depth) for value in module.handed.get(key, ())]
    return _only([one for one in found if one]) if found else ""


def _value(module: Module, value: ast.expr, depth: int) -> str:
    if isinstance(value, ast.Constant) and value.value is None:
        return "nothing"
    return thing(module, value, depth)


def _quoted(module: Module, text: str) -> str:
    if len(text) > 200:
        return ""
    try:
        inner = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return annotated(module, inner, DEPTH_MAX - 3)
