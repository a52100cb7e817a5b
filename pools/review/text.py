"""From what was pasted to Python text whose lines still count as the reader counts them.

Handles notebooks, Markdown fences, interpreter prompts and command lines between the code.
Nothing is executed. What cannot be read becomes one sentence that quotes none of the text,
since the text may hold a password.
"""

import ast
import dataclasses
import json
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

PASTE_CHARS_MAX = 200_000
_MESSAGE_CHARS_MAX = 90
_FENCE = re.compile(r"^\s*(```|~~~)")
_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.)(?: |$)")
_RUNNER = r"(?:python3?\s+-m\s+|(?:poetry|uv|pipenv|pdm)\s+run\s+)?"
_PROGRAM = r"(?:gunicorn|uvicorn|fastapi\s+run)\s+(?=-|[\w./]+:\w|[\w./]+\.py|[\w./]+\s+-)"
COMMAND = re.compile(rf"(?<![\w.]){_RUNNER}{_PROGRAM}")
_COMMAND_LINE = re.compile(
    r"^\s*(?:\$\s+)?(?:web:\s+|exec\s+|CMD\s+|ENTRYPOINT\s+)?(?:\w+=\S*\s+)*" + _RUNNER + _PROGRAM
)
_PYTHON_2 = (
    (re.compile(r"^\s*print(?:\s+[^\s=(.,\[]|\s*>>)"), "print without parentheses"),
    (re.compile(r"^\s*except\s+[\w.]+\s*,\s*[a-z]\w*\s*:"), "except with a comma"),
    (re.compile(r"^\s*exec\s+['\"]"), "exec without parentheses"),
    (re.compile(r"^\s*raise\s+\w+\s*,"), "raise with a comma"),
    (re.compile(r"\bur['\"]"), "a string prefixed ur"),
)
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# Python 3.14 takes `except A, B:`; older parsers want parentheses.
_EXCEPTS = re.compile(r"^(\s*)except\s+([A-Z][\w.]*(?:\s*,\s*[A-Z][\w.]*)+)\s*:")
_parsing = threading.Lock()


class Unreadable(ValueError):
    """The text cannot be read. Its message is the sentence to show."""


@dataclass(frozen=True, slots=True)
class Source:
    """Text ready to parse, and as it was given but for the line ends.

    Lines end with a line feed alone, so they count as Python's parser counts them. `cells`
    holds the first line of each notebook cell.
    """

    filename: str
    text: str
    original: str
    cells: tuple[int, ...] = ()

    def cell_of(self, line: int) -> tuple[int, int]:
        """Return the notebook cell of a line and the line's number in it; cell 0 if none."""
        before = [start for start in self.cells if start <= line]
        return (len(before), line - before[-1] + 1) if before else (0, line)


def prepare(text: str, filename: str, chars_max: int = PASTE_CHARS_MAX) -> Source:
    """Check and clean a text. Raises Unreadable with the sentence to show."""
    if len(text) > chars_max:
        raise Unreadable(
            f"The text must be at most {chars_max:,} characters, got {len(text):,}."
            " Paste only the module that makes the pool."
        )
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Unreadable(
            f"The text must be plain text, but line {line} has a null byte."
            " Save the file as UTF-8 and try again."
        )
    if not _is_unicode(text):
        raise Unreadable("The text is not valid Unicode. Save the file as UTF-8 and try again.")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if _is_notebook(text, filename):
        return _from_notebook(text, filename)
    return Source(filename, text, text)


def parse(source: Source) -> tuple[Source, ast.Module]:
    """Parse Python 3, if need be without what stands between the code.

    Returns the text that was parsed, and its tree. Raises Unreadable, naming the line and what
    is wrong with it.
    """
    tree = _tree(source.text)
    if isinstance(tree, ast.Module):
        return source, tree
    cleaned = "\n".join(_clean(source.text.split("\n")))
    if cleaned != source.text:
        source = dataclasses.replace(source, text=cleaned)
        tree = _tree(cleaned)
    if isinstance(tree, ast.Module):
        return source, tree
    raise Unreadable(_sentence(source, tree))


