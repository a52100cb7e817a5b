"""Changes to source as unified diffs: made from the text itself, so that they apply to it."""

import ast
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pools.review.passwords import secret_lines
from pools.review.tree import Module

CONTEXT_LINES = 2
Point = tuple[int, int]
_HUNK = re.compile(r"^@@ -(\d+)(,?\d*) \+(\d+)(,?\d*) @@")


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the text from `start` to `end` (line from 1, character from 0)."""

    start: Point
    end: Point
    text: str


def replace(module: Module, node: ast.AST, text: str) -> Edit:
    """Put other text in the place of a node."""
    return Edit(*_span(module, node), text)


def add_argument(module: Module, call: ast.Call, text: str) -> Edit:
    """Add an argument to a call, in the call's own layout."""
    end_line, end_column = _span(module, call)[1]
    close = (end_line, end_column - 1)
    arguments = [*call.args, *[k.value for k in call.keywords]]
    if not arguments:
        return Edit(close, close, text)
    last = max(arguments, key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
    last_end = _span(module, last)[1]
    has_comma = "," in _between(module, last_end, close).partition("#")[0]
    if last_end[0] == end_line:
        return Edit(last_end, close, f", {text}")
    first_on_line = _line(module, last.lineno)
    indent = first_on_line[: len(first_on_line) - len(first_on_line.lstrip())]
    if not has_comma:
        return Edit(last_end, last_end, f",\n{indent}{text},")
    at = (last_end[0], len(_line(module, last_end[0])))
    return Edit(at, at, f"\n{indent}{text},")


def drop_argument(module: Module, call: ast.Call, name: str) -> Edit | None:
    """Take a keyword argument out of a call, with the comma that belongs to it."""
    found = next((k for k in call.keywords if k.arg == name), None)
    if found is None:
        return None
    begin, end = _span(module, found)
    line = _line(module, begin[0])
    before, after = line[: begin[1]], _line(module, end[0])[end[1] :]
    if not before.strip() and after.strip() in {",", ""} and after.strip():
        return Edit((begin[0], 0), (end[0] + 1, 0), "")
    if after.lstrip().startswith(","):
        rest = after.lstrip()[1:]
        taken = len(after) - len(rest.lstrip(" "))
        return Edit(begin, (end[0], end[1] + taken), "")
    kept = before.rstrip().removesuffix(",")
    return Edit((begin[0], len(kept)), end, "") if kept.strip() else None


def rename_argument(module: Module, call: ast.Call, name: str, new: str) -> Edit | None:
    """Give a keyword argument another name."""
    found = next((k for k in call.keywords if k.arg == name), None)
    if found is None:
        return None
    begin, _ = _span(module, found)
    return Edit(begin, (begin[0], begin[1] + len(name)), new)


def diff(module: Module, edits: Iterable[Edit]) -> str:
    """Return a unified diff of some edits, or '' if it would show a password or change nothing."""
    wanted = sorted(edits, reverse=True)
    old = module.original_lines
    if not wanted or module.source.cells or any(_was_cleaned(module, edit) for edit in wanted):
        return ""
    first = max(0, wanted[-1].start[0] - 1 - CONTEXT_LINES)
    last = min(len(old), max(edit.end[0] for edit in wanted) + CONTEXT_LINES)
    if secret_lines(module) & {*range(first + 1, last + 1)}:
        return ""
    window = [f"{line}\n" for line in old[first:last]]
    if last == len(old) and window[-1] == "\n":  # what split leaves after the last line end
        window.pop()
    changed = _apply(window, first, wanted).splitlines(keepends=True)
    name = _file_name(module.source.filename)
    lines = difflib.unified_diff(window, changed, f"a/{name}", f"b/{name}", n=CONTEXT_LINES)
    return "".join(_HUNK.sub(lambda found: _moved(found, first), line) for line in lines)


def _apply(window: list[str], first: int, edits: list[Edit]) -> str:
    """Carry out edits, last one first, on the lines from `first` (from 0) on."""
    text = "".join(window)
    starts = [0]
    for line in window:
        starts.append(starts[-1] + len(line))

    def offset(point: Point) -> int:
        return min(starts[min(point[0] - 1 - first, len(window))] + point[1], len(text))

    for edit in edits:
        text = text[: offset(edit.start)] + edit.text + text[offset(edit.end) :]
    return text


def _moved(hunk: re.Match[str], lines: int) -> str:
    """Count the lines of a hunk's head from the start of the text."""
    return f"@@ -{int(hunk[1]) + lines}{hunk[2]} +{int(hunk[3]) + lines}{hunk[4]} @@"


def _was_cleaned(module: Module, edit: Edit) -> bool:
    """Whether the line to change does not stand in the original as it was read."""
    original = module.original_lines
    line = edit.start[0] - 1
    return line >= len(original) or original[line] != module.lines[line]


def _file_name(filename: str) -> str:
    return filename.replace("\\", "/").lstrip("/") or "pasted"


def _span(module: Module, node: ast.AST) -> tuple[Point, Point]:
    line, end_line = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
    column = module.column(line, getattr(node, "col_offset", 0))
    return (line, column), (end_line, module.column(end_line, getattr(node, "end_col_offset", 0)))


def _line(module: Module, number: int) -> str:
    lines = module.lines
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _between(module: Module, begin: Point, end: Point) -> str:
    if begin[0] == end[0]:
        return _line(module, begin[0])[begin[1] : end[1]]
    return _line(module, begin[0])[begin[1] :]
