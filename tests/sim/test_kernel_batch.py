"""Many replications on all cores: the same numbers as one by one, and those of `measure`."""

import math
from collections.abc import Iterator
from itertools import islice

import pytest

from sim.engine import simulate
from sim.kernel.batch import summaries
from sim.kernel.summary import Summary, Times
from sim.measure import measure
from sim.query import parse
from sim.result import Distribution
from sim.run import window_of
from sim.scenario import Scenario

# The first to run compiles: 10 s of CPU, minutes on a machine that is busy.
pytestmark = pytest.mark.timeout(900)
BASE = "rate=300&duration_s=6&warm_up_s=1&replications=1"
QUERIES = (
    f"{BASE}&pool_size=3&max_overflow=2&pool_timeout=0.1",
    f"{BASE}&pool_size=6&max_overflow=2&pool_timeout=0.1",
    f"{BASE}&kind=sqlalchemy-null&max_connections=12",
    f"{BASE}&kind=psycopg&max_size=6&min_size=2",
)
PAIRS = [(parse(query), replication) for replication in range(3) for query in QUERIES]


def numbers(times: Times | Distribution) -> list[float]:
    found = [getattr(times, name) for name in ("mean", "p50", "p90", "p95", "p99", "max")]
    mean, *others = (one if isinstance(one, float) else one.value for one in found)
    # A sum that leaves out zeros is rounded in another order.
    return [pytest.approx(mean, rel=1e-12), *others]


def test_numbers_are_those_of_measure() -> None:
    for (scenario, replication), seen in zip(PAIRS, summaries(PAIRS), strict=True):
        trace = simulate(scenario, replication)
        expected = measure([trace], window_of(scenario), scenario.capacity)
        assert (seen.requests, seen.completed) == (expected.requests, expected.completed)
        assert numbers(seen.wait_s) == numbers(expected.wait_s)
        assert numbers(seen.latency_s) == numbers(expected.latency_s)
        assert seen.timeouts == expected.timeouts
        assert seen.refused == expected.errors.get("connect_refused", 0)
        assert seen.connections_opened == expected.connections_opened
        assert seen.in_use_mean == pytest.approx(expected.in_use_mean.value, rel=1e-9)
        used = expected.utilisation.value
        assert seen.utilisation == pytest.approx(math.nan if used is None else used, nan_ok=True)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_numbers_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    assert repr(list(summaries(PAIRS, threads))) == repr(list(summaries(PAIRS, 3)))


def test_a_scenario_that_falls_back_says_why() -> None:
    said = {
        scenario.pool.name: seen.fell_back
        for (scenario, _), seen in zip(PAIRS, summaries(PAIRS), strict=True)
    }
    assert said["sqlalchemy"] == said["sqlalchemy-null"] == ""
    assert said["psycopg"] == "the kernel does not play kind psycopg"


def test_closing_the_iterator_leaves_the_rest_unplayed() -> None:
    asked = 0

    def endless() -> Iterator[tuple[Scenario, int]]:
        nonlocal asked
        while True:
            asked += 1
            yield PAIRS[0]

    results = summaries(endless(), threads=2)
    seen: list[Summary] = list(islice(results, 3))
    results.close()
    assert len(seen) == 3
    assert asked < 100
