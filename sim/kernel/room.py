"""Memory for the tables of a run, used again by the next: fresh pages cost as much as events."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from sim.kernel.state import Row

Table = NDArray[np.void]
# So many rooms wait for the next run, unless one has grown larger than this.
_ROOMS_MAX = 8
_BYTES_MAX = 64_000_000


class Room:
    """Tables by name, each as large as the largest that was asked for."""

    def __init__(self) -> None:
        """Have nothing yet."""
        self._kept: dict[str, NDArray[Row]] = {}

    def table(self, name: str, count: int, dtype: np.dtype[Row]) -> NDArray[Row]:
        """Return a table of so many rows, with whatever lies there."""
        kept = self._kept.get(name)
        if kept is None or len(kept) < count:
            kept = self._kept[name] = np.empty(count, dtype)
        return kept[:count]

    @property
    def size_bytes(self) -> int:
        """How much memory the tables take."""
        return sum(kept.nbytes for kept in self._kept.values())


_idle: list[Room] = []


@contextmanager
def borrowed_room() -> Iterator[Room]:
    """Lend a room that nobody else uses, from whatever thread."""
    try:
        room = _idle.pop()
    except IndexError:
        room = Room()
    try:
        yield room
    finally:
        if len(_idle) < _ROOMS_MAX and room.size_bytes <= _BYTES_MAX:
            _idle.append(room)
