"""What an expression is worth, as far as the text alone says; nothing is executed.

Follows constants, class attributes, defaults of settings classes and of environment variables,
dictionaries with `**`, plain arithmetic and conversions. A value that a deployment decides is
Unknown, with the reason in words that quote no string of the text.
"""

import ast

from pools.review.classes import (
    constructed_with,
    field_default,
    instance_of,
    single,
    stored_on_self,
)
from pools.review.readers import dotted, read_call, read_item
from pools.review.syntax import Function, arguments_of, is_self, last_name, store_key
from pools.review.tree import BINDINGS_MAX, Binding, Module
from pools.review.worth import (
    COMPUTED,
    HOLE,
    NUMBER_MAX,
    TEXT_MAX,
    Answer,
    Entries,
    Known,
    Unknown,
    as_entries,
    binary,
    compare,
    unary,
)

DEPTH_MAX = 25
PARTS_MAX = 200


def evaluate(module: Module, node: ast.expr, depth: int = 0) -> Answer:
    """Return what an expression is worth; each is worked out once."""
    if depth > DEPTH_MAX:
        return COMPUTED
    known = module.worth.get(node)
    if isinstance(known, Known | Unknown):
        return known
    module.worth[node] = COMPUTED  # what a name defined by itself finds
    answer = module.worth[node] = _evaluate(module, node, depth + 1)
    return answer


def _evaluate(module: Module, node: ast.expr, deeper: int) -> Answer:
    match node:
        case ast.Constant(value=value):
            is_huge = isinstance(value, int | float) and abs(value) > NUMBER_MAX
            return COMPUTED if is_huge else Known(value, node)
        case ast.Name():
            return _name(module, node, deeper)
        case ast.Attribute():
            return _attribute(module, node, deeper)
        case ast.Call():
            return read_call(module, node, lambda one: evaluate(module, one, deeper))
        case ast.UnaryOp(op=op, operand=operand):
            return unary(op, evaluate(module, operand, deeper), node)
        case ast.BinOp(left=left, op=op, right=right):
            return binary(evaluate(module, left, deeper), op, evaluate(module, right, deeper), node)
        case ast.BoolOp(op=ast.Or(), values=values):
            return _either(module, values, deeper)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return compare(evaluate(module, left, deeper), op, right, node)
        case ast.Dict():
            return Known(entries(module, node, deeper), node)
        case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
            owner = evaluate(module, value, deeper)
            return read_item(module, owner, key, node, lambda one: evaluate(module, one, deeper))
        case ast.Await(value=value) | ast.NamedExpr(value=value):
            return evaluate(module, value, deeper)
        case _:
            return COMPUTED


def text_of(module: Module, node: ast.expr, depth: int = 0) -> str:
    """Return a string with a HOLE for every part that is not known; '' if it is no string."""
    if depth > DEPTH_MAX:
        return ""
    if node not in module.texts:
        module.texts[node] = ""  # what a name defined by itself finds
        module.texts[node] = _text_of(module, node, depth + 1)[:TEXT_MAX]
    return module.texts[node]


def _text_of(module: Module, node: ast.expr, deeper: int) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(module, part, deeper) for part in node.values[:PARTS_MAX])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = (text_of(module, side, deeper) for side in (node.left, node.right))
        return f"{left or HOLE}{right or HOLE}" if left or right else ""
    answer = evaluate(module, node, deeper)
    if isinstance(answer, Known) and isinstance(answer.value, str):
        return answer.value
    bound = single(module, node) if isinstance(node, ast.Name) else None
    if isinstance(bound, ast.JoinedStr | ast.BinOp):
        return text_of(module, bound, deeper)
    return ""


def entries(module: Module, node: ast.expr, depth: int = 0) -> Entries:
    """Return the entries of a dictionary expression; open if it is not known as one."""
    found: dict[str, ast.expr] = {}
    is_open = False
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                inner = as_entries(evaluate(module, value, depth + 1))
                found |= inner.items
                is_open |= inner.is_open
            elif isinstance(key, ast.Constant):
                found[str(key.value)] = value
            else:
                is_open = True
        return Entries(found, is_open)
    return as_entries(evaluate(module, node, depth + 1))


def _piece(module: Module, part: ast.expr, depth: int) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if not isinstance(part, ast.FormattedValue):
        return HOLE
    answer = evaluate(module, part.value, depth)
    if isinstance(answer, Known) and isinstance(answer.value, str | int | float):
        return str(answer.value)
    return text_of(module, part.value, depth) or HOLE


def _name(module: Module, node: ast.Name, depth: int) -> Answer:
    bindings = module.lookup(node.id, node)
    if not bindings:
        where = module.imports.get(node.id, "")
        return Unknown(
            f"{node.id} comes from {where}" if where else f"{node.id} is not in the text"
        )
    if len(bindings) == 1 and bindings[0].how == "argument":
        return _argument(module, node.id, bindings[0], depth)
    answers = [_bound(module, one, depth) for one in bindings]
    return _agreed(answers, node.id)


def _bound(module: Module, binding: Binding, depth: int) -> Answer:
    if binding.how != "assign" or binding.value is None:
        return COMPUTED
    answer = evaluate(module, binding.value, depth)
    if isinstance(answer, Known) and isinstance(answer.value, Entries):
        return Known(_changed(module, binding, answer.value), answer.node, answer.how)
    return answer


