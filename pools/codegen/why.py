"""Says why each generated value is what it is, in Markdown and in plain words."""

from collections.abc import Iterable, Iterator

from pools.codegen.generate import GeneratedFile
from pools.codegen.reason import RULE, Reason

HEAD = "| File | Line | Value | Why | Source |\n|---|---|---|---|---|\n"
MARKUP = frozenset("\\`*_{}[]<>#|&!~$")


def why_table(files: Iterable[GeneratedFile]) -> str:
    """Return a row for each value of each line; nothing in it is markup but the table.

    A value that is the library's own default, or the scenario's, says so.
    """
    return HEAD + "".join(f"{row}\n" for file in files for row in _rows(file))


def why_list(file: GeneratedFile) -> str:
    """Return the same for one file as a list, for where a table is too wide."""
    return "".join(
        f"- **{line}** {name}: {said} *{source}*\n"
        for line, reasons in file.reasons.items()
        for name, said, source in map(_cells, dict.fromkeys(reasons))
    )


def why_words(reasons: Iterable[Reason]) -> str:
    """Return the reasons of one line as plain text, a line for each."""
    return "\n".join(f"{why.name}: {_said(why)} ({why.source})" for why in dict.fromkeys(reasons))


def _rows(file: GeneratedFile) -> Iterator[str]:
    for line, reasons in file.reasons.items():
        for why in dict.fromkeys(reasons):
            yield f"| {file.name} | {line} | {' | '.join(_cells(why))} |"


def _cells(why: Reason) -> tuple[str, str, str]:
    return _plain(why.name), _plain(_said(why)), _plain(why.source)


def _said(why: Reason) -> str:
    return why.sentence if why.origin == RULE else f"{why.origin}: {why.sentence}"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, in ASCII."""
    shown = "".join(f"&#{ord(one)};" if one in MARKUP else one for one in text)
    return shown.encode("ascii", "xmlcharrefreplace").decode("ascii")
