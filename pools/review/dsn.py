"""Connection addresses (DSNs, URLs) in source: their parts, and whether a password is real.

A part that the text does not show is a HOLE. Splitting is by hand: parsers of the standard
library and of drivers put pieces of a malformed address, passwords too, into their errors.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pools.review.worth import HOLE

_SCHEME = re.compile(r"^\s*([a-zA-Z][\w+.\-]*)://")
_PORT = re.compile(r":(\d{1,5})$")
_LINE_CHARS_MAX = 2_000
_CREDENTIALS = re.compile(r"[a-zA-Z][\w+.\-]{1,40}://[^\s:/@]{0,200}:[^\s]{1,400}@")
_PLACEHOLDER = re.compile(
    r"""^(?: .*\ufffc.* | .*\{\w*\}.* | <[^>]*> | \[[^\]]*\] | .*%(?:\(\w+\))?s.* | \$\{?\w+\}?
        | x+ | \*+ | \.+ | _+ | -+
        | (?:your|my|the|some|a|db|database|user|postgres|secure|super|very|strong)?[-_ ]?
          (?:pass(?:word)?|pwd|pswd|pw|passwd|secret|token|credentials?|key)
          [-_]?(?:here|goes.here|\d{0,3})?
        | change[-_]?(?:me|this|it)?(?:[-_]?(?:now|please|in[-_]?production))?
        | redacted | hidden | placeholder | example | dummy | fake | none | null | foo | bar | baz
        | secret[-_]?password | replace[-_]?me | todo | tbd | fixme | insecure | not[-_]?secret
        | (?-i:[A-Z0-9_]*(?:PASS|PWD|SECRET)[A-Z0-9_]*)
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
_WEAK = frozenset(
    {"postgres", "postgresql", "admin", "root", "test", "tester", "testing", "user", "demo", "dev"}
    | {"mysql", "guest", "local", "docker", "app", "1234", "12345", "123456", "qwerty", "sa"}
    | {"development", "devpass", "testpass", "db", "example"}
)
_LOCAL = re.compile(
    r"^(?:localhost|127\.\d+\.\d+\.\d+|::1|\[::1\]|0\.0\.0\.0|host(?:name)?|db|database|postgres"
    r"|postgresql|pg|mysql|mariadb|redis|server|my[-_]?(?:db|host|server)|test[-_]?db|host\.docker"
    r"\.internal|.*example\.(?:com|org|net)|.*\.(?:local|test|invalid|example|localhost)|[\ufffc]*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Dsn:
    """The parts of an address; each is '' if absent and holds a HOLE if not known."""

    scheme: str
    user: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: int | None = None
    query: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a database without a network."""
        return self.scheme.partition("+")[0] in {"sqlite", "duckdb"}

    @property
    def has_real_password(self) -> bool:
        """Whether a password stands in it that is neither a placeholder nor a local default."""
        return is_real(self.password, self.user, self.host)


def parse_dsn(text: str) -> Dsn | None:
    """Split an address; None if the text is not one. Never raises."""
    found = _SCHEME.match(text)
    if found is None:
        return None
    rest = text[found.end() :]
    user_info, at, tail = rest.rpartition("@")
    if not at:
        user_info, tail = "", rest
    user, _, password = user_info.partition(":")
    address, _, query = tail.partition("?")
    host = address.partition("/")[0].partition(",")[0]
    port = _PORT.search(host)
    pairs = (piece.partition("=") for piece in query.partition("#")[0].split("&") if piece)
    return Dsn(
        scheme=found[1].lower(),
        user=user,
        password=password,
        host=_PORT.sub("", host),
        port=int(port[1]) if port else None,
        query={name: value for name, _, value in pairs},
    )


def has_credentials(text: str) -> bool:
    """Whether a line holds `scheme://user:something@`; a very long line may."""
    if "://" not in text or "@" not in text:
        return False
    return len(text) > _LINE_CHARS_MAX or _CREDENTIALS.search(text) is not None


def is_real(password: str, user: str = "", host: str = HOLE) -> bool:
    """Whether a password looks like one that guards something.

    Not: placeholders (`password`, `<password>`, `$PASS`, `***`), and the defaults that
    everybody has on the own machine (`postgres` at localhost).
    """
    if not password or _PLACEHOLDER.match(password):
        return False
    is_default = password.lower() in _WEAK or password.lower() == user.lower()
    return not (is_default and _LOCAL.match(host))
