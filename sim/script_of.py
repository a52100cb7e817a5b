"""A Scenario as a Script: one replication drawn out, so that the real library can play it.

Arrivals and holds are those of the simulation, with up to a microsecond of jitter on each, so
that no two requests fall into one instant by chance. A hold has the caller's statement in it
(as `docs/model.md` says), so it lasts at least one round trip.
"""

import math
import random
from collections.abc import Iterator

from sim.faults import kills_of
from sim.scenario import Scenario
from sim.script import GRAIN_S, Ask, Costs, Kill, Loop, Outage, Script, Use, exact
from sim.workload import (
    Arrivals,
    Streams,
    draw,
    endless_connects,
    endless_holds,
    endless_thinks,
)

JITTER_S = 1e-6
STEP_S = 2.0**-20
LATENCY_S_MIN = 2.0**-20
TURNS = 64
TURNS_MAX = 200_000
AFTER_S = 3_600.0
CONNECTIONS_MAX = 1_000
CONNECTS = 97


def script_of(
    scenario: Scenario, replication: int = 0, *, requests_max: int | None = None
) -> Script:
    """Return one replication of a scenario as a Script.

    At most `requests_max` requests of an open workload are taken, the first ones; a closed one
    ends when it could have asked as many. Connections that are open before the run begins are
    opened by requests before time 0.
    """
    return _Writer(scenario, replication).write(requests_max)


class _Writer:
    def __init__(self, scenario: Scenario, replication: int) -> None:
        self._scenario = scenario
        self._replication = replication
        self._random = random.Random(f"{scenario.seed} {replication}")
        server = scenario.server
        self._latency_s = exact(max(server.rtt_s / 2.0, LATENCY_S_MIN))
        self._rtt_s = 2.0 * self._latency_s
        connects_s = endless_connects(server, Streams(scenario.seed, replication).connects)
        self._connects_s = [exact(next(connects_s)) for _ in range(CONNECTS)]
        self._open_s = exact(15.0 * self._rtt_s + max(self._connects_s) + JITTER_S)

    def write(self, requests_max: int | None) -> Script:
        scenario = self._scenario
        open_workload = not scenario.workload.is_closed
        asks = self._asks(draw(scenario, self._replication), requests_max) if open_workload else ()
        return Script(
            scenario.pool,
            self._costs(),
            asks=(*self._prelude(), *asks),
            loops=() if open_workload else tuple(self._loops(requests_max)),
            kills=tuple(self._kills()),
            outages=tuple(self._outages()),
            pools=scenario.fleet.pools,
            lead_s=5.0 * self._open_s,
            drain_s=0.0,
            limit_s=scenario.duration_s + AFTER_S,
            seed=scenario.seed,
        )

    def _costs(self) -> Costs:
        scenario, slots = self._scenario, math.inf
        if scenario.pool.serves == "database":
            slots = max(0, scenario.server.slots - scenario.fleet.other_connections)
        return Costs(
            latency_s=self._latency_s,
            connect_s=0.0,
            connect_jitter_s=tuple(each_s + self._jitter() for each_s in self._connects_s),
            slots=slots,
            cores=scenario.server.cores,
        )

    def _asks(self, arrivals: Arrivals, requests_max: int | None) -> Iterator[Ask]:
        rows = zip(
            arrivals.asked_s.tolist()[:requests_max],
            arrivals.hold_s.tolist()[:requests_max],
            arrivals.pool.tolist()[:requests_max],
            arrivals.host.tolist()[:requests_max],
            strict=True,
        )
        last_s = 0.0
        for at_s, hold_s, pool, host in rows:
            last_s = max(exact(at_s) + self._jitter(), last_s + GRAIN_S)
            yield Ask(last_s, self._use(hold_s, host), pool=pool)

    def _loops(self, requests_max: int | None) -> Iterator[Loop]:
        scenario, streams = self._scenario, Streams(self._scenario.seed, self._replication)
        part = min(1.0, (requests_max or math.inf) / scenario.requests_expected)
        load = scenario.workload
        holds, thinks = endless_holds(load, streams.holds), endless_thinks(load, streams.thinks)
        turns = max(2, min(TURNS, TURNS_MAX // load.users))
        for user in range(load.users):
            hosts = streams.hosts.integers(load.hosts, size=turns).tolist()
            yield Loop(
                at_s=exact(next(thinks)) + self._jitter(),
                uses=tuple(self._use(next(holds), host) for host in hosts),
                thinks_s=tuple(exact(next(thinks)) for _ in range(turns)),
                until_s=part * scenario.duration_s,
                pool=user % scenario.fleet.pools,
            )

    def _kills(self) -> Iterator[Kill]:
        """Kill as the simulation does; at a restart, everybody there can be."""
        failures, scenario = self._scenario.failures, self._scenario
        for at_s, which in kills_of(scenario, self._replication):
            yield Kill(exact(at_s), which)
        if failures.restart_s:
            most = min(scenario.capacity or CONNECTIONS_MAX, CONNECTIONS_MAX)
            yield from [Kill(exact(failures.restart_at_s), 0)] * most

    def _outages(self) -> Iterator[Outage]:
        failures = self._scenario.failures
        if failures.restart_s:
            from_s = exact(failures.restart_at_s)
            yield Outage(from_s, from_s + exact(failures.restart_s))

    def _prelude(self) -> Iterator[Ask]:
        """Hold as many connections at once as shall be open, then return them in order."""
        scenario = self._scenario
        warm = scenario.warm_connections
        if scenario.pool.capacity is not None:
            warm = min(warm, scenario.pool.capacity)
        for number in range(warm * scenario.fleet.pools):
            at_s = -3.0 * self._open_s + number * STEP_S
            hold_s = 2.0 * self._open_s + number * STEP_S
            use = self._use(hold_s, 0) if scenario.pool.serves == "http" else Use(hold_s)
            yield Ask(at_s, use, pool=number % scenario.fleet.pools)

    def _use(self, hold_s: float, host: int) -> Use:
        hold_s = exact(hold_s)
        compute_s = exact(self._scenario.server.cpu_fraction * hold_s)
        rest_s = max(0.0, hold_s - compute_s - self._rtt_s)
        return Use(0.0, rest_s + self._jitter(), compute_s, host)

    def _jitter(self) -> float:
        return exact(self._random.uniform(0.0, JITTER_S))
