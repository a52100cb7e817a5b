"""An event loop with one door for every socket: where it may go, and how many at once.

asyncpg, SQLAlchemy, aiohttp and httpx open every connection, to whichever address a name led to,
by the loop's `sock_connect` (Python 3.11 to 3.13, `asyncio.base_events`, `unix_events`;
aiohappyeyeballs too). The address that is checked there is the one that is connected to, so a
name that changes its answer gains nothing. psycopg's libpq makes sockets of its own;
`pools.live.client_psycopg` brings each to the door before.
"""

import asyncio
import socket
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Protocol, TypeAlias

from pools.live.policy import Policy


class Out(Protocol):
    """A socket, or what stands for one that a library makes by itself."""

    @property
    def family(self) -> int:
        """The kind of its addresses."""

    def fileno(self) -> int:
        """Its number, or -1 once it is closed."""


Goes: TypeAlias = Callable[[Out, Any], bool]


class Forbidden(PermissionError):
    """A connection to somewhere a check may not go. Every one has the same text."""

    def __init__(self) -> None:
        """Say no more than that: the address of a name is not the asker's business."""
        super().__init__("a check may not connect there")


class TooManySockets(PermissionError):
    """One socket more than the check was given."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("the check has all the sockets it may have")


def nowhere(_: Out, __: Any) -> bool:  # noqa: ANN401  an address as sockets take it
    """Allow nothing."""
    return False


@dataclass(slots=True)
class Door:
    """Lets sockets out: to where `goes` allows, at most `most` at once.

    `forbidden` counts the refused; `peak` is the most sockets that were open at once;
    `paced_s` is how long connects waited for their turn, taken together.
    """

    goes: Goes = nowhere
    most: int = 0
    connects_per_s: int | None = None
    forbidden: int = 0
    peak: int = 0
    paced_s: float = 0.0
    _begun_s: deque[float] = field(default_factory=deque)
    _out: "weakref.WeakSet[Out]" = field(default_factory=weakref.WeakSet)

    @property
    def open_now(self) -> int:
        """How many sockets that went out are still open."""
        return sum(one.fileno() >= 0 for one in self._out)

    async def turn(self) -> None:
        """Wait until a connect may begin: at most `connects_per_s` begin within any second."""
        loop, most = asyncio.get_running_loop(), self.connects_per_s
        if most is None:
            return
        now_s = loop.time()
        earliest_s = self._begun_s[-most] + 1.0 if len(self._begun_s) >= most else now_s
        begins_s = max(now_s, earliest_s)
        self._begun_s.append(begins_s)
        if len(self._begun_s) > most:
            self._begun_s.popleft()
        self.paced_s += begins_s - now_s
        await asyncio.sleep(begins_s - now_s)

    def let_out(self, sock: Out, address: Any) -> None:  # noqa: ANN401
        """Count a socket that is about to connect. Raises Forbidden or TooManySockets."""
        if not self.goes(sock, address):
            self.forbidden += 1
            raise Forbidden
        if sock not in self._out and self.open_now >= self.most:
            raise TooManySockets
        self._out.add(sock)
        self.peak = max(self.peak, self.open_now)


async def turn() -> None:
    """Wait until a connect may begin on the running loop."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, GuardedLoop) and loop.door:
        await loop.door.turn()


class GuardedLoop(asyncio.SelectorEventLoop):
    """A selector event loop that connects through a Door; it is shut until one is given."""

    door: Door | None = None

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:  # noqa: ANN401
        """Connect, if the door lets the socket out."""
        (self.door or Door()).let_out(sock, address)
        await super().sock_connect(sock, address)


def only(policy: Policy, host: str, port: int) -> Goes:
    """Allow the addresses of one host, on one port, that a policy admits."""

    def goes(sock: Out, address: Any) -> bool:  # noqa: ANN401
        if sock.family not in {socket.AF_INET, socket.AF_INET6}:
            return False
        try:
            resolved = ip_address(str(address[0]).partition("%")[0])
        except ValueError:
            return False  # a name: whoever connects has to resolve it first
        return address[1] == port and policy.admits(host, resolved, port)

    return goes


def only_unix(path: str) -> Goes:
    """Allow one Unix socket."""

    def goes(sock: Out, address: Any) -> bool:  # noqa: ANN401
        return sock.family == socket.AF_UNIX and address == path

    return goes
