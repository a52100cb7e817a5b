"""The users of a closed loop: think, ask, wait for the answer, think again."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sim.agenda import Call
from sim.workload import endless_thinks

if TYPE_CHECKING:
    from sim.engine import Run

Begin = Callable[[Any, int, int], None]


class Users:
    """The users of a run."""

    def __init__(self, run: "Run", begin: Begin) -> None:
        """Share the users out over the pools in turn.

        `begin` puts a request to a world, for a host and a user.
        """
        scenario = run.scenario
        self._run = run
        self._begin = begin
        self._hosts = scenario.workload.hosts
        self._host_rng = run.streams.hosts
        self._count = scenario.workload.users
        self._until_s = scenario.duration_s
        self._hops = scenario.pool.release_hops(explicit=False)
        self._thinks = endless_thinks(scenario.workload, run.streams.thinks)

    def start(self) -> None:
        """Let every user think once first, so that they do not come all at once."""
        for user in range(self._count):
            self._run.agenda.call(self._asks, next(self._thinks), user)

    def ended(self, user: int) -> None:
        """Let the user think, unless the day is over.

        Who does not think asks again before the waiter that the release woke, or after it, as
        the library has it. After it means after all that are woken in the same instant: a caller
        that came between two of them would take the connection meant for the second.
        """
        agenda, think_s = self._run.agenda, next(self._thinks)
        now = agenda._now
        if now + think_s >= self._until_s or self._run.is_full():
            self._leave()
        elif think_s:
            agenda.call(self._asks, now + think_s, user)
        elif self._hops:
            agenda.call_last(self._asks, self._world_of(user).next_turn_s(now), user)
        else:
            self._ask(user)

    def _asks(self, event: Call) -> None:
        self._ask(event.payload)

    def _ask(self, user: int) -> None:
        run = self._run
        if run.agenda._now >= self._until_s or run.is_full():
            self._leave()
            if run.is_over:
                run.agenda.stop()
            return
        host = int(self._host_rng.integers(self._hosts)) if self._hosts > 1 else 0
        self._begin(self._world_of(user), host, user)

    def _world_of(self, user: int) -> Any:  # noqa: ANN401  a PoolWorld or a ClientWorld
        return self._run.worlds[user % len(self._run.worlds)]

    def _leave(self) -> None:
        self._count -= 1
        if not self._count:
            self._run.no_more()
