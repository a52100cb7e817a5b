"""Same seed, same answer; and the same load for every pool that is compared."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from sim.engine import simulate
from sim.query import parse
from sim.run import run
from sim.workload import Arrivals, draw
from tests.sim.small import simulate_small, small_scenarios
from tests.sim.traces import to_the_last_bit

LOADS = ["rate=300&hold_ms=10&duration_s=5", "users=30&think_ms=20&duration_s=5"]


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.data())
@settings(max_examples=15)
def test_a_scenario_gives_the_same_trace_to_the_last_bit(kind: str, data: st.DataObject) -> None:
    scenario = data.draw(small_scenarios(kind))
    first, second = simulate_small(scenario, 1), simulate_small(scenario, 1)
    assert to_the_last_bit(first) == to_the_last_bit(second)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_another_seed_or_replication_gives_another_trace(kind: str, load: str) -> None:
    one, other = (parse(f"kind={kind}&{load}&seed={seed}") for seed in (1, 2))
    seen = [simulate(one, 0), simulate(one, 1), simulate(other, 0)]
    assert len({tuple(trace.asked_s) for trace in seen}) == 3


@pytest.mark.parametrize("load", LOADS)
def test_a_result_is_repeatable_as_a_whole(load: str) -> None:
    scenario = parse(f"{load}&replications=2")
    assert run(scenario).as_json() == run(scenario).as_json()


def same_load(one: Arrivals, other: Arrivals) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("asked_s", "hold_s", "pool", "host")
    )


def test_another_pool_gets_the_same_arrivals_and_holds() -> None:
    """Common random numbers: what differs between two pools is not their luck."""
    queries = [
        "pool_size=5",
        "pool_size=50&max_overflow=0&pool_pre_ping=true&connect_ms=100&rtt_ms=10&cores=1",
        "kind=asyncpg&max_size=3&min_size=1",
        "kind=aiohttp&limit=7",
    ]
    loads = [draw(parse(f"{query}&rate=300&workers=3"), 2) for query in queries]
    assert all(same_load(loads[0], other) for other in loads[1:])


def test_a_larger_pool_never_makes_anybody_wait_longer_under_the_same_load() -> None:
    """With holds that do not depend on the pool, request by request: FIFO and c against c + 1."""
    query = "kind=asyncpg&max_size={0}&min_size={0}&rate=300&cpu_fraction=0&rtt_ms=0&duration_s=5"
    waits = [
        np.asarray(trace.granted_s) - np.asarray(trace.asked_s)
        for trace in (simulate(parse(query.format(size))) for size in (6, 7, 8, 12))
    ]
    for fewer, more in itertools.pairwise(waits):
        assert (more <= fewer + 1e-9).all()


def test_twice_the_rate_is_the_same_stream_twice_as_dense() -> None:
    one, two = (draw(parse(f"rate={rate}&duration_s=5")).asked_s for rate in (100, 200))
    count = len(one)
    assert np.allclose(two[:count], one / 2.0, rtol=1e-12)
