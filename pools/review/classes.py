"""Classes of the text that hold settings: which one an expression is an instance of."""

import ast

from pools.review.syntax import Function, is_self, last_name
from pools.review.tree import BINDINGS_MAX, Module

DEPTH_MAX = 25


def field_default(value: ast.expr) -> ast.expr:
    """Look through `Field(default=5)`, `Field(5, ge=1)` and `field(default=5)`."""
    if not isinstance(value, ast.Call) or last_name(value.func) not in {"Field", "field"}:
        return value
    given = [keyword.value for keyword in value.keywords if keyword.arg == "default"]
    return given[0] if given else value.args[0] if value.args else value


def instance_of(module: Module, node: ast.expr, depth: int = 0) -> ast.ClassDef | None:
    """Return the class of this module that an expression is, or is an instance of."""
    if depth > DEPTH_MAX:
        return None
    if isinstance(node, ast.Call):
        function = module.function_named(node.func)
        given = returned(function) if function is not None else node.func
        return instance_of(module, given, depth + 1) if given is not None else None
    owner = module.class_named(node)
    if owner is not None or not isinstance(node, ast.Name):
        return owner
    value = single(module, node)
    if value is not None:
        owner = instance_of(module, value, depth + 1)
    if owner is not None:
        return owner
    bindings = module.lookup(node.id, node)
    annotation = getattr(bindings[0].node, "annotation", None) if len(bindings) == 1 else None
    return module.class_named(annotation) if annotation is not None else None


def returned(function: Function) -> ast.expr | None:
    """Return what a function returns, if it has one return statement at its own level."""
    found = [s.value for s in function.body if isinstance(s, ast.Return)]
    return found[0] if len(found) == 1 else None


def single(module: Module, node: ast.Name) -> ast.expr | None:
    """Return the one expression that a name is assigned, if it is one."""
    bindings = module.lookup(node.id, node)
    return bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None


def constructed_with(
    module: Module, owner: ast.ClassDef, name: str, instance: ast.expr | None = None
) -> list[ast.expr]:
    """Return what calls of a class give for one of its fields, in source order.

    Only the call that made `instance`, if the text says which it was.
    """
    declared = [s.target for s in owner.body if isinstance(s, ast.AnnAssign)]
    fields = [target.id for target in declared if isinstance(target, ast.Name)]
    own = single(module, instance) if isinstance(instance, ast.Name) else instance
    calls = [own] if isinstance(own, ast.Call) else module.called(owner.name)[:BINDINGS_MAX]
    found = []
    for call in calls:
        if module.class_named(call.func) is owner:
            given = dict(zip(fields, call.args, strict=False))
            given |= {k.arg: k.value for k in call.keywords if k.arg is not None}
            found += [given[name]] if name in given else []
    return found


def stored_on_self(module: Module, owner: ast.ClassDef, name: str) -> list[ast.expr]:
    """Return what a class's methods assign to an attribute of self."""
    return [
        value
        for target, value in module.stored.get(name, [])[:BINDINGS_MAX]
        if isinstance(target, ast.Attribute)
        and is_self(target.value)
        and module.class_of(target) is owner
    ]
