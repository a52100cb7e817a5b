"""A rule: one mistake to recognise, one file in `rules/`, found by listing.

A rule's file has a docstring (its first line is the title, the rest says why and gives the
source), `BAD` and `GOOD` examples, which are its tests, and `find`, which yields a Found for
each mistake. In a BAD example each line that must be found ends with `# <-`. Optional are
`LEVEL` (error, warning or note) and `what_if`, which prices the mistake in a scenario.
"""

import ast
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from pools.review import rules
from pools.review.edits import Edit, diff
from pools.review.finding import Finding
from pools.review.tree import Module
from sim.scenario import Scenario

ISSUES_PER_RULE_MAX = 200


@dataclass(frozen=True, slots=True)
class Found:
    """A mistake as a rule reports it: the node, why, what to do, and the edits that do it.

    If the edits cannot be shown (a password stands beside them), `advice` is the fix.
    """

    node: ast.AST
    why: str
    advice: str
    edits: tuple[Edit | None, ...] = ()


@dataclass(frozen=True, slots=True)
class WhatIf:
    """How to price a mistake: a scenario with it and one without, or a sentence by arithmetic.

    `label` says what the mistaken scenario is; `said` stands before it, or alone. `requests` is
    how many to simulate, if a queue needs longer to grow.
    """

    said: str = ""
    mistaken: Scenario | None = None
    fixed: Scenario | None = None
    label: str = ""
    requests: int = 4_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, as its file says it."""

    name: str
    title: str
    explanation: str
    level: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    find: Callable[[Module], Iterator[Found]]
    what_if: Callable[[Scenario], WhatIf | None] | None


@cache
def all_rules() -> dict[str, Rule]:
    """Return every rule by name, in alphabetical order."""
    names = sorted(found.name for found in pkgutil.iter_modules(rules.__path__))
    return {rule.name: rule for rule in map(_load, names)}


def findings(module: Module) -> tuple[Finding, ...]:
    """Return what all rules find in a module, in the order of the text."""
    ignored = _Ignored(module)
    found = [
        _finding(module, rule, one)
        for rule in all_rules().values()
        for _, one in zip(range(ISSUES_PER_RULE_MAX), rule.find(module), strict=False)
        if not ignored.hides(rule.name, one.node)
    ]
    return tuple(
        sorted(dict.fromkeys(found), key=lambda one: (one.place.cell, one.place, one.rule))
    )


def _finding(module: Module, rule: Rule, found: Found) -> Finding:
    module.tick()
    edits = [edit for edit in found.edits if edit is not None]
    patch = diff(module, edits) if edits and len(edits) == len(found.edits) else ""
    return Finding(rule.name, module.place(found.node), found.why, fix=patch or found.advice)


def _load(name: str) -> Rule:
    made = importlib.import_module(f"{rules.__name__}.{name}")
    title, _, rest = (made.__doc__ or "").partition("\n")
    return Rule(
        name=name.replace("_", "-"),
        title=title.rstrip("."),
        explanation=" ".join(rest.split()),
        level=getattr(made, "LEVEL", "warning"),
        bad=made.BAD,
        good=made.GOOD,
        find=made.find,
        what_if=getattr(made, "what_if", None),
    )


class _Ignored:
    """`# poolwise: ignore` or `# poolwise: ignore[rule, rule]` on the line of a finding."""

    MARK = "# poolwise: ignore"

    def __init__(self, module: Module) -> None:
        """Remember the lines that carry the mark."""
        lines = enumerate(module.lines, start=1)
        self._marks = {n: line.partition(self.MARK)[2] for n, line in lines if self.MARK in line}

    def hides(self, rule: str, node: ast.AST) -> bool:
        """Whether the mark on a node's first or last line covers a rule."""
        for number in (getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)):
            names = self._marks.get(number)
            if names is None:
                continue
            listed = names.strip().removeprefix("[").partition("]")[0]
            if not names.strip().startswith("[") or rule in listed.replace(" ", "").split(","):
                return True
        return False
