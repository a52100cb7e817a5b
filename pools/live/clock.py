"""An event loop whose timers are good to some 0.1 ms.

asyncio's usual selectors (epoll, poll) round every timeout up to a whole millisecond, which
would delay each scheduled arrival by half a millisecond on average. select() takes
microseconds; a check has far fewer descriptors than its limit of 1024.
"""

import asyncio
import selectors
from typing import TypeVar

Loop = TypeVar("Loop", bound=asyncio.SelectorEventLoop)


def precise_loop(kind: type[Loop] = asyncio.SelectorEventLoop) -> Loop:  # type: ignore[assignment]
    """Return a new event loop over select(), of that kind."""
    return kind(selectors.SelectSelector())
