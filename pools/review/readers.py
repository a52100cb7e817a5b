"""What calls are worth: environment readers, conversions, `dict(...)`, `.get(...)`, timedelta."""

import ast
from collections.abc import Callable
from typing import TypeAlias

from pools.review.syntax import last_name
from pools.review.tree import Module
from pools.review.worth import (
    COMPUTED,
    Answer,
    Entries,
    Known,
    Unknown,
    as_entries,
    convert,
    number,
)

Ask: TypeAlias = Callable[[ast.expr], Answer]
_UNITS_S = {
    "days": 86_400,
    "hours": 3600,
    "minutes": 60,
    "seconds": 1,
    "milliseconds": 0.001,
    "weeks": 604_800,
}


def read_call(module: Module, node: ast.Call, ask: Ask) -> Answer:
    """Return what a call is worth; `ask` evaluates an expression."""
    name = module.qualified(node.func) or dotted(node.func)
    last = last_name(node.func)
    if name in {"os.environ.get", "os.getenv", "environ.get", "getenv"}:
        return _environment(node, ask)
    if last in {"int", "float", "str", "bool"} and isinstance(node.func, ast.Name):
        return _converted(node, last, ask)
    if last == "dict" and isinstance(node.func, ast.Name):
        return Known(_dict_call(node, ask), node)
    if last == "total_seconds" and isinstance(node.func, ast.Attribute):
        return _duration(node.func.value, ask)
    if last in {"config", "int", "bool", "str", "float", "env"} and node.args:
        return _reader(node, ask)
    if last == "get" and isinstance(node.func, ast.Attribute) and node.args:
        return _get(node, node.func.value, ask)
    if last in {"lower", "upper", "strip"} and isinstance(node.func, ast.Attribute):
        return _changed_case(last, ask(node.func.value))
    if last in {"cpu_count", "process_cpu_count"}:
        return Unknown("depends on the machine's cores")
    return COMPUTED


def _changed_case(name: str, answer: Answer) -> Answer:
    if isinstance(answer, Known) and isinstance(answer.value, str):
        changed = {"lower": answer.value.lower(), "upper": answer.value.upper()}
        text = changed.get(name, answer.value.strip())
        return Known(text, answer.node, answer.how)
    return answer if isinstance(answer, Unknown) else COMPUTED


def _environment(node: ast.Call, ask: Ask) -> Answer:
    name = _constant_text(node.args[0]) if node.args else ""
    default = node.args[1] if len(node.args) > 1 else _keyword(node, "default")
    shown = name if name.isidentifier() else "that is not named here"
    if default is None or (isinstance(default, ast.Constant) and default.value is None):
        return Unknown(f"environment variable {shown} has no default here")
    answer = ask(default)
    if isinstance(answer, Known):
        return Known(answer.value, answer.node, f"default of environment variable {shown}")
    return answer


def _reader(node: ast.Call, ask: Ask) -> Answer:
    """Read `config("X", default=5)` of decouple or Starlette, and `env.int("X", 5)`."""
    name = _constant_text(node.args[0])
    default = _keyword(node, "default")
    is_env = isinstance(node.func, ast.Attribute) and last_name(node.func.value) == "env"
    if default is None and is_env and len(node.args) > 1:
        default = node.args[1]
    if not name.isidentifier():
        return COMPUTED
    if default is None:
        return Unknown(f"environment variable {name} has no default here")
    answer = ask(default)
    if isinstance(answer, Known):
        return Known(answer.value, answer.node, f"default of environment variable {name}")
    return answer


def _get(node: ast.Call, owner: ast.expr, ask: Ask) -> Answer:
    found = as_entries(ask(owner))
    key = _constant_text(node.args[0])
    if key in found.items:
        return ask(found.items[key])
    if found.is_open or len(node.args) < 2:
        return COMPUTED
    return ask(node.args[1])


def read_item(module: Module, owner: Answer, key: str, node: ast.Subscript, ask: Ask) -> Answer:
    """Return the entry of a dictionary, `options["pool_size"]`."""
    found = as_entries(owner)
    if key in found.items:
        answer = ask(found.items[key])
        return (
            Known(answer.value, answer.node, answer.how or f"entry {key}")
            if isinstance(answer, Known) and key.isidentifier()
            else answer
        )
    if module.qualified(node.value) == "os.environ" and key.isidentifier():
        return Unknown(f"environment variable {key} has no default here")
    return COMPUTED


def _dict_call(node: ast.Call, ask: Ask) -> Entries:
    items: dict[str, ast.expr] = {}
    is_open = False
    spread = [k.value for k in node.keywords if k.arg is None]
    for source in (*node.args, *spread):
        inner = as_entries(ask(source))
        items |= inner.items
        is_open |= inner.is_open
    return Entries(items | {k.arg: k.value for k in node.keywords if k.arg}, is_open)


def _converted(node: ast.Call, to: str, ask: Ask) -> Answer:
    if len(node.args) != 1:
        return COMPUTED
    answer = ask(node.args[0])
    if isinstance(answer, Unknown):
        return answer
    value = convert(answer.value, to)
    return COMPUTED if value is None else Known(value, answer.node, answer.how)


def _duration(node: ast.expr, ask: Ask) -> Answer:
    if not isinstance(node, ast.Call) or last_name(node.func) != "timedelta" or node.args:
        return COMPUTED
    total = 0.0
    for keyword in node.keywords:
        amount = number(ask(keyword.value))
        if keyword.arg not in _UNITS_S or amount is None:
            return COMPUTED
        total += amount * _UNITS_S[keyword.arg]
    return Known(total, node)


def _constant_text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


def dotted(node: ast.expr) -> str:
    """Return a dotted name as it is written, or ''."""
    parts: list[str] = []
    current: ast.expr = node
    while isinstance(current, ast.Attribute):
        parts.append(current.attr)
        current = current.value
    return ".".join([current.id, *reversed(parts)]) if isinstance(current, ast.Name) else ""
