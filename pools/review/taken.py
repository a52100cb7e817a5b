"""From which pools a function takes a connection: itself, or through the functions it calls."""

import ast
from collections.abc import Iterator, Mapping

from pools.review.holds import Hold, holds, opens_transaction, same, uses
from pools.review.syntax import Function, arguments_of, inside, last_name
from pools.review.things import PG_POOL, receiver, thing
from pools.review.tree import Module

CALLS_DEEP_MAX = 3
LENDERS_MAX = 20
_ON_POOL = frozenset(
    {"fetch", "fetchrow", "fetchval", "fetchmany", "execute", "executemany"}
    | {"copy_to_table", "copy_from_query", "copy_records_to_table"}
)
_SPAWNS = frozenset({"create_task", "ensure_future", "add_task", "start_soon", "spawn", "submit"})


def lenders_of_call(module: Module, call: ast.Call, depth: int = 0) -> Iterator[ast.expr]:
    """Yield the pools that a call of a function of the text takes a connection from.

    Each as an expression that means the same to the caller: an argument is what was given for
    it. A call that is only started, as a task, is not waited for and takes nothing here.
    """
    function = module.function_named(call.func)
    if function is None or depth >= CALLS_DEEP_MAX or _is_spawned(module, call):
        return
    given = _given(function, call)
    for lender in _lenders(module, function, depth):
        here = given.get(lender.id, lender) if isinstance(lender, ast.Name) else lender
        if here is not None:
            yield here


def calls_on_pool(module: Module, nodes: tuple[ast.AST, ...]) -> Iterator[ast.Call]:
    """Yield calls such as `pool.fetch(...)`, which take a connection of their own."""
    for node in nodes:
        is_one = isinstance(node, ast.Call) and last_name(node.func) in _ON_POOL
        if isinstance(node, ast.Call) and is_one and receiver(module, node) == PG_POOL:
            yield node


def _lenders(module: Module, function: Function, depth: int) -> list[ast.expr]:
    module.tick()
    found = [*module.once(_by_function).get(function, ())]
    for node in inside(function):
        if len(found) >= LENDERS_MAX:
            break
        if isinstance(node, ast.Call) and module.function_named(node.func) is not function:
            found += lenders_of_call(module, node, depth + 1)
    return found[:LENDERS_MAX]


def _by_function(module: Module) -> Mapping[Function, list[ast.expr]]:
    """Return what each function takes itself: its holds, and its calls on an asyncpg pool."""
    found: dict[Function, list[ast.expr]] = {}
    taken = [(h.function, h.lender) for h in holds(module) if _takes(module, h)]
    taken += [
        (module.function_of(call), call.func.value)
        for call in calls_on_pool(module, tuple(module.calls))
        if isinstance(call.func, ast.Attribute)
    ]
    for function, lender in taken:
        if function is not None and lender is not None and not _is_local(module, lender, function):
            found.setdefault(function, []).append(lender)
    return found


def _is_local(module: Module, lender: ast.expr, function: Function) -> bool:
    """Whether a pool is a local of a function, which means nothing to its callers."""
    root = lender
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    if not isinstance(root, ast.Name):
        return True
    bindings = module.bound.get(function, {}).get(root.id, [])
    return any(binding.how != "argument" for binding in bindings)


def _takes(module: Module, hold: Hold) -> bool:
    """Whether a block takes a connection: a session does at its first use."""
    if isinstance(hold.acquired, ast.arg) or thing(module, hold.lender) == "":
        return False  # lent by a dependency, or by something the text does not show
    return not hold.is_lazy or opens_transaction(hold) or any(uses(hold))


def _given(function: Function, call: ast.Call) -> dict[str, ast.expr | None]:
    names = [argument.arg for argument, _ in arguments_of(function)]
    if names[:1] in (["self"], ["cls"]):
        names = names[1:]
    given: dict[str, ast.expr | None] = dict.fromkeys(names)
    given.update(zip(names, call.args, strict=False))
    return given | {k.arg: k.value for k in call.keywords if k.arg in given}


def _is_spawned(module: Module, call: ast.Call) -> bool:
    above = module.parent.get(call)
    return isinstance(above, ast.Call) and last_name(above.func) in _SPAWNS


def lends_again(module: Module, call: ast.Call, outer: Hold) -> bool:
    """Whether a call takes another connection from the pool that a hold has one of."""
    return any(same(lender, outer.lender) for lender in lenders_of_call(module, call))
