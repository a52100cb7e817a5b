"""A pool being read: each argument becomes a setting found, a note, or a question."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from pools.kinds import KINDS
from pools.review.finding import Asked, Shown
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.worth import Answer, Known, Unknown, convert
from pools.setting import Setting, Value, settings_of

NOTED = frozenset(
    {"timeout", "command_timeout", "statement_cache_size", "prepared_statement_cache_size"}
    | {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "ssl"}
    | {"idle_session_timeout", "pool_reset_on_return", "ttl_dns_cache", "use_dns_cache"}
    | {"total", "sock_connect", "sock_read", "connect_timeout", "setup", "init", "reset"}
    | {"application_name", "prepared_statement_name_func", "isolation_level", "sslmode"}
)
# Parameters whose None says "no limit" or "the usual", which their settings say by a number.
_TAKES_NONE = frozenset(
    {"init_size", "limit", "limit_per_host", "pool_connections", "max_size"}
    | {"connect_timeout", "acquire_timeout", "pool_timeout"}
)


@dataclass(slots=True)
class Draft:
    """A PoolRead being filled in."""

    module: Module
    kind: str
    found: dict[str, Shown] = field(default_factory=dict)
    noted: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def known(self) -> Mapping[str, Setting]:
        """The settings of this kind, by the library's name."""
        return settings_of(KINDS[self.kind])

    def take(self, name: str, node: ast.expr) -> None:
        """Take what an expression is worth as a setting of this kind, or ask for it."""
        answer, known = evaluate(self.module, node), self.known[name]
        if isinstance(answer, Unknown):
            self.ask(name, node, answer.why)
            return
        value = fitting(known, answer.value)
        if value is None:
            self.ask(name, node, known.bounds)
        else:
            self.found[known.query] = Shown(value, self.module.place(answer.node), answer.how)

    def note(self, name: str, node: ast.expr) -> None:
        """Keep a setting that has no slider, if it is one to keep."""
        if name in NOTED:
            self.noted[name] = spoken(evaluate(self.module, node))

    def ask(self, name: str, node: ast.AST, why: str) -> None:
        """Ask for a setting; a name that is no identifier is not repeated."""
        shown = name if name.lstrip("*").isidentifier() else "an argument"
        self.asked.append(Asked(shown, self.module.place(node), why))


def fitting(known: Setting, given: object) -> Value | None:
    """Return a value as its setting takes it, in the unit shown; None if it does not fit."""
    if given is None:
        numbers = [number for number in known.special if known.query in _TAKES_NONE]
        return numbers[0] if numbers else None
    value = convert(given, known.kind.__name__) if isinstance(given, str) else given
    if not isinstance(value, bool | int | float | str):
        return None
    if known.kind is bool and value in (0, 1):
        return bool(value)
    if known.kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if known.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    return value if known.problem(value) is None else None


def spoken(answer: Answer) -> str:
    """Say a value that is no secret by its nature: numbers, switches; else only that it is set."""
    if not isinstance(answer, Known):
        return "set, value not known"
    if isinstance(answer.value, bool | int | float) or answer.value is None:
        return str(answer.value)
    return number_or_set(answer.value) if isinstance(answer.value, str) else "set"


def number_or_set(text: str) -> str:
    """Return a short number with its unit as it stands; of other text only that it is set."""
    stripped = text.strip()
    is_number = stripped.rstrip("msin ").replace(".", "", 1).isdigit() and len(stripped) < 12
    return stripped if is_number else "set"
