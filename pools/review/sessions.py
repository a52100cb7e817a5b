"""How an HTTP client is used: for one call, for WebSockets, only where none was given."""

import ast
import re
from typing import TypeGuard

from pools.review.closing import escapes
from pools.review.lifetimes import decorators, runs_once
from pools.review.made import Made
from pools.review.requests import per_item
from pools.review.syntax import Function, inside_all, last_name
from pools.review.tree import Module

_CALLS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request"})
_ENDS = frozenset({"close", "aclose"})
_TIMED = re.compile(r"perpetual|periodic|schedul|every|cron|loop|task|job|flow|command|service")
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


def is_memoised(module: Module, function: Function) -> bool:
    """Whether a function keeps its answers and looks there first: in a dictionary of the module.

    Or returns early if something says that the answer is cached.
    """
    for node in inside_all(function.body):
        if isinstance(node, ast.If) and any(isinstance(s, ast.Return) for s in node.body):
            names = (last_name(one) for one in ast.walk(node.test))
            if any("cached" in name.lower() for name in names):
                return True
    kept: set[str] = set()
    looked: set[str] = set()
    for node in inside_all(function.body):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            (kept if isinstance(node.ctx, ast.Store) else looked).add(node.value.id)
        elif isinstance(node, ast.Compare):
            looked |= {last_name(one) for one in node.comparators}
    return any(name in module.bound.get(module.tree, {}) for name in kept & looked)


def is_socket(function: Function, name: str) -> bool:
    """Whether a session only opens WebSockets, which are long-lived and not pooled."""
    used = {
        node.attr
        for node in inside_all(function.body)
        if isinstance(node, ast.Attribute) and last_name(node.value) == name
    }
    return "ws_connect" in used and used <= {"ws_connect", "close", "closed"}


def is_per_call(module: Module, one: Made, function: Function) -> bool:
    """Whether a function that others call again and again opens a client for its one request.

    Not: set-up such as login, a script's main, and what only such code of this text calls.
    """
    if not serves_one_call(function, one):
        return False
    if function in per_item(module):
        return True
    if function.name.strip("_") in _SETUP or function.name.startswith("__"):
        return False
    if any(_TIMED.search(name) for name in decorators(function)):
        return False
    callers = [module.function_of(call) for call in _calls_of(module, function)]
    return not callers or not all(runs_once(module, caller) for caller in callers)


def serves_one_call(function: Function, one: Made) -> bool:
    """Whether a client is opened, makes a single request, and is closed."""
    body = [*inside_all(function.body)]
    block = next((node for node in body if _opens(node, one)), None)
    within = inside_all(block.body) if block is not None else body
    looped = (n for n in body if isinstance(n, _LOOPS) and block is not None)
    if any(isinstance(node, _LOOPS) for node in within):
        return False
    if any(block is node for loop in looped for node in inside_all([loop])):
        return False
    is_closed_here = one.role == "local" and not escapes(function, one.name)
    if one.role != "with" and not is_closed_here:
        return False
    calls = [node for node in body if isinstance(node, ast.Call)]
    if any(last_name(a) == one.name for call in calls for a in _arguments(call)):
        return False  # handed on
    methods = [c.func for c in calls if isinstance(c.func, ast.Attribute)]
    own = [func.attr for func in methods if last_name(func.value) == one.name != ""]
    requests = [name for name in own if name not in _ENDS]
    has_end = one.role == "with" or len(own) > len(requests)
    return has_end and len(requests) == 1 and requests[0] in _CALLS


def _opens(node: ast.AST, one: Made) -> TypeGuard[ast.With | ast.AsyncWith]:
    """Whether a block is the one that opens and closes a client."""
    blocks = ast.With | ast.AsyncWith
    return isinstance(node, blocks) and any(one.call is i.context_expr for i in node.items)


def _calls_of(module: Module, function: Function) -> list[ast.Call]:
    calls = module.called(function.name)
    return [call for call in calls if module.function_named(call.func) is function]


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *[keyword.value for keyword in call.keywords]]
