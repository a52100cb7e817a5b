"""A parsed module, indexed once: parents, scopes, imports, and what each name is bound to."""

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from pools.review.context import Context
from pools.review.finding import Place
from pools.review.syntax import (
    FUNCTIONS,
    SCOPES,
    Function,
    Scope,
    arguments_of,
    children_of,
    is_self,
    last_name,
    methods,
    start,
    store_key,
    unpacked,
)
from pools.review.text import Source

Answer = TypeVar("Answer")
BINDINGS_MAX = 50
NODES_PER_TICK = 1_000
_BINDERS = frozenset(
    {ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.withitem, ast.For, ast.AsyncFor}
    | {ast.comprehension, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef}
    | {ast.ExceptHandler}
)


@dataclass(frozen=True, slots=True)
class Binding:
    """One way a name gets its value.

    `how` is assign, with, argument, loop, function, class, or other; `value` is the
    expression bound, if there is one; `node` is where it happens.
    """

    how: str
    value: ast.expr | None
    node: ast.AST


class Module:
    """A module's syntax tree with what rules ask about it."""

    def __init__(
        self, source: Source, tree: ast.Module, tick: Callable[[], None] = lambda: None
    ) -> None:
        """Index the tree in one pass, in source order. `tick` may raise to stop."""
        self.tick = tick
        self.source = source
        self.tree = tree
        self.nodes: list[ast.AST] = []
        self.parent: dict[ast.AST, ast.AST] = {}
        self.imports: dict[str, str] = {}
        self.bound: dict[Scope, dict[str, list[Binding]]] = defaultdict(lambda: defaultdict(list))
        self.stored: dict[str, list[tuple[ast.expr, ast.expr]]] = defaultdict(list)
        self.context = Context()
        self.worth: dict[ast.AST, object] = {}
        self.things: dict[ast.AST, str] = {}
        self.texts: dict[ast.AST, str] = {}
        self._globals: dict[Scope, set[str]] = defaultdict(set)
        self._facts: dict[Callable[[Module], Any], Any] = {}
        self._index()
        for node in self.nodes:
            if type(node) in _BINDERS:
                self._bind(node)

    def once(self, ask: "Callable[[Module], Answer]") -> Answer:
        """Return what a function says of this module; it is asked once."""
        if ask not in self._facts:
            self.tick()
            self._facts[ask] = ask(self)
        answer: Answer = self._facts[ask]
        return answer

    def _index(self) -> None:
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            self.nodes.append(node)
            if len(self.nodes) % NODES_PER_TICK == 1:
                self.tick()
            children = children_of(node)
            for child in children:
                self.parent[child] = node
            children.reverse()
            stack.extend(children)
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)
            elif isinstance(node, ast.Global):
                self._globals[self.scope(node)].update(node.names)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for name in node.names:
                root = name.name.partition(".")[0]
                self.imports[name.asname or root] = name.name if name.asname else root
            return
        base = "." * node.level + (node.module or "")
        for name in node.names:
            joint = "" if base.endswith(".") or not base else "."
            self.imports[name.asname or name.name] = f"{base}{joint}{name.name}"

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, value, node)
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                self._assign(target, node.value if isinstance(node, ast.AnnAssign) else None, node)
            case ast.NamedExpr(target=target, value=value):
                self._assign(target, value, node)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._assign(target, value, node, "with")
            case (
                ast.For(target=target)
                | ast.AsyncFor(target=target)
                | ast.comprehension(target=target)
            ):
                self._assign(target, None, node, "loop")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._name(name, Binding("function", None, node), self.scope(node))
                self._arguments(node)
            case ast.Lambda():
                self._arguments(node)
            case ast.ClassDef(name=name):
                self._name(name, Binding("class", None, node), self.scope(node))
            case ast.ExceptHandler(name=str() as name):
                self._name(name, Binding("other", None, node), self.scope(node))
            case _:
                pass

    def _assign(
        self, target: ast.expr, value: ast.expr | None, node: ast.AST, how: str = "assign"
    ) -> None:
        if isinstance(target, ast.Name):
            augmented = "other" if isinstance(node, ast.AugAssign) else how
            self._name(target.id, Binding(augmented, value, node), self.scope(node))
        elif isinstance(target, ast.Tuple | ast.List):
            pairs = unpacked(target, value)
            for part, given in pairs:
                self._assign(part, given, node, how if given is not None else "other")
        elif isinstance(target, ast.Starred):
            self._assign(target.value, None, node, "other")
        elif value is not None:
            self.stored[store_key(target)].append((target, value))

    def _arguments(self, node: Function | ast.Lambda) -> None:
        for argument, default in arguments_of(node):
            self._name(argument.arg, Binding("argument", default, argument), node)

    def _name(self, name: str, binding: Binding, scope: Scope) -> None:
        if name in self._globals[scope]:
            scope = self.tree
        self.bound[scope][name].append(binding)

    def scope(self, node: ast.AST) -> Scope:
        """Return the function, class or module whose names a node's own name belongs to."""
        above = self.parent.get(node)
        while above is not None and not isinstance(above, SCOPES):
            above = self.parent.get(above)
        return above if isinstance(above, SCOPES) else self.tree

    def lookup(self, name: str, at: ast.AST) -> list[Binding]:
        """Return every binding that a name may have where `at` stands.

        Of more than 50, one that is not known stands for the rest.
        """
        scope = at if isinstance(at, SCOPES) else self.scope(at)
        inner = True
        while True:
            names = self.bound.get(scope, {})
            if name in names and (inner or not isinstance(scope, ast.ClassDef)):
                found = names[name]
                rest = Binding("other", None, self.tree)
                return found if len(found) <= BINDINGS_MAX else [*found[:BINDINGS_MAX], rest]
            if isinstance(scope, ast.Module):
                return []
            inner = False
            scope = self.scope(scope)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield a node's ancestors, nearest first."""
        while (node := self.parent.get(node, self.tree)) is not self.tree:
            yield node

    def function_of(self, node: ast.AST) -> Function | None:
        """Return the innermost function (not lambda) around a node."""
        return next((a for a in self.above(node) if isinstance(a, FUNCTIONS)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the class that a node's function, or the node itself, is written in."""
        return next((a for a in self.above(node) if isinstance(a, ast.ClassDef)), None)

    def qualified(self, node: ast.AST) -> str:
        """Return the dotted name an expression imports, such as `aiohttp.ClientSession`, or ''."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.imports:
            return ""
        return ".".join([self.imports[node.id], *reversed(parts)])

    def function_named(self, node: ast.AST) -> Function | None:
        """Return the function of this module that an expression names, if it is exactly one."""
        if isinstance(node, ast.Attribute) and is_self(node.value):
            owner = self.class_of(node)
            found = [f for f in methods(owner) if f.name == node.attr] if owner else []
            return found[0] if len(found) == 1 else None
        if not isinstance(node, ast.Name):
            return None
        named = [b.node for b in self.lookup(node.id, node)]
        return named[0] if len(named) == 1 and isinstance(named[0], FUNCTIONS) else None

    def class_named(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the class of this module that an expression names, if it is exactly one."""
        if not isinstance(node, ast.Name):
            return None
        named = [b.node for b in self.lookup(node.id, node)]
        return named[0] if len(named) == 1 and isinstance(named[0], ast.ClassDef) else None

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call, in source order."""
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def functions(self) -> list[Function]:
        """Every function and method, in source order."""
        return [node for node in self.nodes if isinstance(node, FUNCTIONS)]

    @cached_property
    def calls_by_method(self) -> dict[str, list[ast.Call]]:
        """Every call, by the last part of what is called."""
        found: dict[str, list[ast.Call]] = defaultdict(list)
        for call in self.calls:
            found[last_name(call.func)].append(call)
        return found

    @cached_property
    def handed(self) -> dict[str, list[ast.expr]]:
        """What lifespans hand to requests as state: the entries of `yield {"pool": pool}`."""
        found: dict[str, list[ast.expr]] = defaultdict(list)
        for node in self.nodes:
            if isinstance(node, ast.Yield) and isinstance(node.value, ast.Dict):
                for key, value in zip(node.value.keys, node.value.values, strict=True):
                    if isinstance(key, ast.Constant):
                        found[str(key.value)].append(value)
        return found

    def called(self, *names: str) -> list[ast.Call]:
        """Return the calls whose last name is one of these, in source order."""
        found = [call for name in names for call in self.calls_by_method.get(name, ())]
        return sorted(found, key=start) if len(names) > 1 else found

    def place(self, node: ast.AST) -> Place:
        """Return where an expression, statement or argument stands."""
        line, column = start(node)
        end_line = getattr(node, "end_lineno", None) or line
        end_column = getattr(node, "end_col_offset", None) or column
        cell, shown = self.source.cell_of(line)
        shift = line - shown
        return Place(
            shown,
            self.column(line, column) + 1,
            end_line - shift,
            self.column(end_line, end_column) + 1,
            cell,
        )

    def column(self, line: int, utf8_bytes: int) -> int:
        """Turn the parser's column, in bytes from 0, into characters from 0."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if text.isascii():
            return utf8_bytes
        return len(text.encode()[:utf8_bytes].decode(errors="ignore"))

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text that was parsed."""
        return self.source.text.split("\n")

    @cached_property
    def original_lines(self) -> list[str]:
        """The lines of the text as it was given."""
        return self.source.original.split("\n")
