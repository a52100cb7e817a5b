"""Time limits that callers put around code: `asyncio.timeout`, `wait_for` and their like."""

import ast
from collections.abc import Iterator

from pools.review.syntax import FUNCTIONS, last_name
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.worth import Answer

_BLOCKS = frozenset({"timeout", "timeout_at", "fail_after", "move_on_after"})
_OWNERS = frozenset({"asyncio", "async_timeout", "anyio", "trio"})
_WAITS = frozenset({"wait_for"})


def limits(module: Module, node: ast.AST) -> Iterator[Answer]:
    """Yield the time limits around a node within its own function, nearest first."""
    for above in module.above(node):
        if isinstance(above, (*FUNCTIONS, ast.Lambda)):
            return
        if isinstance(above, ast.AsyncWith | ast.With):
            for item in above.items:
                if is_limit(module, item.context_expr) and item.context_expr is not node:
                    yield _of_call(module, item.context_expr)
        elif isinstance(above, ast.Call) and last_name(above.func) in _WAITS and above.args:
            yield _of_call(module, above)


def is_limited(module: Module, node: ast.AST) -> bool:
    """Whether any time limit stands around a node within its own function."""
    return next(limits(module, node), None) is not None


def is_limit(module: Module, node: ast.expr) -> bool:
    """Whether an expression is `asyncio.timeout(...)` or one of its like."""
    if not isinstance(node, ast.Call) or last_name(node.func) not in _BLOCKS:
        return False
    return module.qualified(node.func).partition(".")[0] in _OWNERS


def _of_call(module: Module, node: ast.AST) -> Answer:
    assert isinstance(node, ast.Call)  # noqa: S101  narrows what is_limit and wait_for have shown
    position = 1 if last_name(node.func) in _WAITS else 0
    given = next((k.value for k in node.keywords if k.arg in {"timeout", "delay"}), None)
    if given is None and len(node.args) > position:
        given = node.args[position]
    return evaluate(module, given if given is not None else ast.Constant(None))
