"""Carries a scenario's failures out: at their times, on all pools of a run at once."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from sim.agenda import Call
from sim.bouncer import Bouncer
from sim.scenario import Scenario
from sim.world import Shared

if TYPE_CHECKING:
    from sim.link import Link
    from sim.lossy_world import LossyWorld


def kills_of(scenario: Scenario, replication: int) -> Iterator[tuple[float, int]]:
    """Draw when connections die in one replication, and which."""
    dice = random.Random(f"failures {scenario.seed} {replication}")
    return scenario.failures.kills(scenario.duration_s, dice)


def _bouncer_of(shared: Shared, is_down: Callable[[float], bool]) -> Bouncer | None:
    return Bouncer(shared, is_down) if shared.scenario.has_pooler else None


class Faults:
    """What is wrong at the moment, and who must hear of it.

    `live` are the connections that the server has, in the order in which they were opened.
    """

    def __init__(self, shared: Shared, replication: int) -> None:
        """Set a timer for everything that will go wrong."""
        scenario, agenda, cores = shared.scenario, shared.agenda, shared.cores
        self.live: dict[Link, None] = {}
        self._failures = failures = scenario.failures
        self._agenda = agenda
        self._cores = cores
        self._worlds: list[LossyWorld] = []
        # The worlds that requests go to, by pool, and what makes another: set by who made them.
        self.pools: list[LossyWorld] = []
        self.another: Callable[[int], LossyWorld] | None = None
        self.bouncer = _bouncer_of(shared, self._is_down)
        if failures.restart_s:
            agenda.call(self._restart, failures.restart_at_s)
        if failures.pgbouncer_restart_s and self.bouncer is not None:
            agenda.call(self._restart_front, failures.pgbouncer_restart_at_s)
        if failures.deploy_s:
            agenda.call(self._deploy, failures.deploy_at_s)
        if failures.slow_s:
            agenda.call(self._pace, failures.slow_at_s, 1.0 / failures.slow_factor)
            agenda.call(self._pace, failures.slow_at_s + failures.slow_s, 1.0)
        if failures.delay_s:
            agenda.call(self._delay, failures.delay_at_s, failures.delay_extra_s)
            agenda.call(self._delay, failures.delay_at_s + failures.delay_s, 0.0)
        for at_s, which in kills_of(scenario, replication):
            agenda.call(self._kill, at_s, which)

    def watch(self, world: "LossyWorld") -> None:
        """Let a pool's world hear of failures."""
        self._worlds.append(world)

    def refuses(self, now: float) -> bool:
        """Whether a connect that starts now is refused."""
        if self.bouncer is None:
            return self._is_down(now)
        failures = self._failures
        is_down = 0.0 <= now - failures.pgbouncer_restart_at_s < failures.pgbouncer_restart_s
        return is_down or self.bouncer.refuses(now)

    def _is_down(self, now: float) -> bool:
        failures = self._failures
        return 0.0 <= now - failures.restart_at_s < failures.restart_s

    def slower_s(self, now: float, work_s: float) -> float:
        """Return how much longer work takes that begins now."""
        failures = self._failures
        begins_s = max(now, failures.slow_at_s)
        left_s = failures.slow_at_s + failures.slow_s - begins_s
        slow_s = min(work_s - (begins_s - now), left_s / failures.slow_factor)
        return slow_s * (failures.slow_factor - 1.0) if slow_s > 0.0 else 0.0

    def _restart(self, _: Call) -> None:
        """Lose all connections; with a PgBouncer, those that it lends and who uses them."""
        if self.bouncer is None:
            self._restart_front(_)
            return
        served = [link for world in self._worlds for link in world.links if link.is_served]
        for link in served:
            link.is_served = False
            link.world.hang_up(link)
        self.bouncer.restart()

    def _restart_front(self, _: Call) -> None:
        for world in self._worlds:
            world.lose_all()

    def _deploy(self, _: Call) -> None:
        if self.another is None:
            return
        for number in range(len(self.pools)):
            made = self.another(number)
            made.on_ready = partial(self._take_over, number, made)
            made.logic.create(self._agenda.now)

    def _take_over(self, number: int, made: "LossyWorld", ok: bool) -> None:
        """Send requests to the new pool if it could be made; else the old one stays."""
        old = self.pools[number]
        if ok and old is not made:
            made.succeed(old)
            self.pools[number] = made
            failures = self._failures
            at_s = max(self._agenda.now, failures.deploy_at_s + failures.deploy_s)
            self._agenda.call(self._retire, at_s, old)

    def _retire(self, event: Call) -> None:
        event.payload.retire()

    def _pace(self, event: Call) -> None:
        self._cores.pace(event.payload, self._agenda.now)

    def _delay(self, event: Call) -> None:
        for world in self._worlds:
            world.delay(event.payload)

    def _kill(self, event: Call) -> None:
        if self.live:
            link = list(self.live)[event.payload % len(self.live)]
            link.world.hang_up(link)
