"""Applies a unified diff the way a person's `patch` would: every context line must match."""

import re

HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def apply(diff: str, text: str) -> str:
    """Return the text with the diff applied. Raises AssertionError where it does not fit."""
    lines = diff.split("\n")
    assert lines[0].startswith("--- a/")
    assert lines[1].startswith("+++ b/")
    old = text.split("\n")
    new = old[:0]
    at = 0
    for line in lines[2:]:
        found = HUNK.match(line)
        if found:
            start = int(found[1]) - 1
            new += old[at:start]
            at = start
        elif line[:1] in {" ", "-"}:
            assert old[at] == line[1:], f"line {at + 1} is {old[at]!r}, the diff says {line!r}"
            new += [old[at]] if line[0] == " " else []
            at += 1
        elif line[:1] == "+":
            new.append(line[1:])
    return "\n".join([*new, *old[at:]])
