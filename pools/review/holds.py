"""Where a connection is held: from acquiring it to the end of its block."""

import ast
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pools.review.requests import per_request
from pools.review.syntax import Function, arguments_of, inside_all, last_name, start
from pools.review.things import (
    CONNECTION,
    MAKER,
    PG_CONNECTION,
    PSYCOPG_CONNECTION,
    SESSION,
    SYNC_CONNECTION,
    SYNC_SESSION,
    dependency,
    receiver,
    result,
    thing,
)
from pools.review.tree import Module

NODES_MAX = 100_000  # looked at in all holds of a module
HELD = frozenset(
    {CONNECTION, PG_CONNECTION, PSYCOPG_CONNECTION, SESSION, SYNC_CONNECTION, SYNC_SESSION}
)
LAZY = frozenset({SESSION, SYNC_SESSION})
_USES = frozenset(
    {"execute", "scalar", "scalars", "get", "flush", "refresh", "stream", "stream_scalars", "merge"}
    | {"exec", "get_one", "connection", "query", "delete", "run_sync"}
)
_ENDS = frozenset({"commit", "rollback", "close", "reset"})


@dataclass(frozen=True, slots=True)
class Hold:
    """A stretch of code with a connection: who lends it, its name, the code within.

    `nodes` is all code within, nested functions left out; `calls` the calls on what is held.
    A session is `lazy`: it takes a connection at its first use and gives it back at commit.
    """

    thing: str
    lender: ast.expr | None
    name: str
    acquired: ast.AST
    body: tuple[ast.AST, ...]
    function: Function | None
    nodes: tuple[ast.AST, ...] = ()
    calls: tuple[ast.Call, ...] = ()

    @property
    def is_lazy(self) -> bool:
        """Whether it holds a connection only from its first use on."""
        return self.thing in LAZY


def holds(module: Module) -> list[Hold]:
    """Return every stretch in which a connection is held, in source order."""
    return module.once(_holds)


def is_held_at(hold: Hold, node: ast.AST) -> bool:
    """Whether the connection is out of the pool when the code reaches a node in the body."""
    if not hold.is_lazy:
        return True
    held = False
    for call in hold.calls:
        if start(call) >= start(node):
            break
        name = last_name(call.func)
        held = (held or name in _USES) and name not in _ENDS
    return held and not _after_begin(hold, node)


def uses(hold: Hold) -> Iterator[ast.Call]:
    """Yield the calls on the held connection or session that talk to the database."""
    return (call for call in hold.calls if last_name(call.func) in _USES)


def opens_transaction(hold: Hold) -> bool:
    """Whether a session's block is `maker.begin()`, which ends in a commit."""
    call = hold.acquired
    return isinstance(call, ast.Call) and last_name(call.func) == "begin"


def _own_calls(nodes: tuple[ast.AST, ...], name: str) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == name:
                yield node


def _after_begin(hold: Hold, node: ast.AST) -> bool:
    """Whether `async with session.begin():` ended before the node, with no use since."""
    line = start(node)[0]
    begins = {call for call in hold.calls if last_name(call.func) == "begin"}
    for block in hold.nodes if begins else ():
        if isinstance(block, ast.AsyncWith | ast.With) and block.items[0].context_expr in begins:
            end = block.end_lineno or 0
            if end < line:
                return not any(end < start(call)[0] < line for call in uses(hold))
    return False


def _holds(module: Module) -> list[Hold]:
    found = sorted(_all_holds(module), key=lambda hold: start(hold.acquired))
    looked_into, left = [], NODES_MAX
    for hold in found:
        nodes = tuple(islice(inside_all(hold.body), left))
        left -= len(nodes)
        calls = tuple(_own_calls(nodes, hold.name))
        looked_into.append(dataclasses.replace(hold, nodes=nodes, calls=calls))
        if left <= 0:
            break
    return looked_into


def _all_holds(module: Module) -> Iterator[Hold]:
    yield from _blocks(module)
    yield from _assigned(module)
    yield from _lent(module)


