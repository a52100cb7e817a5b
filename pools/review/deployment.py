"""Settings outside Python code: gunicorn and uvicorn command lines, configuration, addresses."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pools.kinds import KINDS
from pools.review.draft import NOTED, fitting, number_or_set
from pools.review.dsn import parse_dsn
from pools.review.finding import Asked, Place, Shown
from pools.review.text import COMMAND
from pools.setting import Setting, settings_of
from sim.query import all_settings
from sim.scenario import Fleet, Server

LINE_CHARS_MAX = 2_000
_JSON_COMMAND = re.compile(r'\[\s*"(?:gunicorn|uvicorn|python3?|fastapi)".*?\]')
_ASSIGNMENT = re.compile(
    r"""^\s*(?:-\s+)?(?:(?:export|ENV|ARG|SET)\s+)?["']?([A-Za-z_][\w.\-]*)["']?\s*(?::=|=|:)(.*)$"""
)
_FLAG = re.compile(r"(?<!\S)-c\s+(\w+)=([\w.]+)")
_DEFAULTED = re.compile(r"^\$\{(\w+):?-([^}]*)\}$")
_ADDRESS = re.compile(r"[a-z][\w+.\-]{2,40}://[^\s\"']+\?[^\s\"']+")
_PREFIX = re.compile(
    r"^(?:app|db|database|postgres|postgresql|pg|sqlalchemy|sql|asyncpg|aiohttp|engine|async|web"
    r"|pool(?=_m(?:in|ax)_size)|gunicorn|uvicorn|my)_"
)
_OPTIONS: Mapping[str, str] = {
    "-w": "workers",
    "--workers": "workers",
    "-t": "timeout",
    "--timeout": "timeout",
    "--keep-alive": "keep_alive",
    "--timeout-keep-alive": "keep_alive",
    "--graceful-timeout": "graceful_timeout",
    "--timeout-graceful-shutdown": "graceful_timeout",
    "--limit-concurrency": "limit_concurrency",
    "--threads": "threads",
}
_ALIASES: Mapping[str, str] = {
    "web_concurrency": "workers",
    "concurrency": "workers",
    "min_pool_size": "min_size",
    "max_pool_size": "max_size",
    "superuser_reserved_connections": "reserved",
    "replica_count": "replicas",
    "replicacount": "replicas",
    "pre_ping": "pool_pre_ping",
    "recycle": "pool_recycle",
}
_PROGRAMS = frozenset({"gunicorn", "uvicorn", "fastapi"})
_TOO_PLAIN = frozenset({"limit", "hosts", "users", "rate", "seed", "cores", "pattern"})
_NOTED = frozenset(
    {"pool_mode", "default_pool_size", "reserve_pool_size", "max_client_conn", "min_pool_size"}
    | {"query_wait_timeout", "max_prepared_statements", "server_idle_timeout"}
    | {"client_idle_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout"}
    | {"statement_timeout", "lock_timeout", "tcp_keepalives_idle", "wait_timeout"}
)


@dataclass(slots=True)
class Deployment:
    """What was read: settings by query name, settings without a slider, what to ask."""

    found: dict[str, Shown] = field(default_factory=dict)
    noted: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def take(self, known: Setting, text: str, place: Place, how: str = "") -> None:
        """Take a setting's value as text, or ask for it."""
        defaulted = _DEFAULTED.match(text)
        if defaulted:
            text, how = defaulted[2], f"default of environment variable {defaulted[1]}"
        value = fitting(known, text)
        before = self.found.get(known.query)
        if value is None:
            why = "is decided where the text does not show it" if "$" in text else known.bounds
            self.asked.append(Asked(known.query, place, why))
        elif before is not None and before.value != value:
            why = f"is given twice, first on {before.place}"
            self.asked.append(Asked(known.query, place, why))
        else:
            self.found.setdefault(known.query, Shown(value, place, how))

    def __bool__(self) -> bool:
        """Whether anything was recognised."""
        return bool(self.found or self.noted or self.asked)


def read_commands(text: str) -> Deployment:
    """Read every gunicorn and uvicorn command line in a text, in code or in comments."""
    read = Deployment()
    fleet = settings_of(Fleet)
    for place, command in _commands(text):
        for name, value in _options(command):
            if name in fleet:
                read.take(fleet[name], value, place, "command line")
            elif value.isdigit():
                read.noted[f"{command[0]} {name}"] = value
    return read


