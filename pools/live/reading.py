"""Reads what a person types about a server of their own: a DSN, a URL, or form fields.

Nothing that is read here ever reaches a driver as text. Each refusal names the part and its
rule, never what was written: a password that is not percent-encoded shifts every part, so any
of them may hold a piece of it.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import unquote_to_bytes

from pools.live.secret import Secret
from pools.live.target import TLS_MODES, OwnHttp, OwnPostgres, Tls, TlsMode, is_loopback

DSN_CHARACTERS, URL_CHARACTERS, HOST_CHARACTERS = 1024, 2048, 253
NAME_BYTES, PASSWORD_BYTES, CA_BYTES = 63, 256, 64 * 1024
DSN_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg")
PORTS = {"postgresql": 5432, "http": 80, "https": 443}
# Parameters of libpq, asyncpg and SQLAlchemy's URLs that a refusal may call by name.
KNOWN_KEYS = frozenset(
    re.findall(
        r"\w+",
        "host hostaddr port dbname database user password passfile require_auth"
        " channel_binding connect_timeout client_encoding options application_name"
        " fallback_application_name keepalives keepalives_idle keepalives_interval"
        " keepalives_count tcp_user_timeout replication gssencmode sslnegotiation"
        " sslcompression sslcert sslkey sslpassword sslcertmode sslrootcert sslcrl sslcrldir"
        " sslsni requirepeer ssl_min_protocol_version ssl_max_protocol_version"
        " min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation service"
        " servicefile target_session_attrs load_balance_hosts requiressl ssl direct_tls dsn"
        " timeout command_timeout statement_cache_size max_cached_statement_lifetime"
        " max_cacheable_statement_size loop connection_class record_class server_settings"
        " prepared_statement_cache_size prepared_statement_name_func async_creator_fn"
        " async_fallback role search_path",
    )
)
CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
RESOURCE = re.compile(r"(/[!-~]*)?(\?[!-~]*)?")
ENCODE = "write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23 and % as %25"


class InvalidTarget(ValueError):
    """Something about a target breaks a rule; `mistakes` are whole sentences without values."""

    def __init__(self, *mistakes: str) -> None:
        """Keep the sentences."""
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Form:
    """What the fields of the form hold, as typed. `sslmode` empty: the default for the host."""

    host: str
    user: str
    database: str
    port: str = "5432"
    password: Secret = Secret()  # noqa: RUF009  immutable
    sslmode: str = ""
    ca: bytes = b""


def postgres_from_form(form: Form) -> OwnPostgres:
    """Read the fields of a form. Raises InvalidTarget with every mistake."""
    mistakes = [
        *_host_mistakes(form.host),
        *_port_mistakes(form.port),
        *_text_mistakes("user", form.user, NAME_BYTES, needed=True),
        *_text_mistakes("database", form.database, NAME_BYTES, needed=True),
        *_text_mistakes("password", form.password.reveal(), PASSWORD_BYTES, needed=False),
        *_sslmode_mistakes(form.sslmode),
        *ca_mistakes(form.ca),
    ]
    if mistakes:
        raise InvalidTarget(*mistakes)
    return OwnPostgres(
        _plain_host(form.host),
        int(form.port),
        form.user,
        form.database,
        form.password,
        _tls(form.host, form.sslmode, form.ca),
    )


def postgres_from_dsn(dsn: Secret, *, ca: bytes = b"") -> OwnPostgres:
    """Read `postgresql://user:password@host:port/database?sslmode=verify-full`.

    Raises InvalidTarget; no part of the text is in it.
    """
    text = dsn.reveal().strip()
    _refuse_unreadable("DSN", text, DSN_CHARACTERS)
    scheme, found, rest = text.partition("://")
    if not found or scheme.lower() not in DSN_SCHEMES:
        raise InvalidTarget(
            "DSN must begin with postgresql://. Write it as"
            " postgresql://user:password@host:5432/database, or use the fields."
        )
    login, place, path, query = _split("DSN", rest)
    user, colon, password = login.partition(":")
    if ":" in password or "@" in login:
        raise InvalidTarget(f"DSN has a : or @ too many before the host. In a password {ENCODE}.")
    host, port = _host_and_port(place, PORTS["postgresql"])
    return postgres_from_form(
        Form(
            host,
            _decoded("user", user),
            _decoded("database", path[1:]),
            port,
            Secret(_decoded("password", password) if colon else ""),
            _sslmode(query),
            ca,
        )
    )


def http_from_url(
    url: Secret, *, method: str = "GET", ca: bytes = b"", verify: bool = True
) -> OwnHttp:
    """Read `https://host:port/path?query`. Raises InvalidTarget; no part of the text is in it."""
    text = url.reveal().strip()
    _refuse_unreadable("URL", text, URL_CHARACTERS)
    scheme, found, rest = text.partition("://")
    if not found or scheme.lower() not in {"http", "https"}:
        raise InvalidTarget("URL must begin with http:// or https://.")
    kind: Literal["http", "https"] = "https" if scheme.lower() == "https" else "http"
    login, place, path, query = _split("URL", rest)
    if login or "@" in rest.partition("/")[0]:
        raise InvalidTarget("URL must have no user and password: a check sends no login.")
    host, port = _host_and_port(place, PORTS[kind])
    resource = path + (f"?{query}" if query else "")
    mistakes = [*_host_mistakes(host), *_port_mistakes(port), *ca_mistakes(ca)]
    if not RESOURCE.fullmatch(resource):
        mistakes.append("URL must be plain ASCII after the host; percent-encode everything else.")
    if method not in {"GET", "HEAD"}:
        mistakes.append("method must be GET or HEAD: a check changes nothing.")
    if mistakes:
        raise InvalidTarget(*mistakes)
    mode: TlsMode = "disable" if kind == "http" else "verify-full" if verify else "require"
    return OwnHttp(
        kind,
        _plain_host(host),
        int(port),
        Secret(resource or "/"),
        "HEAD" if method == "HEAD" else "GET",
        Tls(mode, ca.decode() if mode == "verify-full" else ""),
    )


def ca_mistakes(ca: bytes) -> Iterator[str]:
    """Yield what is wrong with an uploaded file of certificates."""
    if len(ca) > CA_BYTES:
        yield f"CA file must be at most {CA_BYTES // 1024} KiB."
    elif ca:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=ca.decode("ascii"))
        except (ssl.SSLError, ValueError):
            yield "CA file must hold certificates as text (PEM: -----BEGIN CERTIFICATE-----)."


def _refuse_unreadable(what: str, text: str, most: int) -> None:
    if not text:
        raise InvalidTarget(f"{what} must be given.")
    if len(text) > most:
        raise InvalidTarget(f"{what} must be at most {most} characters long.")
    if CONTROL.search(text):
        raise InvalidTarget(f"{what} must hold no spaces, control or invisible characters.")


def _split(what: str, rest: str) -> tuple[str, str, str, str]:
    """Return login, place, path and query of what follows `://`."""
    if "#" in rest:
        raise InvalidTarget(f"{what} must have no # part. In a password {ENCODE}.")
    before, _, query = rest.partition("?")
    authority, slash, path = before.partition("/")
    if what == "DSN" and ("@" in path or "@" in query):
        raise InvalidTarget(f"{what} has an @ after the host. In a password {ENCODE}.")
    login, _, place = authority.rpartition("@")
    return login, place, slash + path, query


def _host_and_port(place: str, usual: int) -> tuple[str, str]:
    if "," in place:
        raise InvalidTarget("host must be one host, not a list.")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        return place, str(usual)
    return host, port or str(usual)


def _decoded(what: str, text: str) -> str:
    if ESCAPE.search(text):
        raise InvalidTarget(f"{what} has a % that is not followed by two hex digits; {ENCODE}.")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise InvalidTarget(f"{what} must be UTF-8.") from None


def _sslmode(query: str) -> str:
    found = ""
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if key != "sslmode":
            called = key if key in KNOWN_KEYS else "a parameter that is not known"
            raise InvalidTarget(
                f"DSN has {called}; it may have sslmode alone. Leave it out: the check sets"
                " everything else itself."
            )
        if found:
            raise InvalidTarget("sslmode must be given once.")
        found = value or "nothing"
    return found


def _sslmode_mistakes(mode: str) -> Iterator[str]:
    if mode and mode not in TLS_MODES:
        yield "sslmode must be verify-full, require or disable."


def _host_mistakes(host: str) -> Iterator[str]:
    if not host:
        yield "host must be given."
    elif host.startswith(("/", "%2f", "%2F", "@", ".")):
        yield "host must be a name or an address, not a socket's path; for this machine 127.0.0.1."
    elif len(host) > HOST_CHARACTERS:
        yield f"host must be at most {HOST_CHARACTERS} characters long."
    elif ":" in host or "[" in host or "]" in host:
        if not _is_ipv6(host):
            yield "host must be a name, or an address such as 10.0.0.7 or [fd00::7], without zone."
    elif not HOST_NAME.fullmatch(host):
        yield "host must be letters, digits, dots and dashes (a name in another script: as xn--)."
    elif _ends_in_number(host) and not _is_ipv4(host):
        yield "host must be written as four decimal numbers if it is an address: 10.0.0.7."


def _is_ipv6(host: str) -> bool:
    inside = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return ip_address(inside).version == 6 and "%" not in inside
    except ValueError:
        return False


def _is_ipv4(host: str) -> bool:
    try:
        return ip_address(host).version == 4
    except ValueError:
        return False


def _ends_in_number(host: str) -> bool:
    """Whether resolvers may read it as an IPv4 address (as browsers decide it)."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return last.isdigit() or (last.startswith("0x") and not set(last[2:]) - set("0123456789abcdef"))


def _plain_host(host: str) -> str:
    return host[1:-1] if host.startswith("[") else host


def _port_mistakes(port: str) -> Iterator[str]:
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65_535):
        yield "port must be a whole number from 1 to 65535."


def _text_mistakes(what: str, text: str, most: int, *, needed: bool) -> Iterator[str]:
    if needed and not text:
        yield f"{what} must be given."
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        yield f"{what} must hold no control characters."
    try:
        size = len(text.encode())
    except UnicodeError:
        yield f"{what} must be UTF-8."
    else:
        if size > most:
            yield f"{what} must be at most {most} bytes long."


def _tls(host: str, mode: str, ca: bytes) -> Tls:
    """Verify certificates unless told otherwise; to this machine itself there is no network."""
    usual = "verify-full" if ca or not is_loopback(_plain_host(host)) else "disable"
    chosen: Mapping[str, TlsMode] = {known: known for known in TLS_MODES}
    decided = chosen[mode or usual]
    return Tls(decided, ca.decode("ascii") if decided == "verify-full" else "")
