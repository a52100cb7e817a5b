"""Which functions run once in a process's life: lifespan, start-up and shutdown hooks, main."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

from pools.review.syntax import Function, inside, last_name
from pools.review.things import dependency
from pools.review.tree import Module

CALL_DEPTH_MAX = 3
_STARTS = frozenset({"startup", "before_serving", "before_first_request", "after_start"})
_STOPS = frozenset({"shutdown", "after_serving", "before_stop", "teardown"})
_HOOKS = frozenset({"lifespan", "cleanup_ctx", "on_startup", "on_shutdown", "on_cleanup"})
_ONCE = frozenset({"main", "amain", "_main", "async_main", "run", "cli", "migrate", "upgrade"})
_CACHES = frozenset({"lru_cache", "cache", "cached", "alru_cache", "cached_property", "singleton"})
_CONTEXTS = frozenset({"asynccontextmanager", "contextmanager"})


def bare(decorator: ast.expr) -> ast.expr:
    """Return a decorator without its arguments."""
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def decorators(function: Function) -> set[str]:
    """Return the last names of a function's decorators."""
    return {last_name(bare(decorator)) for decorator in function.decorator_list}


def is_cached(function: Function) -> bool:
    """Whether a decorator makes a function answer from a cache."""
    return bool(decorators(function) & _CACHES)


def is_test(function: Function) -> bool:
    """Whether a function is a test or a test's fixture."""
    return function.name.startswith("test_") or "fixture" in decorators(function)


def is_lifespan(module: Module, function: Function) -> bool:
    """Whether a function opens before its yield and closes after: lifespan, cleanup_ctx."""
    return function in module.once(_lifespans)


def is_startup(module: Module, function: Function) -> bool:
    """Whether a function runs when the application starts."""
    hooks = module.once(_hooks)
    return function in hooks["start"] or function in hooks["on_startup"]


def is_shutdown(module: Module, function: Function) -> bool:
    """Whether a function runs when the application stops."""
    hooks = module.once(_hooks)
    return any(function in hooks[name] for name in ("stop", "on_shutdown", "on_cleanup"))


def runs_once(module: Module, function: Function | None) -> bool:
    """Whether code runs once in a process's life: module level, start-up, lifespan, main."""
    if function is None or function.name in _ONCE or is_cached(function):
        return True
    return is_lifespan(module, function) or is_startup(module, function)


def opens_at_start(module: Module, function: Function | None) -> bool:
    """Whether code runs at the start of a service: such code itself, or only called from there."""
    return function is None or function in module.once(_openers)


def is_main(function: Function | None) -> bool:
    """Whether a function is a script's main."""
    return function is not None and function.name in _ONCE


def dependencies(module: Module) -> frozenset[Function]:
    """Return the functions given to `Depends(...)`."""
    return module.once(_dependencies)


def _dependencies(module: Module) -> frozenset[Function]:
    found = set()
    for call in module.called("Depends", "Security"):
        provider = dependency(module, call)
        function = module.function_named(provider) if provider is not None else None
        if function is not None:
            found.add(function)
    return frozenset(found)


def _lifespans(module: Module) -> frozenset[Function]:
    hooks = module.once(_hooks)
    found = set()
    for function in module.functions:
        if function in dependencies(module):
            continue
        given = function in hooks["lifespan"] or "lifespan" in function.name.lower()
        if function in hooks["cleanup_ctx"] or (given and decorators(function) & _CONTEXTS):
            yields = [n for n in inside(function) if isinstance(n, ast.Yield)]
            found |= {function} if len(yields) == 1 else set()
    return frozenset(found)


def _openers(module: Module) -> frozenset[Function]:
    found = {f for f in module.functions if runs_once(module, f) and not is_main(f)}
    for _ in range(CALL_DEPTH_MAX):
        for function in module.functions:
            callers = {module.function_of(call) for call in _calls_of(module, function)}
            if callers and callers <= found:
                found.add(function)
    return frozenset(found)


def _calls_of(module: Module, function: Function) -> list[ast.Call]:
    calls = module.called(function.name)
    return [call for call in calls if module.function_named(call.func) is function]


def _hooks(module: Module) -> Mapping[str, set[Function]]:
    """By hook: what keywords, appends, handlers and decorators register."""
    found: dict[str, set[Function]] = defaultdict(set)
    for call in module.calls:
        for name, given in _given(call):
            found[name] |= {*_functions_in(module, given)}
    for function in module.functions:
        for decorator in function.decorator_list:
            event = _event(decorator)
            if event:
                found[event].add(function)
    return found


def _given(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    for keyword in call.keywords:
        if keyword.arg in _HOOKS:
            yield keyword.arg, keyword.value
    name = last_name(call.func)
    if name in {"append", "extend"} and isinstance(call.func, ast.Attribute):
        hook = last_name(call.func.value)
        if hook in _HOOKS and call.args:
            yield hook, call.args[0]
    if name == "add_event_handler" and len(call.args) == 2:
        event = _event_named(call.args[0])
        if event:
            yield event, call.args[1]
    if isinstance(call.func, ast.Call) and last_name(call.func.func) == "on_event" and call.args:
        event = _event_named(call.func.args[0]) if call.func.args else ""
        if event:
            yield event, call.args[0]


def _functions_in(module: Module, given: ast.expr) -> Iterator[Function]:
    for node in ast.walk(given):
        function = module.function_named(node)
        if function is not None:
            yield function


def _event(decorator: ast.expr) -> str:
    name = last_name(bare(decorator))
    if name in {"on_event", "listener"} and isinstance(decorator, ast.Call) and decorator.args:
        return _event_named(decorator.args[0])
    return "start" if name in _STARTS else "stop" if name in _STOPS else ""


def _event_named(node: ast.expr) -> str:
    said = node.value if isinstance(node, ast.Constant) else ""
    return "start" if said in _STARTS else "stop" if said in _STOPS else ""
