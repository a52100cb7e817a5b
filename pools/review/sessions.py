"""How a ClientSession is used: for one call, for WebSockets, only where none was given."""

import ast

from pools.review.made import Made
from pools.review.syntax import Function, inside_all, last_name
from pools.review.tree import Module

_CALLS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request"})
_LOOPS = (ast.For, ast.While, ast.AsyncFor, ast.comprehension)
_SETUP = frozenset(
    {"main", "amain", "run", "start", "connect", "open", "setup", "initialize", "init", "login"}
    | {"startup", "on_startup", "create", "start_session", "get_session", "authenticate", "auth"}
    | {"setup_hook", "stream", "listen", "download", "download_file"}
)


def is_kept(function: Function, name: str) -> bool:
    """Whether a local is stored somewhere that outlives the function."""
    stores = [n for n in inside_all(function.body) if isinstance(n, ast.Assign)]
    targets = [t for store in stores if last_name(store.value) == name for t in store.targets]
    return any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)


def is_alternative(module: Module, one: Made) -> bool:
    """Whether the session is made only if the caller gave none: `if self.session is None:`."""
    for above in module.above(one.call):
        if isinstance(above, ast.If):
            tested = (last_name(n) for n in ast.walk(above.test) if isinstance(n, ast.expr))
            if any("session" in name.lower() or "client" in name.lower() for name in tested):
                return True
    return False


def is_socket(function: Function, name: str) -> bool:
    """Whether a session only opens WebSockets, which are long-lived and not pooled."""
    used = {
        node.attr
        for node in inside_all(function.body)
        if isinstance(node, ast.Attribute) and last_name(node.value) == name
    }
    return "ws_connect" in used and used <= {"ws_connect", "close", "closed"}


def is_client_method(module: Module, one: Made, function: Function) -> bool:
    """Whether a client class opens a session for the one call that a method makes."""
    if not isinstance(module.parent.get(function), ast.ClassDef):
        return False
    if function.name.strip("_") in _SETUP or function.name.startswith("__"):
        return False
    return serves_one_call(function, one)


def serves_one_call(function: Function, one: Made) -> bool:
    """Whether a session is opened by `async with` for a single request."""
    body = [*inside_all(function.body)]
    if one.role != "with" or any(isinstance(node, _LOOPS) for node in body):
        return False
    calls = [node for node in body if isinstance(node, ast.Call)]
    if any(last_name(a) == one.name for call in calls for a in _arguments(call)):
        return False  # handed on
    methods = [c.func for c in calls if isinstance(c.func, ast.Attribute)]
    own = [func.attr for func in methods if last_name(func.value) == one.name != ""]
    return len(own) == 1 and own[0] in _CALLS


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *[keyword.value for keyword in call.keywords]]
