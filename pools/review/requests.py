"""Which functions run once per request, or once per item of a loop."""

import ast
from collections.abc import Iterator

from pools.review.lifetimes import bare, dependencies, is_cached, is_lifespan, is_test
from pools.review.syntax import FUNCTIONS, Function, arguments_of, inside, last_name
from pools.review.tree import Module

_ROUTES = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "route", "api_route"}
    | {"websocket", "websocket_route", "view", "middleware", "exception_handler"}
)
_BARE_ROUTES = frozenset({"before_request", "after_request", "before_app_request"})
_TASKS = frozenset({"task", "shared_task"})
_ADDERS = frozenset(
    {"add_get", "add_post", "add_put", "add_patch", "add_delete", "add_route", "add_view"}
    | {"add_url_rule", "add_api_route", "Route", "WebSocketRoute", "path", "re_path"}
    | {"add_websocket_route", "add_api_websocket_route"}
)
_VIEWS = frozenset(
    {"View", "HTTPEndpoint", "Resource", "MethodView", "APIView", "WebSocketEndpoint"}
    | {"BaseHTTPMiddleware", "HTTPMethodView", "AsyncView"}
)
_VIEW_METHODS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "dispatch", "on_receive"}
)
_REQUESTS = frozenset({"Request", "HttpRequest", "WebSocket", "HTTPConnection", "BaseRequest"})
_FRAMEWORKS = frozenset(
    {"aiohttp", "fastapi", "starlette", "django", "sanic", "flask", "quart", "litestar"}
)


def per_request(module: Module) -> frozenset[Function]:
    """Return every function that runs once per request, and those they call; not cached ones."""
    return module.once(_per_request)


def per_item(module: Module) -> frozenset[Function]:
    """Return the functions called for each item of a loop, a comprehension or a gather."""
    return module.once(_per_item)


def route_paths(function: Function) -> Iterator[str]:
    """Yield the paths that a function's decorators route to it."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and last_name(decorator.func) in _ROUTES:
            first = decorator.args[0] if decorator.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def _per_request(module: Module) -> frozenset[Function]:
    handlers = {f for f in module.functions if _is_handler(module, f)}
    found = {*handlers, *_registered(module), *dependencies(module)}
    found = {f for f in found if not is_cached(f)}
    todo = [*found]
    while todo:
        for called in _called_in(module, todo.pop()):
            if called not in found and not is_cached(called) and not is_lifespan(module, called):
                found.add(called)
                todo.append(called)
    return frozenset(found)


def _per_item(module: Module) -> frozenset[Function]:
    found = set()
    for call in module.calls:
        function = module.function_named(call.func)
        if function is not None and not is_cached(function) and _is_repeated(module, call):
            found.add(function)
    return frozenset(found)


def _is_handler(module: Module, function: Function) -> bool:
    if is_test(function):
        return False
    if any(_routes(module, decorator) for decorator in function.decorator_list):
        return True
    owner = module.parent.get(function)
    if isinstance(owner, ast.ClassDef):
        is_view = any(last_name(base) in _VIEWS for base in owner.bases)
        return is_view and function.name in _VIEW_METHODS
    return _takes_request(module, function) or _is_lambda_handler(function)


def _routes(module: Module, decorator: ast.expr) -> bool:
    name = last_name(bare(decorator))
    if name in _TASKS or name in _BARE_ROUTES:
        return True
    if not isinstance(decorator, ast.Call):
        return module.qualified(decorator) == "aiohttp.web.middleware"
    is_method = isinstance(decorator.func, ast.Attribute)
    return name in _ROUTES and is_method and bool(decorator.args or decorator.keywords)


def _takes_request(module: Module, function: Function) -> bool:
    if not module.once(_uses_framework):
        return False
    plain = [a for a, _ in arguments_of(function) if a.arg not in {"self", "cls"}]
    named = {last_name(_outer(a.annotation)) for a in plain if a.annotation is not None}
    first_is_request = bool(plain) and plain[0].arg == "request" and plain[0].annotation is None
    return bool(named & _REQUESTS) or first_is_request


def _uses_framework(module: Module) -> bool:
    return bool({name.partition(".")[0] for name in module.imports.values()} & _FRAMEWORKS)


def _outer(annotation: ast.expr) -> ast.expr:
    return annotation.value if isinstance(annotation, ast.Subscript) else annotation


def _is_lambda_handler(function: Function) -> bool:
    return [argument.arg for argument, _ in arguments_of(function)] == ["event", "context"]


def _registered(module: Module) -> Iterator[Function]:
    """Yield functions given to `add_get("/", f)`, `Route("/", f)`, `web.get("/", f)`."""
    for call in module.calls:
        name = last_name(call.func)
        is_web = name in _ROUTES and module.qualified(call.func).startswith("aiohttp.web.")
        if name in _ADDERS or is_web:
            for given in (*call.args, *[k.value for k in call.keywords]):
                function = module.function_named(given)
                if function is not None:
                    yield function


def _called_in(module: Module, function: Function) -> Iterator[Function]:
    for node in inside(function):
        if isinstance(node, ast.Call):
            called = module.function_named(node.func)
            if called is not None:
                yield called


def _is_repeated(module: Module, call: ast.Call) -> bool:
    """Whether a call stands in a comprehension, or in a `for` over something else than a range."""
    below: ast.AST = call
    for above in module.above(call):
        if isinstance(above, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            return False
        if isinstance(above, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            return True
        if isinstance(above, ast.For | ast.AsyncFor) and below is not above.iter:
            iterated = above.iter.func if isinstance(above.iter, ast.Call) else above.iter
            return last_name(iterated) != "range"
        below = above
    return False
