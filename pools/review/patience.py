"""How long a reading may take: what the page hands in, so that no paste can hold it up."""

import time
from collections.abc import Callable

from pools.review.text import Unreadable

PASTE_S_MAX = 1.0


def patience(
    tick: Callable[[], None],
    seconds: float = PASTE_S_MAX,
    now: Callable[[], float] = time.monotonic,
) -> Callable[[], None]:
    """Return a tick that also ends the reading after some seconds, with a sentence.

    `tick` may raise to cancel. `now` tells the time in seconds.
    """
    end = now() + seconds

    def watch() -> None:
        tick()
        if now() > end:
            raise Unreadable(
                f"Reading took longer than {seconds:g} s and was stopped."
                " Paste only the module that makes the pool."
            )

    return watch