def _blocks(module: Module) -> Iterator[Hold]:
    for node in module.nodes:
        if not isinstance(node, ast.AsyncWith | ast.With):
            continue
        for index, item in enumerate(node.items):
            held = thing(module, item.context_expr)
            if held not in HELD or not isinstance(
                item.context_expr, ast.Call | ast.Await | ast.Name
            ):
                continue
            lender = _lender(module, item.context_expr)
            name = last_name(item.optional_vars) if item.optional_vars is not None else ""
            if not name and isinstance(item.context_expr, ast.Name):
                name = item.context_expr.id
            later = tuple(other.context_expr for other in node.items[index + 1 :])
            yield Hold(
                held,
                lender,
                name,
                item.context_expr,
                (*later, *node.body),
                module.function_of(node),
            )


def _assigned(module: Module) -> Iterator[Hold]:
    """Yield `connection = await pool.acquire()` with what follows until it is released."""
    for call in module.called("acquire", "connect"):
        held = thing(module, call)
        above = module.parent.get(call)
        above = module.parent.get(above) if isinstance(above, ast.Await) else above
        if held not in {PG_CONNECTION, CONNECTION} or not isinstance(above, ast.Assign):
            continue
        name = last_name(above.targets[0])
        body = tuple(_until_released(_following(module, above), name))
        if name:
            yield Hold(held, _lender(module, call), name, call, body, module.function_of(call))


def _following(module: Module, statement: ast.stmt) -> list[ast.stmt]:
    above = module.parent.get(statement)
    for block in ("body", "orelse", "finalbody"):
        statements = getattr(above, block, None)
        if isinstance(statements, list) and statement in statements:
            return statements[statements.index(statement) + 1 :]
    return []


def _until_released(statements: list[ast.stmt], name: str) -> Iterator[ast.AST]:
    for statement in statements:
        if isinstance(statement, ast.Try):
            yield from statement.body
            return
        calls = [n for n in inside_all([statement]) if isinstance(n, ast.Call)]
        if any(last_name(c.func) in {"release", "close"} and _mentions(c, name) for c in calls):
            return
        yield statement


def _mentions(call: ast.Call, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(call))


def _lent(module: Module) -> Iterator[Hold]:
    """Yield what a dependency lends to a handler for the whole request."""
    for function in module.functions:
        if function not in per_request(module):
            continue
        for argument, default in arguments_of(function):
            provider = dependency(module, default) or dependency(module, argument.annotation)
            giver = module.function_named(provider) if provider is not None else None
            if giver is None or not any(isinstance(n, ast.Yield) for n in inside_all(giver.body)):
                continue  # only what is yielded is kept until the request ends
            held = result(module, giver)
            if held in HELD:
                lender, body = _lender_in(module, giver), tuple(function.body)
                yield Hold(held, lender, argument.arg, argument, body, function)


def _lender_in(module: Module, giver: Function) -> ast.expr | None:
    for node in inside_all(giver.body):
        if isinstance(node, ast.AsyncWith | ast.With):
            opened = node.items[0].context_expr
            if thing(module, opened) in HELD:
                return _lender(module, opened)
    return None


def _lender(module: Module, opened: ast.expr) -> ast.expr | None:
    """Return the pool, engine or session maker that lends: `engine` of `engine.begin()`."""
    if isinstance(opened, ast.Await):
        opened = opened.value
    if not isinstance(opened, ast.Call):
        return None
    if thing(module, opened.func) == MAKER:
        return opened.func
    if receiver(module, opened):
        return opened.func.value if isinstance(opened.func, ast.Attribute) else None
    return opened.args[0] if opened.args else None


def same(one: ast.expr | None, other: ast.expr | None) -> bool:
    """Whether two expressions name the same thing, such as `self.pool` and `self.pool`."""
    return one is not None and other is not None and ast.dump(one) == ast.dump(other)
