"""What a live check runs against: a server of its own, or one that a person names.

A target of a person's own is made by `pools.live.reading` alone, which has checked it. It
travels to the child process as part of the order, on a pipe.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal, TypeAlias

from pools.live.secret import Secret

TlsMode: TypeAlias = Literal["disable", "require", "verify-full"]
TLS_MODES: tuple[TlsMode, ...] = ("verify-full", "require", "disable")


@dataclass(frozen=True, slots=True)
class Tls:
    """How a connection is protected.

    verify-full: TLS, and the certificate must be valid for the host; `ca` is the text of the
    authority's certificates (PEM), or empty for those that this machine trusts. require: TLS
    without any look at the certificate. disable: none.
    """

    mode: TlsMode = "verify-full"
    ca: str = ""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A throw-away server made for the check: PostgreSQL, or HTTP for the aiohttp kind."""

    @property
    def name(self) -> str:
        """What it is called on the page."""
        return "the built-in server"


@dataclass(frozen=True, slots=True)
class OwnPostgres:
    """A PostgreSQL server, or a pooler in front of one, that a person names."""

    host: str
    port: int
    user: str
    database: str
    password: Secret = field(default_factory=Secret)
    tls: Tls = field(default_factory=Tls)

    @property
    def name(self) -> str:
        """Where it is; the password is not in it."""
        return f"{bracketed(self.host)}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class OwnHttp:
    """An HTTP endpoint that a person names. `resource` is path and query: tokens live there."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    resource: Secret
    method: Literal["GET", "HEAD"] = "GET"
    tls: Tls = field(default_factory=Tls)

    @property
    def name(self) -> str:
        """Where it is; path and query are not in it."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"


Own: TypeAlias = OwnPostgres | OwnHttp
AnyTarget: TypeAlias = BuiltIn | Own


def serves(target: Own) -> str:
    """Return which kinds of pool a target is for: database or http."""
    return "database" if isinstance(target, OwnPostgres) else "http"


def is_loopback(host: str) -> bool:
    """Whether a host, as it is written, is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def warning(target: Own) -> str:
    """Say what the target's protection leaves open, or nothing."""
    if is_loopback(target.host) or target.tls.mode == "verify-full":
        return ""
    if target.tls.mode == "require":
        return "The server's certificate is not checked: whoever sits in between can read along."
    if isinstance(target, OwnPostgres):
        return "Without TLS everything travels in the clear, and the login can be attacked."
    return "Without TLS everything travels in the clear, the address and its tokens included."


def bracketed(host: str) -> str:
    """Write a host as addresses do: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def to_order(target: Own) -> dict[str, Any]:
    """Return plain values for the pipe to the child; the secret is among them."""
    plain: dict[str, Any] = {"host": target.host, "port": target.port}
    plain["tls"] = {"mode": target.tls.mode, "ca": target.tls.ca}
    if isinstance(target, OwnHttp):
        more: dict[str, str] = {"scheme": target.scheme, "method": target.method}
        return plain | more | {"resource": target.resource.reveal()}
    more = {"user": target.user, "database": target.database}
    return plain | more | {"password": target.password.reveal()}


def from_order(plain: Mapping[str, Any]) -> Own:
    """Read what `to_order` wrote."""
    values = dict(plain) | {"tls": Tls(**plain["tls"])}
    if "scheme" in values:
        return OwnHttp(**values | {"resource": Secret(values["resource"])})
    return OwnPostgres(**values | {"password": Secret(values["password"])})
