"""What an expression can be worth: known, unknown, a dictionary; and how values combine."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

HOLE = "\ufffc"
NUMBER_MAX = 10**12
TEXT_MAX = 10_000
_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_TRUTHS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "true", "yes", "on", "y", "t"), True),
    **dict.fromkeys(("0", "false", "no", "off", "n", "f", ""), False),
}


@dataclass(frozen=True, slots=True)
class Known:
    """A value, where it is written, and how it was reached ('' for a plain literal)."""

    value: object
    node: ast.expr
    how: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No value; `why` is what to tell the reader who is asked for it."""

    why: str


@dataclass(frozen=True, slots=True)
class Entries:
    """A dictionary: its entries by key; `is_open` if it may hold others."""

    items: Mapping[str, ast.expr]
    is_open: bool = False


Answer: TypeAlias = Known | Unknown
COMPUTED = Unknown("computed where the text does not show it")


def number(answer: Answer | None) -> float | None:
    """Return a known number (not a truth value), else None."""
    if not isinstance(answer, Known) or isinstance(answer.value, bool):
        return None
    return float(answer.value) if isinstance(answer.value, int | float) else None


def as_entries(answer: Answer) -> Entries:
    """Return a known dictionary, or an open empty one."""
    if isinstance(answer, Known) and isinstance(answer.value, Entries):
        return answer.value
    return Entries({}, is_open=True)


def convert(value: object, to: str) -> object:
    """Convert as `int(...)` and its like do; text for bool as settings libraries do; else None."""
    try:
        if to == "bool" and isinstance(value, str):
            return _TRUTHS.get(value.strip().lower())
        if isinstance(value, int | float | str) and len(str(value)) < 30:
            made: object = {"int": int, "float": float, "str": str, "bool": bool}[to](value)
            is_endless = isinstance(made, float) and not math.isfinite(made)
            return None if is_endless else made
    except (ValueError, OverflowError):
        return None
    return None


def unary(op: ast.unaryop, answer: Answer, node: ast.expr) -> Answer:
    """Negate a number or a truth value."""
    if isinstance(answer, Unknown):
        return answer
    if isinstance(op, ast.Not) and isinstance(answer.value, bool):
        return Known(not answer.value, node, answer.how)
    amount = answer.value
    if isinstance(op, ast.USub) and isinstance(amount, int | float) and amount is not True:
        return Known(-amount, node, answer.how)
    return COMPUTED


def binary(left: Answer, op: ast.operator, right: Answer, node: ast.expr) -> Answer:
    """Combine two values: arithmetic, text put together, dictionaries merged."""
    if isinstance(left, Unknown):
        return left
    if isinstance(right, Unknown):
        return right
    a, b, how = left.value, right.value, left.how or right.how
    if isinstance(a, Entries) and isinstance(b, Entries) and isinstance(op, ast.BitOr):
        return Known(Entries({**a.items, **b.items}, a.is_open or b.is_open), node, how)
    if isinstance(a, str) and isinstance(b, str) and isinstance(op, ast.Add):
        return Known((a + b)[:TEXT_MAX], node, how)
    act = _OPERATORS.get(type(op))
    if act is None or not isinstance(a, int | float) or not isinstance(b, int | float):
        return COMPUTED
    if max(abs(a), abs(b)) > NUMBER_MAX or (b == 0 and isinstance(op, ast.Div | ast.FloorDiv)):
        return COMPUTED
    total = act(a, b)
    return Known(total, node, how) if math.isfinite(total) else COMPUTED


def compare(left: Answer, op: ast.cmpop, right: ast.expr, node: ast.expr) -> Answer:
    """Compare a known text or number with literals: `== "true"`, `in ("1", "true")`."""
    try:
        other = ast.literal_eval(right)
    except (ValueError, TypeError, RecursionError):
        return COMPUTED
    if isinstance(left, Unknown):
        return left
    if not isinstance(left.value, str | int | float):
        return COMPUTED
    if isinstance(op, ast.Eq | ast.NotEq) and isinstance(other, str | int | float):
        return Known((left.value == other) is isinstance(op, ast.Eq), node, left.how)
    if isinstance(op, ast.In | ast.NotIn) and isinstance(other, tuple | list | set):
        return Known((left.value in other) is isinstance(op, ast.In), node, left.how)
    return COMPUTED
