"""PgBouncer as a station: server connections that all pools share."""

import math
from collections import deque
from collections.abc import Callable

from sim.agenda import Call
from sim.link import Link, Use
from sim.world import Shared

LOGIN_RETRY_S = 15.0


class _Login:
    """A server connection being opened: what computes on the server's cores for it."""

    __slots__ = ("_bouncer", "epoch")

    def __init__(self, bouncer: "Bouncer", epoch: int) -> None:
        self._bouncer = bouncer
        self.epoch = epoch

    def computed(self) -> None:
        self._bouncer.opened(self)


class Bouncer:
    """Lends server connections to uses, first come, first served.

    Opens one if all are lent and there may be more. A connection whose client went away in the
    middle is closed. When the server is down, logins fail and are tried again after 15 s.
    """

    def __init__(self, shared: Shared, is_down: Callable[[float], bool]) -> None:
        """Start with no server connection."""
        pooler = shared.scenario.pooler
        self.keeps = pooler.pool_mode == "session"
        self._size = pooler.default_pool_size
        self._timeout_s = pooler.query_wait_timeout or math.inf
        self._agenda, self._cores, self._slots = shared.agenda, shared.cores, shared.slots
        self._logins_s = shared.connects_s
        self._login_cpu_s = shared.scenario.server.connect_cpu_s
        self._is_down = is_down
        self._idle = self._open = self._epoch = 0
        self._retry_s = -math.inf
        self._queue: deque[Use] = deque()

    def refuses(self, now: float) -> bool:
        """Whether a client that connects is turned away, since the last login failed."""
        return now < self._retry_s and not self._open

    def enter(self, use: Use) -> None:
        """Give a use a server connection as soon as there is one."""
        if self._idle:
            self._idle -= 1
            self._lend(use)
            return
        self._queue.append(use)
        if self._timeout_s < math.inf:
            self._agenda.call(self._expire, self._agenda.now + self._timeout_s, use)
        self._grow()

    def leave(self, link: Link, *, broken: bool) -> None:
        """Take a client's server connection back, or close it if its work broke off."""
        link.is_served = False
        if not broken:
            self._idle += 1
        else:
            self._open -= 1
            self._slots.give_back()
        self._go_on()

    def restart(self) -> None:
        """Lose all server connections; those lent are lost by their users as well."""
        self._epoch += 1
        for _ in range(self._open):
            self._slots.give_back()
        self._idle = self._open = 0

    def opened(self, login: _Login) -> None:
        """Lend a new server connection."""
        if login.epoch == self._epoch:
            self._idle += 1
            self._go_on()

    def _go_on(self) -> None:
        while self._queue and self._idle:
            use = self._queue.popleft()
            if not use.is_over:
                self._idle -= 1
                self._lend(use)
        self._grow()

    def _lend(self, use: Use) -> None:
        use.link.is_served = True
        use.link.world.work(use)

    def _grow(self) -> None:
        now = self._agenda.now
        if self._open >= self._size or now < self._retry_s:
            return
        if all(use.is_over for use in self._queue):
            return
        is_down = self._is_down(now)
        if is_down or not self._slots.take():
            self._retry_s = now + LOGIN_RETRY_S
            if is_down:  # else nothing but a connection's end helps
                self._agenda.call(self._try_again, self._retry_s)
            return
        self._open += 1
        login = _Login(self, self._epoch)
        self._agenda.call(self._logged_in, now + next(self._logins_s), login)

    def _try_again(self, _: Call) -> None:
        self._grow()

    def _logged_in(self, event: Call) -> None:
        if self._login_cpu_s:
            self._cores.enter(event.payload, self._login_cpu_s, self._agenda.now)
        else:
            event.payload.computed()

    def _expire(self, event: Call) -> None:
        use: Use = event.payload
        if use in self._queue and not use.is_over:
            self._queue.remove(use)
            use.link.world.hang_up(use.link)
