"""Python's syntax tree, without a module around it: nodes, functions, names."""

import ast
from collections.abc import Iterable, Iterator
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Scope: TypeAlias = ast.Module | ast.ClassDef | Function | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LEAVES = frozenset({"ctx", "op", "ops"})


def children_of(node: ast.AST) -> list[ast.AST]:
    """Return the nodes directly under a node in source order, operators and contexts left out."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = None if name in _LEAVES else getattr(node, name, None)
        if isinstance(value, list):
            found += [one for one in value if isinstance(one, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def inside(node: ast.AST, *, functions: bool = False) -> Iterator[ast.AST]:
    """Yield what is under a node in source order, without entering nested functions."""
    stack = [*reversed(children_of(node))]
    while stack:
        child = stack.pop()
        yield child
        if functions or not isinstance(child, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            stack.extend(reversed(children_of(child)))


def inside_all(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield each node and what is under it, without entering nested functions."""
    for node in nodes:
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            yield from inside(node)


def start(node: ast.AST) -> tuple[int, int]:
    """Return line and column of a node, for ordering."""
    return getattr(node, "lineno", 1), getattr(node, "col_offset", 0)


def last_name(node: ast.AST) -> str:
    """Return the last part of a dotted name: `execute` of `session.execute`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_self(node: ast.AST) -> bool:
    """Whether an expression is `self` or `cls`."""
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def methods(owner: ast.ClassDef) -> list[Function]:
    """Return the functions written directly in a class."""
    return [node for node in owner.body if isinstance(node, FUNCTIONS)]


def arguments_of(node: Function | ast.Lambda) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield each argument of a function with its default."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    missing = len(plain) - len(given.defaults)
    yield from zip(plain, [*[None] * missing, *given.defaults], strict=True)
    yield from zip(given.kwonlyargs, given.kw_defaults, strict=True)
    for rest in (given.vararg, given.kwarg):
        if rest is not None:
            yield rest, None


def store_key(target: ast.expr) -> str:
    """Return what `x.pool`, `app["pool"]` and `app[POOL]` are known by: `pool`, `POOL`."""
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript):
        if isinstance(target.slice, ast.Constant):
            return str(target.slice.value)
        return last_name(target.slice)
    return ""


def unpacked(
    target: ast.Tuple | ast.List, value: ast.expr | None
) -> list[tuple[ast.expr, ast.expr | None]]:
    """Pair the parts of `a, b = 1, 2`; a part that cannot be paired gets None."""
    if (
        isinstance(value, ast.Tuple | ast.List)
        and len(value.elts) == len(target.elts)
        and not any(isinstance(e, ast.Starred) for e in (*value.elts, *target.elts))
    ):
        return [*zip(target.elts, value.elts, strict=True)]
    return [(part, None) for part in target.elts]
