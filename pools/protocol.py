"""The language between a pool's decisions and the world that carries them out.

A pool's logic is told what happened and when; it answers with orders, which are calls on a
`World`. It has no clock, does no I/O and draws no randomness of its own: `now` (seconds) and
`rng` come in. SimPy, a recorder for property tests and the comparison with the real library
are all worlds.

       start, create, acquire, woken,                    ready, open, exchange, close,
       expired, give_up, opened, open_failed,            grant, reject, finished, failed,
       exchanged, release, broke, interrupted,           wake, alarm, timer
       lost, timer
  world --------------------------------> PoolLogic --------------------------------> world

Same-instant order is part of the language: `wake` asks to be told `woken` at this same
instant but after everything already due, as asyncio's ready queue does. `finished` says that
the caller's release call returns; what the caller does next in the same instant therefore
comes before or after the woken waiter as the library has it.
"""

from enum import Enum, IntEnum
from typing import Protocol

from pools.trace import Cause, Outcome


class Step(IntEnum):
    """A conversation with the server on an open connection, in round trips."""

    INITIALISE = 0
    PING = 1
    RESET = 2
    CLOSE = 3
    CANCEL = 4


class Stage(Enum):
    """Where a request stands with its pool."""

    NEW = "new"
    QUEUED = "queued"
    WOKEN = "woken"
    OPENING = "opening"
    HOLDING = "holding"
    RETURNING = "returning"
    ENDED = "ended"


# Until Python 3.11 a look-up in the class takes 0.1 microseconds; each request needs ten.
NEW, QUEUED, WOKEN, OPENING, HOLDING, RETURNING, ENDED = Stage


class Slot:
    """A place for one connection in a pool. `link` is the row of its connection, or -1."""

    __slots__ = ("link", "request")

    def __init__(self) -> None:
        """Start empty."""
        self.link = -1
        self.request: Request | None = None


class Request:
    """One request for a connection: made by the world, annotated by the pool's logic.

    `queries` is how many queries its caller sends. `explicit` says that the caller returns
    the connection by an explicit close and not by leaving an `async with` block,
    `in_transaction` that a caller cancelled during a query has a transaction open, `closes` that
    the server ends the connection with its answer (HTTP's `Connection: close`), `idempotent`
    that the client may send the request again on another connection.
    """

    __slots__ = ("expires_s", "host", "idempotent", "row", "slot", "stage", "timeout_s")
    queries: int = 1
    explicit: bool = False
    closes: bool = False
    in_transaction: bool = True

    def __init__(self, row: int, host: int = 0, timeout_s: float | None = None) -> None:
        """Make a request. `timeout_s` overrides the pool's own acquire timeout."""
        self.row = row
        self.host = host
        self.timeout_s = timeout_s
        self.idempotent = False
        self.expires_s = float("inf")
        self.stage = Stage.NEW
        self.slot: Slot | None = None


class World(Protocol):
    """Carries a pool's orders out. Every method is an order."""

    def open(self, slot: Slot, round_trips: int) -> None:
        """Start connecting; `opened` or `open_failed` will answer. Gives the slot a link."""

    def adopt(self, slot: Slot) -> bool:
        """Give the slot a connection that was open before the run began.

        Return False if the server has no room for it; the slot then stays empty.
        """

    def exchange(
        self, slot: Slot, step: Step, round_trips: int, within_s: float | None = None
    ) -> None:
        """Talk to the server for some round trips; `exchanged` will answer.

        If they would take longer than `within_s`, the answer is `ok=False` at that time. It is
        `ok=False` too if the connection is lost meanwhile (`lost` is then not called), or at
        once if it was lost before. CANCEL is a conversation on a connection of its own.
        """

    def interrupt(self, slot: Slot) -> int:
        """Stop listening to the conversation under way; return its complete round trips."""

    def close(self, slot: Slot, cause: Cause) -> None:
        """Drop the slot's connection now; costs no time and empties the slot's link."""

    def grant(self, request: Request, slot: Slot) -> None:
        """Hand the connection to the request."""

    def reject(self, request: Request, outcome: Outcome) -> None:
        """End the request without a connection."""

    def finished(self, request: Request) -> None:
        """Let the caller's release call return."""

    def failed(self, request: Request) -> None:
        """Let the caller's release call raise."""

    def ready(self, ok: bool) -> None:
        """Say that the pool made by `create` can be used, or that making it failed."""

    def available(self, request: Request) -> None:
        """Note that the connection the request held can be lent again."""

    def wake(self, request: Request) -> None:
        """Call `woken` at this instant, after everything already due."""

    def alarm(self, request: Request, at_s: float) -> None:
        """Call `expired` at that time. Alarms are not cancelled: logic ignores stale ones."""

    def timer(self, token: object, at_s: float) -> None:
        """Call `timer` with the token at that time. Not cancelled either."""


class PoolLogic(Protocol):
    """A pool's decisions. Every method is an event; `now` is in seconds."""

    def start(self, now: float, warm: int) -> None:
        """Begin, with `warm` connections already open (at least what the pool opens itself)."""

    def create(self, now: float) -> None:
        """Begin as the library does, with nothing open yet; order `ready` when done."""

    def acquire(self, request: Request, now: float) -> None:
        """Consider a request that asks for a connection."""

    def woken(self, request: Request, now: float) -> None:
        """Continue a waiter that was woken."""

    def expired(self, request: Request, now: float) -> None:
        """Consider a request whose alarm went off."""

    def give_up(self, request: Request, now: float) -> None:
        """Consider a request whose caller was cancelled while waiting or while releasing."""

    def opened(self, slot: Slot, now: float) -> None:
        """Consider a connect that succeeded."""

    def open_failed(self, slot: Slot, now: float) -> None:
        """Consider a connect that failed; the slot is empty again."""

    def exchanged(self, slot: Slot, step: Step, ok: bool, now: float) -> None:
        """Consider a conversation that ended."""

    def release(self, request: Request, now: float) -> None:
        """Take back what the request held."""

    def broke(self, request: Request, now: float) -> None:
        """Take back what the request held: its caller found the connection dead."""

    def interrupted(self, request: Request, now: float) -> None:
        """Take back what the request held: its caller was cancelled during a query."""

    def lost(self, slot: Slot, now: float) -> None:
        """Learn that the server dropped the slot's connection."""

    def timer(self, token: object, now: float) -> None:
        """Consider a timer that went off."""
