"""The real pools: each kind opened with explicit arguments and used the documented way."""

from typing import Protocol

from pools.live.record import Record


class Driver(Protocol):
    """One pool of one library, able to serve scheduled requests."""

    async def open(self, record: Record, warm: int) -> None:
        """Make the pool and let it open `warm` connections; what it does goes into `record`."""

    async def request(self, row: int, hold_s: float) -> None:
        """Borrow a connection, hold it for `hold_s` at the server, give it back."""

    async def close(self) -> None:
        """Close the pool at once, whatever is still under way."""

    async def finish(self) -> None:
        """Complete the record with what only the server saw."""
