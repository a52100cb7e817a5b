"""How the twin drives one library: open its pool, let callers use it, through public API only."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

from pools.trace import Outcome
from pools.twin.network import Network
from pools.twin.notes import Note
from sim.script import Script, Use


class Adapter(ABC):
    """One library's pool, or all pools of a fleet, on the virtual network.

    `clocks` are the places where the library's modules keep a clock (see patched_clocks),
    `libraries` the distributions whose versions the answer depends on, `loggers` those that
    report planned failures. `limits` say in sentences what is not the library's own.
    """

    clocks: ClassVar[tuple[str, ...]] = ()
    libraries: ClassVar[tuple[str, ...]] = ()
    loggers: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[tuple[str, ...]] = ()

    def __init__(self, loop: asyncio.AbstractEventLoop, network: Network, script: Script) -> None:
        """Put the server on the network."""
        self.loop = loop
        self.network = network
        self.script = script

    def chance(self) -> AbstractContextManager[None]:
        """Set up what has to hold while the run lasts.

        Above all: let the library draw from the script's seed what it leaves to chance.
        """
        return nullcontext()

    @classmethod
    def version(cls) -> str | None:
        """Return which of the versions that the kind offers is installed, if it offers any."""
        return None

    @abstractmethod
    async def open(self) -> None:
        """Make the pools."""

    @abstractmethod
    async def use(self, pool: int, use: Use, note: Note) -> None:
        """Acquire, use and return a connection of one pool; raise what the library raises."""

    @abstractmethod
    def kill(self, which: int) -> None:
        """Let the server drop a connection."""

    @abstractmethod
    def close(self) -> None:
        """Drop what is left, at once."""

    def outcome_of(self, error: Exception, note: Note) -> Outcome:
        """Sort a library's exception by the moment at which it came."""
        if note.wire is None:
            return Outcome.CONNECT_REFUSED
        return Outcome.CONNECTION_LOST if note.holds else Outcome.RELEASE_FAILED

    async def pause(self, seconds: float) -> None:
        """Keep the connection without talking."""
        if seconds > 0.0:
            await asyncio.sleep(seconds)
