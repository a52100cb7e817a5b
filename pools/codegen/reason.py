"""Why a generated value is what it is: each value carries its reason into the code.

A template can only write a `Value`, so no number enters the code without a reason.
"""

from dataclasses import dataclass

Plain = str | int | float | bool | None

SCENARIO = "scenario"
DEFAULT = "library default"
RULE = "rule"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one value: whose it is, in a sentence, and where that comes from.

    `origin` is scenario, library default or rule. `is_default` says that the library would do
    the same if the value were left out.
    """

    name: str
    origin: str
    sentence: str
    source: str
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A value on its way into code. Templates compare its `plain`."""

    plain: Plain
    reason: Reason


def by_rule(name: str, plain: Plain, sentence: str, source: str) -> Value:
    """Return a value that follows from a rule, which the sentence says."""
    return Value(plain, Reason(name, RULE, sentence, source))
