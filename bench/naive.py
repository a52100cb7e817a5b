"""The same pool as one would first write it in SimPy: what Poolwise is measured against.

SimPy: a process for each request, a `Resource` for the pool and for the worker's event loop,
`AnyOf` for the race with the timeout, and a process for the cores. Nothing here is slowed down
on purpose; it follows SimPy's own examples (bank_renege: patience against a Resource).
"""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from pools.kinds import SqlalchemyQueue
from sim.scenario import Scenario
from sim.worker import LOOP_VISITS
from sim.workload import Arrivals

Steps = Generator[simpy.Event, Any, None]
CONNECT_ROUND_TRIPS = 5
FIRST_CONNECT_ROUND_TRIPS = 15


@dataclass
class Seen:
    """What a run saw."""

    waits_s: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    timeouts: int = 0

    def summary(self) -> dict[str, float]:
        """Return mean and percentiles, as any answer needs them."""
        waits = np.asarray(self.waits_s)
        p50, p90, p95, p99 = np.percentile(waits, (50, 90, 95, 99)).tolist()
        return {"mean": float(waits.mean()), "p50": p50, "p90": p90, "p95": p95, "p99": p99}


class SharedCores:
    """Processor sharing as a process: it sleeps until the next job is done or one arrives."""

    def __init__(self, env: simpy.Environment, cores: int) -> None:
        """Start idle."""
        self._env = env
        self._cores = cores
        self._jobs: dict[simpy.Event, float] = {}
        self._arrived = env.event()
        env.process(self._serve())

    def compute(self, demand_s: float) -> simpy.Event:
        """Return an event that happens when the job has computed that long."""
        done = self._env.event()
        self._jobs[done] = demand_s
        if not self._arrived.triggered:
            self._arrived.succeed()
        return done

    def _serve(self) -> Steps:
        while True:
            self._arrived = self._env.event()
            if not self._jobs:
                yield self._arrived
                continue
            speed = min(1.0, self._cores / len(self._jobs))
            began_s = self._env.now
            sharing = list(self._jobs)
            yield self._env.timeout(min(self._jobs.values()) / speed) | self._arrived
            passed_s = (self._env.now - began_s) * speed
            for job in sharing:
                self._jobs[job] -= passed_s
                if self._jobs[job] <= 1e-12:
                    del self._jobs[job]
                    job.succeed()


class NaivePool:
    """A worker: SQLAlchemy's pool (lazy connects, overflow closed on return) and its event loop."""

    def __init__(
        self, scenario: Scenario, env: simpy.Environment, cores: SharedCores, seen: Seen
    ) -> None:
        """Read what the scenario says."""
        assert isinstance(scenario.pool, SqlalchemyQueue)  # noqa: S101  the one kind built here
        assert scenario.pool.capacity is not None  # noqa: S101
        self._pool, self._server = scenario.pool, scenario.server
        self._env, self._cores, self._seen = env, cores, seen
        self._slots = simpy.Resource(env, capacity=scenario.pool.capacity)
        self._loop = simpy.Resource(env, capacity=1)
        self._visit_s = scenario.worker.loop_cpu_s / LOOP_VISITS
        self._idle: deque[object] = deque()
        self._opened = 0

    def request(self, hold_s: float) -> Steps:
        """Serve one request."""
        env, seen, server = self._env, self._seen, self._server
        asked_s = env.now
        yield from self._visit()
        with self._slots.request() as turn:
            won = yield turn | env.timeout(self._pool.pool_timeout)
            if turn not in won:
                seen.timeouts += 1
                seen.waits_s.append(env.now - asked_s)
                return
            yield from self._connection()
            seen.waits_s.append(env.now - asked_s)
            yield from self._visit()
            if server.cpu_fraction:
                yield self._cores.compute(server.cpu_fraction * hold_s)
            rest_s = (1.0 - server.cpu_fraction) * hold_s
            yield env.timeout(rest_s + self._pool.use_round_trips * server.rtt_s)
            yield from self._visit()
            seen.latencies_s.append(env.now - asked_s)
            if len(self._idle) < self._pool.pool_size:
                self._idle.append(object())
            elif server.rtt_s:
                yield env.timeout(server.rtt_s)

    def _visit(self) -> Steps:
        if self._visit_s:
            with self._loop.request() as turn:
                yield turn
                yield self._env.timeout(self._visit_s)

    def _connection(self) -> Steps:
        if self._idle:
            self._idle.popleft()
            return
        trips = CONNECT_ROUND_TRIPS if self._opened else FIRST_CONNECT_ROUND_TRIPS
        self._opened += 1
        yield self._env.timeout(trips * self._server.rtt_s + self._server.connect_s)


def naive(scenario: Scenario, arrivals: Arrivals) -> Seen:
    """Run the scenario's workers, their pools and their database as a plain SimPy model."""
    env, seen = simpy.Environment(), Seen()
    cores = SharedCores(env, scenario.server.cores)
    pools = [NaivePool(scenario, env, cores, seen) for _ in range(scenario.fleet.pools)]

    def arrive() -> Steps:
        columns = (arrivals.asked_s, arrivals.hold_s, arrivals.pool)
        for asked_s, hold_s, pool in zip(*(one.tolist() for one in columns), strict=True):
            yield env.timeout(asked_s - env.now)
            env.process(pools[pool].request(hold_s))

    env.process(arrive())
    env.run()
    return seen
