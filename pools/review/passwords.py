"""Where a module spells a password: what the password rule reports, and what no text may show."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pools.review.dsn import has_credentials, is_real, parse_dsn
from pools.review.syntax import last_name
from pools.review.tree import Module
from pools.review.values import entries, evaluate, text_of
from pools.review.worth import Known

_NAMES = frozenset({"password", "passwd", "pwd", "db_password", "pgpassword"})
_TAKES_PASSWORD = frozenset(
    {"connect", "create_pool", "create", "BasicAuth", "Database", "create_engine", "URL"}
    | {"create_async_engine", "Pool", "dict"}
)
_BASIC_AUTH_PASSWORD = 1
# Other secrets are no finding of ours, but no diff shows their lines either.
_NAMED_SECRET = re.compile(
    r"(?:passw|secret|token|api_?-?key|authorization|bearer|private_?key)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Secret:
    """A password in the text: where it is written, as part of what, and whether it is real."""

    node: ast.expr
    part_of: str
    is_real: bool
    text: str = field(repr=False)


def secrets(module: Module) -> list[Secret]:
    """Return every password spelled in a module, each once."""
    return module.once(_secrets)


def secret_lines(module: Module) -> frozenset[int]:
    """Return the lines of the text (not of a notebook cell) that may not be shown to anybody."""
    return module.once(_secret_lines)


def _secrets(module: Module) -> list[Secret]:
    found = {secret.node: secret for secret in (*_in_addresses(module), *_in_arguments(module))}
    return sorted(found.values(), key=lambda secret: (secret.node.lineno, secret.node.col_offset))


def _secret_lines(module: Module) -> frozenset[int]:
    lines: set[int] = set()
    for secret in secrets(module):
        lines.update(range(secret.node.lineno, (secret.node.end_lineno or 0) + 1))
    for number, line in enumerate(module.lines, start=1):
        if has_credentials(line) or _NAMED_SECRET.search(line):
            lines.add(number)
    return frozenset(lines)


def _in_addresses(module: Module) -> Iterator[Secret]:
    for node in module.nodes:
        if not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
            continue
        above = module.parent.get(node)
        if isinstance(above, ast.JoinedStr | ast.BinOp | ast.FormattedValue | ast.Expr):
            continue
        if isinstance(node, ast.Constant) and not isinstance(node.value, str):
            continue
        text = text_of(module, node)
        if "://" not in text or "@" not in text or "\n" in text.strip():
            continue
        dsn = parse_dsn(text)
        if dsn is not None and dsn.password:
            for literal in _literals(module, node, dsn.password):
                yield Secret(literal, "address", dsn.has_real_password, dsn.password)


def _literals(module: Module, node: ast.expr, password: str) -> list[ast.expr]:
    """Return where a password is really written: in an f-string, maybe in a constant elsewhere."""
    parts = [
        part.value for part in getattr(node, "values", ()) if isinstance(part, ast.FormattedValue)
    ]
    found = [evaluate(module, part) for part in parts]
    written = [a.node for a in found if isinstance(a, Known) and a.value == password]
    return written or [node]


def _in_arguments(module: Module) -> Iterator[Secret]:
    for call in module.calls:
        if last_name(call.func) not in _TAKES_PASSWORD:
            continue
        given: dict[str, ast.expr] = {}
        for keyword in call.keywords:
            if keyword.arg in {None, "connect_args"}:  # `**options` too
                given |= entries(module, keyword.value).items
            elif keyword.arg is not None:
                given[keyword.arg] = keyword.value
        if last_name(call.func) == "BasicAuth" and len(call.args) > _BASIC_AUTH_PASSWORD:
            given["password"] = call.args[_BASIC_AUTH_PASSWORD]
        for name in _NAMES & {*given}:
            yield from _spelled(module, given[name], given)


def _spelled(module: Module, value: ast.expr, beside: dict[str, ast.expr]) -> Iterator[Secret]:
    answer = evaluate(module, value)
    if not isinstance(answer, Known) or not isinstance(answer.value, str) or not answer.value:
        return
    user = text_of(module, beside["user"]) if "user" in beside else ""
    user = text_of(module, beside["username"]) if "username" in beside else user
    host = text_of(module, beside["host"]) if "host" in beside else ""
    is_one = is_real(answer.value, user, host or "localhost")
    yield Secret(answer.node, "argument", is_one, answer.value)
