"""Marks each value in rendered text, then turns the marks into reasons by line.

A mark is two control characters around a number, in front of the literal; control characters
cannot come from `literal`, whose output is printable.
"""

import re
from collections.abc import Callable, Mapping

from pools.codegen.literal import Literal
from pools.codegen.reason import Reason, Value

IMPORTS = "\x04imports\x04"
_MARK = re.compile("\x02([0-9]+)(!?)\x03")


class Trace:
    """The reasons of one text, in the order in which its values were written."""

    def __init__(self) -> None:
        """Start with none."""
        self.reasons: list[Reason] = []

    def write(
        self, value: object, spell: Callable[[object], Literal], *, optional: bool = False
    ) -> Literal:
        """Spell a value and mark it; `optional` says its line may go if it is a default.

        Raises TypeError if the value came without a reason.
        """
        if not isinstance(value, Value):
            raise TypeError(f"a value must carry its reason, got {type(value)}")
        self.reasons.append(value.reason)
        mark = f"\x02{len(self.reasons) - 1}{'!' if optional else ''}\x03"
        return Literal(mark + spell(value.plain))

    def settle(
        self, text: str, *, show_defaults: bool
    ) -> tuple[str, Mapping[int, tuple[Reason, ...]]]:
        """Return the text without marks, and the reasons of its lines, the first being 1.

        Without `show_defaults`, lines of optional values that are defaults are left out.
        """
        kept: list[str] = []
        found = {}
        for line in text.split("\n"):
            marks = [(self.reasons[int(index)], mark) for index, mark in _MARK.findall(line)]
            if not show_defaults and any(mark and why.is_default for why, mark in marks):
                continue
            kept.append(_MARK.sub("", line))
            if marks:
                found[len(kept)] = tuple(why for why, _ in marks)
        return "\n".join(kept), found


def unmarked(text: str) -> str:
    """Return marked text as it will read."""
    return _MARK.sub("", text)
