"""An event loop whose timers are good to some 0.1 ms.

asyncio's usual selectors (epoll, poll) round every timeout up to a whole millisecond, which
would delay each scheduled arrival by half a millisecond on average. select() takes
microseconds; a check has far fewer descriptors than its limit of 1024.
"""

import asyncio
import selectors


def precise_loop() -> asyncio.SelectorEventLoop:
    """Return a new event loop over select()."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