def _tree(text: str) -> ast.Module | Exception:
    """Return the syntax tree, or why there is none."""
    try:
        return _parse(text)
    except IndentationError as wrong:
        return _parse_indented(text) or wrong
    except (SyntaxError, RecursionError, MemoryError, ValueError) as wrong:
        return wrong


def _parse(text: str) -> ast.Module:
    # Python warns about odd escapes while it parses; the reader's text is not our log.
    with _parsing, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _parse_indented(text: str) -> ast.Module | None:
    """Parse lines cut out of an indented block; positions stay those of the text."""
    try:
        tree = _parse("if 1:\n" + text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    first = tree.body[0]
    body = [*first.body, *tree.body[1:]] if isinstance(first, ast.If) else tree.body
    return ast.increment_lineno(ast.Module(body, []), -1)


def _sentence(source: Source, wrong: Exception) -> str:
    if isinstance(wrong, RecursionError | MemoryError):
        return "The text is nested too deeply to be read. Paste only the part that makes the pool."
    if not isinstance(wrong, SyntaxError):
        return f"The text is not Python {_VERSION}."
    old = _python_2(source.text.split("\n"))
    if old is not None:
        number, what = old
        return (
            f"This looks like Python 2 ({what} on line {number})."
            " Convert it to Python 3 and paste it again."
        )
    cell, shown = source.cell_of(wrong.lineno or 1)
    where = f"Cell {cell}, line {shown}" if cell else f"Line {shown}"
    message = re.sub(r"[^ -~]", "?", str(wrong.msg))[:_MESSAGE_CHARS_MAX].rstrip(".")
    return f"{where} is not valid Python {_VERSION}, which reads it here: {message}."


def _python_2(lines: list[str]) -> tuple[int, str] | None:
    for number, line in enumerate(lines, start=1):
        for pattern, what in _PYTHON_2:
            if pattern.search(line):
                return number, what
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_notebook(text: str, filename: str) -> bool:
    if filename.lower().endswith(".ipynb"):
        return True
    return text.lstrip()[:1] == "{" and '"cells"' in text and '"cell_type"' in text


def _from_notebook(text: str, filename: str) -> Source:
    try:
        book = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("The notebook is not valid JSON. Export it again as .ipynb.") from None
    cells = book.get("cells") if isinstance(book, dict) else None
    found = [*_code_cells(cells)] if isinstance(cells, list) else []
    if not found:
        raise Unreadable("The notebook has no code cells (format 4 is read).")
    lines: list[str] = []
    starts: list[int] = []
    for cell in found:
        starts.append(len(lines) + 1)
        lines += _clean([_without_magic(line) for line in cell])
    return Source(filename, "\n".join(lines), "", tuple(starts))


def _code_cells(cells: list[object]) -> Iterator[list[str]]:
    """Yield the lines of each code cell; a cell of another language counts as empty."""
    for cell in cells:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        pieces = source if isinstance(source, list) else [source]
        text = "".join(piece for piece in pieces if isinstance(piece, str))
        text = text.replace("\0", " ").replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        yield [""] * len(lines) if text.startswith("%%") else lines


def _without_magic(line: str) -> str:
    stripped = line.lstrip()
    indent = line[: len(line) - len(stripped)]
    return f"{indent}pass" if stripped[:1] in {"%", "!", "?"} else line


def _clean(lines: list[str]) -> list[str]:
    """Blank what is not code, line by line, so that numbers stay."""
    if lines and any(_FENCE.match(line) for line in lines[:5]):
        lines = [*_inside_fences(lines)]
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith(">>>"):
        lines = [_PROMPT.sub("", line) if _PROMPT.match(line) else "" for line in lines]
    return [_EXCEPTS.sub(r"\1except (\2):", line) for line in _without_commands(lines)]


def _inside_fences(lines: list[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if _FENCE.match(line):
            inside = not inside
            yield ""
        else:
            yield line if inside else ""


def _without_commands(lines: list[str]) -> Iterator[str]:
    continued = False
    for line in lines:
        is_command = continued or _COMMAND_LINE.match(line) is not None
        continued = is_command and line.rstrip().endswith("\\")
        yield "" if is_command else line
