"""A listing of code: coloured, with changed lines marked and a reason to each line that has one.

`st.code` draws hundreds of elements anew whenever one character changes, and can neither mark a
line nor explain it (docs/decisions/0012-own-listing.md).
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

from ui.mount import component

KINDS: Mapping[_TokenType, str] = {
    Keyword.Constant: "number",
    Keyword: "keyword",
    Operator.Word: "keyword",
    Name.Function: "name",
    Name.Class: "name",
    Name.Decorator: "name",
    Name.Tag: "name",
    Name.Attribute: "name",
    String.Doc: "comment",
    String: "string",
    Number: "number",
    Comment: "comment",
}
Run = tuple[str, str]


def listing(
    text: str,
    language: str,
    *,
    label: str,
    key: str,
    height: int,
    changed: Collection[int] = (),
    notes: Mapping[int, str] | None = None,
) -> None:
    """Show a text. `changed` and `notes` are by line, from 1; a note is seen on hovering."""
    said = notes or {}
    lines = [
        {"runs": runs, "changed": number in changed, "note": said.get(number, "")}
        for number, runs in enumerate(coloured(text, language), 1)
    ]
    data = {"lines": lines, "label": label, "height": height}
    component("listing", Path(__file__).parent)(key=key, data=data)


@lru_cache(maxsize=64)
def coloured(text: str, language: str) -> Sequence[Sequence[Run]]:
    """Split a text into lines of runs: what kind of token each is, and its text.

    All runs together are the text, apart from its line ends. The kind is empty for what has
    no colour. Raises pygments.util.ClassNotFound for a language it does not know.
    """
    lines: list[list[Run]] = [[]]
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    for token, piece in lexer.get_tokens(text):
        kind = next((KINDS[part] for part in reversed(token.split()) if part in KINDS), "")
        for number, part in enumerate(piece.split("\n")):
            if number:
                lines.append([])
            if part:
                _add(lines[-1], kind, part)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _add(line: list[Run], kind: str, text: str) -> None:
    """Add a run to a line, as part of the last one if it has the same colour."""
    if line and line[-1][0] == kind:
        line[-1] = (kind, line[-1][1] + text)
    else:
        line.append((kind, text))
