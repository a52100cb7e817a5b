"""How many live checks may run: one in a session, a few in this process."""

import threading


class Busy(RuntimeError):
    """No further check may start now; the message says why and what to do."""


class Slots:
    """Counts checks under way. Safe to use from several threads."""

    def __init__(self) -> None:
        """Begin with none taken."""
        self._lock = threading.Lock()
        self._taken: list[str] = []

    def take(self, session: str, most: int) -> None:
        """Take a place for a session, of `most` over all sessions. Raises Busy."""
        with self._lock:
            if session in self._taken:
                raise Busy(
                    "A live check is already running in this session. Wait for it or cancel it."
                )
            if len(self._taken) >= most:
                raise Busy(
                    f"{most} live checks are already running on this server, which is the"
                    " most it allows. Try again in half a minute."
                )
            self._taken.append(session)

    def give_back(self, session: str) -> None:
        """Free the place of a session."""
        with self._lock:
            self._taken.remove(session)
