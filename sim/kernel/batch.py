"""Many replications of many scenarios at once, on all cores.

Compiled code holds no interpreter lock, so threads are enough. Every number is that of its
scenario and replication alone, whatever the number of threads.
"""

import os
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from threading import Event, Lock

from sim.engine import simulate
from sim.kernel.coverage import uncovered
from sim.kernel.demand import Demand, draw_demand
from sim.kernel.summary import Columns, Summary, summarise
from sim.scenario import Scenario

Pair = tuple[Scenario, int]
# So many requests are kept to be used again by scenarios that share them: 32 bytes each.
_DRAWN_MAX = 2_000_000
# So many results may wait for who asked, for each thread.
_AHEAD = 8


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Cancelled(Exception):
    """The results are no longer wanted."""


@dataclass(slots=True)
class Draws:
    """Requests drawn lately: scenarios that differ in their pool alone share them."""

    _kept: OrderedDict[object, Demand] = field(default_factory=OrderedDict)
    _count: int = 0
    _lock: Lock = field(default_factory=Lock)

    def of(self, scenario: Scenario, replication: int) -> Demand:
        """Return the requests of a replication, drawn now or before."""
        key = (
            scenario.workload,
            scenario.duration_s,
            scenario.fleet.pools,
            scenario.seed,
            replication,
            scenario.workload.is_closed and scenario.requests_expected,
        )
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        drawn = draw_demand(scenario, replication)
        with self._lock:
            self._keep(key, drawn)
        return drawn

    def _keep(self, key: object, drawn: Demand) -> None:
        if key not in self._kept:
            self._kept[key] = drawn
            self._count += len(drawn.hold_s)
        while self._count > _DRAWN_MAX:
            _, oldest = self._kept.popitem(last=False)
            self._count -= len(oldest.hold_s)


def summaries(pairs: Iterable[Pair], threads: int | None = None) -> Iterator[Summary]:
    """Yield the numbers of each scenario and replication, in the order given.

    Closing the iterator cancels what is left, within one replication. Put replications of
    scenarios that differ in the pool alone next to each other: they share their requests.
    """
    count = threads or cores()
    draws, stopped = Draws(), Event()
    left = iter(pairs)
    with ThreadPoolExecutor(count, thread_name_prefix="kernel") as pool:
        try:
            under_way: deque[Future[Summary]] = deque(
                pool.submit(summary, pair, draws, stopped) for pair in islice(left, count * _AHEAD)
            )
            while under_way:
                done = under_way.popleft().result()
                under_way.extend(
                    pool.submit(summary, pair, draws, stopped) for pair in islice(left, 1)
                )
                yield done
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def summary(pair: Pair, draws: Draws, stopped: Event) -> Summary:
    """Return the numbers of one pair, by the kernel or, where it must be, by SimPy."""

    def tick() -> None:
        if stopped.is_set():
            raise Cancelled

    tick()
    scenario, replication = pair
    why_not = uncovered(scenario)
    if why_not:
        trace = simulate(scenario, replication, tick=tick)
        return summarise(scenario, Columns.of(trace), why_not)
    # Late, because numba alone takes as long to import as a page to show.
    from sim.kernel.simulate import summed_up  # noqa: PLC0415

    return summed_up(scenario, replication, draws.of(scenario, replication))
