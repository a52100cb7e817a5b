"""SQL and callbacks in source: what a callback awaits, and whether it sets the session up."""

import ast
import re

from pools.review.syntax import inside_all, last_name
from pools.review.tree import Module
from pools.review.values import text_of
from pools.review.worth import HOLE

_EXECUTES = frozenset({"execute", "fetch", "fetchval", "fetchrow", "exec_driver_sql"})
_SET = re.compile(
    r"^\s*SET\s+(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b)(?:SESSION\s+)?[\w.]+", re.IGNORECASE
)
_SET_CONFIG = re.compile(r"^\s*SELECT\s+set_config\s*\(.*,\s*false\s*\)", re.IGNORECASE | re.DOTALL)


def statements_of(module: Module, given: ast.expr | None) -> list[ast.AST]:
    """Return the body of a callback: a function of the text, a method, or a lambda."""
    if given is None:
        return []
    if isinstance(given, ast.Lambda):
        return [given.body]
    function = module.function_named(given)
    return [*function.body] if function is not None else []


def awaited_calls(module: Module, body: list[ast.AST]) -> list[ast.Call]:
    """Return the calls that a callback awaits, or that a lambda returns, in source order."""
    waits = (ast.Await, ast.Lambda)
    calls = [node for node in inside_all(body) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(module.parent.get(call), waits)]


def sql_of(module: Module, call: ast.AST) -> str:
    """Return the statement that a call executes, with holes; '' if it executes none."""
    if not isinstance(call, ast.Call) or last_name(call.func) not in _EXECUTES or not call.args:
        return ""
    first = call.args[0]
    if isinstance(first, ast.Call) and last_name(first.func) == "text" and first.args:
        first = first.args[0]
    return text_of(module, first)


def sets_session(module: Module, call: ast.AST) -> bool:
    """Whether a call executes SET (not SET LOCAL) or set_config for the session."""
    sql = sql_of(module, call)
    return bool(_SET.match(sql) or _SET_CONFIG.match(sql))


def fixed_set(module: Module, call: ast.Call) -> bool:
    """Whether a call sets the session to a value that is the same each time."""
    return sets_session(module, call) and HOLE not in sql_of(module, call) and len(call.args) == 1
