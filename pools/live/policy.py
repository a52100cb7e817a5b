"""Where live checks may go: decided by whoever runs Poolwise, by two environment variables.

`POOLWISE_POLICY` is `local` (this machine, private and public addresses), `shared` (only what
`POOLWISE_ALLOW` lists) or `public` (no checks; `POOLWISE_ALLOW=embedded` leaves the built-in
server). What cannot be read allows nothing.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Literal, TypeAlias

from pools.live.target import AnyTarget, BuiltIn, is_loopback

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Name: TypeAlias = Literal["local", "shared", "public"]
NAMES: Mapping[str, Name] = {"local": "local", "shared": "shared", "public": "public"}
EMBEDDED = "embedded"
CHECKS_MOST: Mapping[Name, int] = {"local": 2, "shared": 4, "public": 2}
# Addresses of the network itself, of its services and of cloud metadata: never a database.
NEVER: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "192.0.0.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "100::/64",
            "fd00:ec2::254/128",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
NAT64: tuple[Network, ...] = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
COMPATIBLE = ip_network("::/96")
ENTRY = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+)(:(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an allow-list: a host by name, or a network; `port` None is any port."""

    host: str = ""
    network: Network | None = None
    port: int | None = None

    def __str__(self) -> str:
        """Write it as it is read."""
        what = self.host or str(self.network)
        shown = f"[{what}]" if ":" in what else what
        return shown if self.port is None else f"{shown}:{self.port}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What checks may connect to. `mistake` says why the configuration was not readable."""

    name: Name = "local"
    entries: tuple[Entry, ...] = ()
    embedded: bool = True
    mistake: str = ""

    @property
    def checks_most(self) -> int:
        """How many checks may run at once."""
        return CHECKS_MOST[self.name]

    @property
    def in_words(self) -> str:
        """Say on the page what holds here."""
        if self.mistake:
            return f"Live checks are off: {self.mistake}"
        match self.name:
            case "local":
                return "Policy local: any server that this machine can reach."
            case "shared" if self.entries:
                listed = ", ".join(map(str, self.entries))
                return f"Policy shared: the built-in server, and {listed}."
            case "shared":
                return "Policy shared: the built-in server alone; nothing else is listed."
            case "public" if self.embedded:
                return "Policy public: the built-in server alone."
            case "public":
                return "Policy public: live checks are off."

    def refusal(self, target: AnyTarget) -> str:
        """Say why a target is out of question whatever its address, or nothing."""
        if isinstance(target, BuiltIn):
            return "" if self.embedded else self.in_words
        if self.mistake or self.name == "public":
            return self.in_words
        try:
            allowed = self.admits(target.host, ip_address(target.host), target.port)
        except ValueError:
            networks = any(entry.network for entry in self.entries)
            allowed = self.name == "local" or networks or self._lists(target.host, target.port)
        return "" if allowed else f"{self.in_words} This server is not among them."

    def admits(self, host: str, address: Address, port: int) -> bool:
        """Whether a connection to an address may be made for a host as it was written."""
        forms = unwrapped(address)
        if any(one in network for one in forms for network in NEVER):
            return False
        if self.mistake or self.name == "public":
            return False
        if self.name == "local" or self._lists(host, port):
            return True
        return any(
            entry.network and entry.port in {None, port} and all(f in entry.network for f in forms)
            for entry in self.entries
        )

    def _lists(self, host: str, port: int) -> bool:
        wanted = host.lower().rstrip(".")
        return any(entry.host == wanted and entry.port in {None, port} for entry in self.entries)


def unwrapped(address: Address) -> tuple[Address, ...]:
    """Return an address, or the IPv4 address that it carries, or both where it has two ends."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    found: list[Address] = [address]
    if address.sixtofour:
        found.append(address.sixtofour)
    if address.teredo:
        found.extend(address.teredo)
    if any(address in network for network in NAT64):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    if address in COMPATIBLE and int(address) > 1:
        found.append(IPv4Address(int(address)))
    return tuple(found)


def policy_of(environment: Mapping[str, str] = os.environ, *, bound_to: str = "") -> Policy:
    """Read the policy. Without one it is `local`, or `shared` if the page is open to others.

    `bound_to` is the address that the page listens on; empty: there is no page.
    """
    usual = "shared" if bound_to and not is_loopback(bound_to) else "local"
    given = environment.get("POOLWISE_POLICY", "").strip().lower() or usual
    if given not in NAMES:
        return _closed("POOLWISE_POLICY must be local, shared or public.")
    name = NAMES[given]
    listed = environment.get("POOLWISE_ALLOW", "").replace(",", " ").split()
    if name == "local" and listed:
        return _closed("POOLWISE_ALLOW needs POOLWISE_POLICY=shared (or public).")
    wanted = [text for text in listed if text.lower() != EMBEDDED]
    entries = [entry_of(text) for text in wanted]
    read = tuple(entry for entry in entries if entry is not None)
    if len(read) < len(wanted):
        return _closed("each part of POOLWISE_ALLOW must be host:port or a network (10.0.0.0/24).")
    if name == "public" and wanted:
        return _closed("with POOLWISE_POLICY=public, POOLWISE_ALLOW may be embedded alone.")
    return Policy(name, read, embedded=name != "public" or len(listed) > 0)


def entry_of(text: str) -> Entry | None:
    """Read one entry: `db.example.org:5432`, `10.0.0.0/24`, `10.0.0.0/24:5432`, `[fd00::/8]`."""
    found = ENTRY.fullmatch(text)
    if found is None:
        return None
    host, digits = found["host"].strip("[]").lower().rstrip("."), found["port"]
    port = int(digits) if digits else None
    if port is not None and not 1 <= port <= 65_535:
        return None
    try:
        return Entry(network=ip_network(host), port=port)
    except ValueError:
        readable = re.fullmatch(r"[a-z0-9._-]+", host) is not None and port is not None
        return Entry(host=host, port=port) if readable else None


def to_order(policy: Policy) -> dict[str, Any]:
    """Return plain values for the pipe to the child."""
    return {"name": policy.name, "entries": [str(entry) for entry in policy.entries]}


def from_order(plain: Mapping[str, Any]) -> Policy:
    """Read what `to_order` wrote; what cannot be read allows nothing."""
    entries = [entry_of(text) for text in plain["entries"]]
    return Policy(plain["name"], tuple(entry for entry in entries if entry is not None))


def _closed(mistake: str) -> Policy:
    return Policy("public", embedded=False, mistake=mistake)
