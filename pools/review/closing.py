"""What a module closes, by the names things are known by."""

import ast
import re

from pools.review.lifetimes import is_lifespan, is_shutdown
from pools.review.syntax import Function, inside, inside_all, last_name, store_key
from pools.review.tree import Module

_CLOSERS = frozenset({"close", "dispose", "terminate", "aclose", "disconnect", "close_all"})
_CLOSING = re.compile(
    r"clos|dispos|shut|clean|disconnect|stop|teardown|exit|finali|release|unload", re.IGNORECASE
)
_MANAGERS = frozenset({"closing", "aclosing", "enter_async_context", "enter_context"})


def is_closed(module: Module, name: str) -> bool:
    """Whether the module closes what is known by a name, or by a name it is stored under."""
    return bool(known_as(module, name) & module.once(_closed))


def known_as(module: Module, name: str) -> set[str]:
    """Return a name and the keys that it is stored under: `app.state.db = pool` makes `db`."""
    return {name, *module.once(_keys_by_name).get(name, ())}


def sounds_closing(text: str) -> bool:
    """Whether a function's name says that it closes something."""
    return _CLOSING.search(text) is not None


def closes_elsewhere(module: Module) -> bool:
    """Whether a shutdown hook or a lifespan hands the closing to code that is not in the text."""
    return module.once(_closes_elsewhere)


def after_yield(function: Function) -> list[ast.AST]:
    """Return what stands after a generator's first yield, in the order of the text."""
    nodes = [*inside_all(function.body)]
    yields = [i for i, node in enumerate(nodes) if isinstance(node, ast.Yield)]
    return nodes[yields[0] + 1 :] if yields else []


def escapes(function: Function, name: str) -> bool:
    """Whether a local is handed to anybody who could close it."""
    if len(_aliases(function, name)) > 1:
        return True
    for node in inside(function, functions=True):
        if not isinstance(node, ast.expr | ast.keyword | ast.stmt):
            continue
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Name) and child.id == name and not _is_harmless(node, child):
                return True
    return False


def _aliases(function: Function, name: str) -> set[str]:
    found = {name}
    for node in inside(function):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Name)
            and node.value.id == name
        ):
            found |= {ast.dump(target) for target in node.targets}
    return found


def _is_harmless(node: ast.AST, child: ast.Name) -> bool:
    """Whether a use leaves the duty to close where it is: a method call, a binding, a test."""
    if isinstance(child.ctx, ast.Store) or isinstance(node, ast.Attribute | ast.Compare | ast.If):
        return True
    return isinstance(node, ast.Call) and last_name(node.func) == "AsyncSession"


def _keys_by_name(module: Module) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, stores in module.stored.items():
        for _, value in stores:
            found.setdefault(last_name(value), set()).add(key)
    found.pop("", None)
    return found


def _closed(module: Module) -> set[str]:
    found: set[str] = set()
    for node in module.nodes:
        match node:
            case ast.Attribute(attr=attr, value=owner) if attr in _CLOSERS:
                found.add(_key(owner))
            case ast.withitem(
                context_expr=ast.Name() | ast.Attribute() | ast.Subscript() as opened
            ):
                found.add(_key(opened))
            case ast.Call(func=func, args=args) if last_name(func) in _MANAGERS or sounds_closing(
                last_name(func)
            ):
                found |= {_key(argument) for argument in args}
    return found - {""}


def _key(node: ast.expr) -> str:
    if isinstance(node, ast.Await):
        return _key(node.value)
    if isinstance(node, ast.Subscript):
        return store_key(node)
    if isinstance(node, ast.Call):  # get_pool().close()
        return last_name(node.func)
    return last_name(node)


def _closes_elsewhere(module: Module) -> bool:
    for function in module.functions:
        if is_lifespan(module, function):
            nodes = after_yield(function)
        elif is_shutdown(module, function):
            nodes = [*inside_all(function.body)]
        else:
            continue
        for node in nodes:
            if isinstance(node, ast.Call) and sounds_closing(last_name(node.func)):
                is_known = last_name(node.func) in _CLOSERS and isinstance(node.func, ast.Attribute)
                if not is_known or module.qualified(node.func):
                    return True
    return any(_is_foreign(module, call) for call in module.calls)


def _is_foreign(module: Module, call: ast.Call) -> bool:
    """`FastAPI(lifespan=x)` or `app.on_shutdown.append(x)` with an x that is not in the text."""
    given = [k.value for k in call.keywords if k.arg in {"lifespan", "on_shutdown", "on_cleanup"}]
    if last_name(call.func) in {"append", "extend"} and isinstance(call.func, ast.Attribute):
        hook = last_name(call.func.value)
        given += call.args if hook in {"on_shutdown", "on_cleanup", "cleanup_ctx"} else []
    if last_name(call.func) == "add_event_handler" and len(call.args) == 2:
        given.append(call.args[1])
    if last_name(call.func) in {"register", "push_async_callback", "callback", "finalize"}:
        return True
    return any(module.function_named(node) is None for node in given)
