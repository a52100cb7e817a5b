"""Writes the imports that a module needs, from the names it uses.

`imports.toml` says where each name comes from. The block is ordered as isort does it: standard
library, other packages, own modules; plain imports before `from`; constants, classes and
functions within one line.
"""

import ast
import builtins
import re
import symtable
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

LINE_LENGTH = 88
NONE: Mapping[str, str] = MappingProxyType({})
TABLE = Path(__file__).with_name("imports.toml")
# Syntax of Python 3.12, which an older one that writes it cannot read.
_TYPE_STATEMENT = re.compile(r"^type (?=\w+ = )", re.MULTILINE)
_TYPE_PARAMETER = re.compile(r"(?<=def )(\w+)\[(\w+)\]")
_GIVEN = frozenset({*dir(builtins), "__name__", "__file__"})


def imports_for(code: str, own: Mapping[str, str] = NONE) -> str:
    """Return the import block of a module without imports.

    `own` names the module beside it that a name comes from.

    Raises LookupError for a name whose home `imports.toml` does not say.
    """
    plain: dict[int, list[str]] = {0: [], 1: [], 2: []}
    members: dict[int, dict[str, list[str]]] = {0: {}, 1: {}, 2: {}}
    for name in sorted(_free_names(code)):
        home = own.get(name, _homes().get(name))
        if home is None:
            raise LookupError(f"imports.toml must say where {name} comes from")
        section = 2 if name in own else _section(home or name)
        if home:
            members[section].setdefault(home, []).append(name)
        else:
            plain[section].append(name)
    blocks = [
        [f"import {name}" for name in plain[section]]
        + [_from(home, names) for home, names in sorted(members[section].items(), key=_by_home)]
        for section in plain
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


@cache
def _homes() -> dict[str, str]:
    """Return the module each name comes from; empty for names that are modules themselves."""
    said = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    found = dict.fromkeys(said.pop("import"), "")
    return found | {name: home for home, names in said["from"].items() for name in names}


def _free_names(code: str) -> set[str]:
    """Return the names a module uses and does not make, those in quoted annotations too."""
    parameters = {parameter for _, parameter in _TYPE_PARAMETER.findall(code)}
    code = _TYPE_PARAMETER.sub(r"\1", _TYPE_STATEMENT.sub("", code))
    top = symtable.symtable(code, "generated", "exec")
    made = parameters | {name.get_name() for name in top.get_symbols() if name.is_assigned()}
    made |= {name.get_name() for name in top.get_symbols() if name.is_namespace()}
    used = {name for table in _tables(top) for name in _global_names(table)}
    return (used | set(_quoted_names(ast.parse(code)))) - made - _GIVEN


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _global_names(table: symtable.SymbolTable) -> Iterator[str]:
    is_top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (is_top or symbol.is_global()):
            yield symbol.get_name()


def _quoted_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            for part in ast.walk(getattr(node, field, None) or ast.Pass()):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    inner = ast.walk(ast.parse(part.value, mode="eval"))
                    yield from (name.id for name in inner if isinstance(name, ast.Name))


def _section(module: str) -> int:
    return 0 if module.partition(".")[0] in sys.stdlib_module_names else 1


def _by_home(item: tuple[str, list[str]]) -> str:
    return item[0].lower()


def _from(home: str, names: list[str]) -> str:
    ordered = sorted(names, key=_rank)
    line = f"from {home} import {', '.join(ordered)}"
    if len(line) <= LINE_LENGTH:
        return line
    inner = "\n".join(f"    {name}," for name in ordered)
    return f"from {home} import (\n{inner}\n)"


def _rank(name: str) -> tuple[int, str]:
    """Order constants before classes before the rest."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[0].isupper() else 2), name
