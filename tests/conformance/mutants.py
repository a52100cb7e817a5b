"""Planted modelling errors: each must be exposed by the random workloads.

A mutant is a method of a pool's logic with some words exchanged. Words that are no longer in
the method are an error, so that a mutant cannot quietly become harmless.
"""

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pools.protocol
from tests.conformance.suite import Played, check


@dataclass(frozen=True)
class Edit:
    """In one method, some words exchanged for others."""

    owner: type
    method: str
    words: str
    others: str

    def mutated(self) -> Any:
        """Return the method with the words exchanged. Raises ValueError if they are not there."""
        original = inspect.getattr_static(self.owner, self.method)
        source = textwrap.dedent(inspect.getsource(original))
        if source.count(self.words) != 1:
            where = f"{self.owner.__name__}.{self.method}"
            raise ValueError(f"{where} must contain {self.words!r} once:\n{source}")
        made: dict[str, Any] = {}
        names = vars(pools.protocol) | vars(inspect.getmodule(original))
        exec(source.replace(self.words, self.others), names, made)
        return made[self.method]


@dataclass(frozen=True)
class Mutant:
    """A modelling error, and the family of workloads that has to expose it."""

    name: str
    family: str
    edits: tuple[Edit, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Make the error for a while."""
        with ExitStack() as stack:
            for edit in self.edits:
                stack.enter_context(patch.object(edit.owner, edit.method, edit.mutated()))
            yield

    def exposed_by(self, played: Sequence[Played]) -> int | None:
        """Return the number of workloads it takes to expose the error, None if they do not."""
        with self.planted():
            for number, one in enumerate(played, start=1):
                if check(one.script, one.real):
                    return number
        return None


def mutant(name: str, family: str, owner: type, method: str, words: str, others: str) -> Mutant:
    """Make a mutant of one edit."""
    return Mutant(name, family, (Edit(owner, method, words, others),))