def read_configuration(text: str) -> Deployment:
    """Read settings from lines such as `DB_POOL_SIZE=20`, `replicas: 3`, `pool_mode = session`."""
    read = read_commands(text)
    known = _known()
    for name, value, place in _assignments(text):
        plain = _plain(name)
        if plain in _NOTED:
            read.noted[plain] = value if re.fullmatch(r"[\w.]{1,20}", value) else "set"
        elif plain in known and plain not in _TOO_PLAIN:
            read.take(known[plain], value, place)
    for place, address in _addresses(text):
        _read_address(read, place, address)
    return read


def kind_of(found: Mapping[str, Shown]) -> str | None:
    """Return the pool kind that settings without code speak of, if they speak of one."""
    counts = {
        kind: len({*found} & {s.query for s in settings_of(cls).values()})
        for kind, cls in KINDS.items()
    }
    best = max(counts, key=lambda kind: counts[kind])
    return best if counts[best] else None


def _known() -> dict[str, Setting]:
    pool = {name: s for kind in KINDS for name, s in all_settings(kind).items() if name != "kind"}
    names = {s.query for kind in KINDS.values() for s in settings_of(kind).values()}
    names |= {s.query for cls in (Fleet, Server) for s in settings_of(cls).values()}
    return {name: s for name, s in pool.items() if name in names}


def _plain(name: str) -> str:
    name = name.lower().replace("-", "_").replace(".", "_")
    while name not in _ALIASES and (shorter := _PREFIX.sub("", name)) != name:
        name = shorter
    return _ALIASES.get(name, name)


def _assignments(text: str) -> Iterator[tuple[str, str, Place]]:
    pending = ""
    for number, line in _lines(text):
        for flag in _FLAG.finditer(line):
            yield flag[1], flag[2], Place(number, flag.start() + 1, number, flag.end() + 1)
        match = _ASSIGNMENT.match(line) if line.lstrip()[:1] not in {"#", ";"} else None
        if match is None:
            continue
        name, value = match[1], _unquoted(match[2].strip().rstrip(";,"))
        place = Place(number, match.start(1) + 1, number, len(line.rstrip()) + 1)
        if name == "name":
            pending = value
        elif name in {"value", "default"} and pending:
            yield pending, value, place
            pending = ""
        elif value:
            yield name, value, place


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that a person may have written, with their numbers."""
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) <= LINE_CHARS_MAX:
            yield number, line


def _unquoted(value: str) -> str:
    value = re.sub(r"(?<=\s)[#;].*$", "", value).strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _commands(text: str) -> Iterator[tuple[Place, list[str]]]:
    lines = text.split("\n")
    read_to = 0  # a command may continue over lines
    for number, line in _lines(text):
        listed, match = _JSON_COMMAND.search(line), COMMAND.search(line)
        if number <= read_to or not (listed or match):
            continue
        if listed:
            words, column = _json_words(listed[0]), listed.start()
        else:
            column = match.start() if match else 0
            said, read_to = _continued(lines, number, column)
            words = _words(said)
        start = next((i for i, word in enumerate(words) if word in _PROGRAMS), None)
        if start is not None:
            yield Place(number, column + 1, number, len(line) + 1), words[start:]


def _continued(lines: list[str], number: int, column: int) -> tuple[str, int]:
    """Return a command with the lines that a backslash joins to it, and the last of them."""
    parts = [lines[number - 1][column:]]
    while parts[-1].rstrip().endswith("\\") and number < len(lines) and len(parts) < 50:
        parts[-1] = parts[-1].rstrip()[:-1]
        parts.append(lines[number].strip().lstrip("#"))
        number += 1
    return " ".join(parts), number


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()


def _json_words(listed: str) -> list[str]:
    try:
        words = json.loads(listed)
    except ValueError:
        return []
    return [word for word in words if isinstance(word, str)]


def _options(command: list[str]) -> Iterator[tuple[str, str]]:
    for index, word in enumerate(command):
        name, equals, value = word.partition("=")
        if re.fullmatch(r"-w\d+", word):
            yield "workers", word[2:]
        elif name in _OPTIONS and equals:
            yield _OPTIONS[name], value
        elif name in _OPTIONS and index + 1 < len(command):
            yield _OPTIONS[name], command[index + 1].rstrip("`'\".,;)")


def _addresses(text: str) -> Iterator[tuple[Place, str]]:
    for number, line in _lines(text):
        for match in _ADDRESS.finditer(line):
            yield Place(number, match.start() + 1, number, match.end() + 1), match[0]


def _read_address(read: Deployment, place: Place, address: str) -> None:
    dsn = parse_dsn(address)
    known = _known()
    for name, value in (dsn.query if dsn is not None else {}).items():
        plain = name.lower()
        if plain in known and plain not in _TOO_PLAIN:
            read.take(known[plain], value, place, "parameter of the address")
        elif plain in NOTED:
            read.noted[plain] = number_or_set(value)