def _changed(module: Module, binding: Binding, made: Entries) -> Entries:
    """Add what `options["x"] = 1` and `options.update(...)` do to a dictionary after it is made."""
    target = getattr(binding.node, "targets", [getattr(binding.node, "target", None)])[0]
    name = last_name(target) if target is not None else ""
    items, is_open = dict(made.items), made.is_open or name in module.once(_updated)
    for store, value in module.once(_item_stores).get(name, ()):
        if _is_conditional(module, store):
            is_open = True
        else:
            items[store_key(store)] = value
    return Entries(items, is_open)


def _item_stores(module: Module) -> dict[str, list[tuple[ast.expr, ast.expr]]]:
    """By name of the dictionary: what is stored in it, and where."""
    found: dict[str, list[tuple[ast.expr, ast.expr]]] = {}
    for stores in module.stored.values():
        for store, value in stores[:BINDINGS_MAX]:
            if isinstance(store, ast.Subscript):
                found.setdefault(last_name(store.value), []).append((store, value))
    return found


def _updated(module: Module) -> set[str]:
    """Return the names of dictionaries that are changed by a method."""
    calls = module.called("update", "setdefault", "pop", "popitem", "clear")
    owners = [call.func.value for call in calls if isinstance(call.func, ast.Attribute)]
    return {last_name(owner) for owner in owners}


def _is_conditional(module: Module, node: ast.AST) -> bool:
    branches = (ast.If, ast.For, ast.While, ast.Try, ast.Match)
    return any(isinstance(above, branches) for above in module.above(node))


def _agreed(answers: list[Answer], name: str) -> Answer:
    known = [a for a in answers if isinstance(a, Known)]
    if known and len(known) == len(answers):
        first = known[0]
        if all(type(a.value) is type(first.value) and a.value == first.value for a in known):
            return Known(first.value, first.node, first.how or f"constant {name}")
        return Unknown(f"{name} has several values")
    asked = next(a for a in answers if isinstance(a, Unknown))
    return asked if len(answers) == 1 else Unknown(f"{name} has several values")


def _argument(module: Module, name: str, binding: Binding, depth: int) -> Answer:
    """Take an argument's default if no call in the text passes another value."""
    function = module.parent.get(module.parent.get(binding.node, binding.node))
    owner = getattr(function, "name", "the function")
    if binding.value is None or not isinstance(function, Function):
        return Unknown(f"{name} is an argument of {owner}")
    if _is_passed(module, function, name):
        return Unknown(f"{name} is an argument of {owner}, and callers pass it")
    answer = evaluate(module, binding.value, depth)
    if isinstance(answer, Known) and answer.value is None:
        return Unknown(f"{name} is an argument of {owner}")
    if isinstance(answer, Known):
        return Known(answer.value, answer.node, f"default of argument {name}")
    return answer


def _is_passed(module: Module, function: Function, name: str) -> bool:
    arguments = [argument.arg for argument, _ in arguments_of(function)]
    owner = module.class_of(function)
    called = owner.name if owner is not None and function.name == "__init__" else function.name
    position = arguments.index(name) - (1 if owner is not None else 0)
    calls = module.called(called)
    return len(calls) > BINDINGS_MAX or any(
        len(call.args) > position
        or any(isinstance(arg, ast.Starred) for arg in call.args)
        or any(keyword.arg in {name, None} for keyword in call.keywords)
        for call in calls
    )


def _attribute(module: Module, node: ast.Attribute, depth: int) -> Answer:
    owner = module.class_of(node) if is_self(node.value) else instance_of(module, node.value)
    if owner is None:
        whose = dotted(node) or node.attr
        return Unknown(f"{whose} is not in the text")
    return _of_class(module, owner, node.attr, depth, node.value)


def _of_class(
    module: Module, owner: ast.ClassDef, name: str, depth: int, instance: ast.expr | None = None
) -> Answer:
    inner = [*stored_on_self(module, owner, name)]
    if inner:
        return _agreed([evaluate(module, value, depth) for value in inner], name)
    for binding in module.bound.get(owner, {}).get(name, ()):
        if binding.value is None:
            given = constructed_with(module, owner, name, instance)
            return _constructed(module, owner, name, given, depth)
        answer = evaluate(module, field_default(binding.value), depth)
        if isinstance(answer, Known):
            return Known(answer.value, answer.node, answer.how or f"default of {owner.name}.{name}")
        return answer
    for base in owner.bases:
        inherited = module.class_named(base)
        if inherited is not None and inherited is not owner and depth < DEPTH_MAX:
            return _of_class(module, inherited, name, depth + 1)
    return Unknown(f"{owner.name}.{name} is not in the text")


def _constructed(
    module: Module, owner: ast.ClassDef, name: str, given: list[ast.expr], depth: int
) -> Answer:
    """Take what the first instance is made with; of several databases, that is the primary."""
    if not given:
        return Unknown(f"{owner.name}.{name} has no default")
    answer = evaluate(module, given[0], depth)
    if isinstance(answer, Unknown):
        return answer
    how = f"{name} of the {'first ' if len(given) > 1 else ''}{owner.name}"
    return Known(answer.value, answer.node, answer.how or how)


def _either(module: Module, values: list[ast.expr], depth: int) -> Answer:
    """`os.environ.get("X") or 5`: what stands at the end if the environment says nothing."""
    *firsts, last = values
    for first in firsts:
        answer = evaluate(module, first, depth)
        if isinstance(answer, Known) and answer.value:
            return answer
        if isinstance(answer, Unknown) and not answer.why.startswith("environment variable"):
            return answer
    answer = evaluate(module, last, depth)
    if isinstance(answer, Known):
        return Known(answer.value, answer.node, answer.how or "used where nothing else is set")
    return answer
