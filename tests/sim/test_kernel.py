"""The kernel decides as the SimPy engine does, request by request, to the last bit."""

from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from sim.engine import simulate
from sim.kernel.coverage import kinds_covered, uncovered
from sim.kernel.simulate import simulate_arrays
from sim.query import parse
from tests.sim.kernels import covered_scenarios, differing
from tests.sim.small import small_scenarios
from tests.sim.traces import to_the_last_bit

# The first to run compiles: 10 s of CPU, minutes on a machine that is busy.
pytestmark = pytest.mark.timeout(900)
# Heavy enough for every queue to form; the random scenarios are small.
LOADED = (
    "kind=asyncpg&max_size=8&min_size=4&acquire_timeout=0.1&max_queries=50&max_connections=20",
    "kind=aiohttp&limit=8&connect_timeout=0.1&keepalive_timeout=0.5&pattern=spike",
    "kind=aiohttp&limit=5&version=3.10&users=40&think_ms=0&pattern=closed",
    "kind=asyncpg&version=0.31&users=60&think_ms=20&max_inactive_connection_lifetime=0.05",
    "pool_size=4&max_overflow=4&pool_timeout=0.2&pool_pre_ping=1&pool_recycle=2&workers=2&cores=3",
    "kind=sqlalchemy-null&max_connections=20&connect_cpu_ms=2",
    "kind=asyncpg&max_size=4&min_size=4&pattern=looping&users=30&hold_distribution=constant",
    "pool_size=4&max_overflow=1&pattern=looping&users=30&workers=2&handover_ms=0.05&loop_cpu_ms=1",
    "workers=3&loop_cpu_ms=2&handover_ms=0.05&entry_ms=0.1&contention=0.1&serial=0.01",
)


@pytest.mark.parametrize("kind", kinds_covered())
@given(data=st.data())
@settings(max_examples=100)
def test_kernel_and_engine_agree_to_the_last_bit(kind: str, data: st.DataObject) -> None:
    _, columns = differing(data.draw(covered_scenarios(kind)))
    assert not columns


@pytest.mark.parametrize("query", LOADED)
def test_they_agree_under_heavy_load(query: str) -> None:
    scenario = parse(query + "&rate=400&duration_s=10&replications=1&hold_cv=1.5")
    assert not uncovered(scenario)
    assert to_the_last_bit(simulate_arrays(scenario)) == to_the_last_bit(simulate(scenario))


@pytest.mark.parametrize("most", ["EVENTS_MAX", "IN_PROGRESS_MAX"])
@pytest.mark.parametrize("query", LOADED)
def test_limits_cut_both_short_at_the_same_instant(query: str, most: str) -> None:
    scenario = parse(query + "&rate=400&duration_s=10&replications=1&hold_cv=1.5")
    with mock.patch(f"sim.limits.{most}", 5_000 if most == "EVENTS_MAX" else 10):
        ours, theirs = simulate_arrays(scenario), simulate(scenario)
    assert ours.truncated == theirs.truncated
    assert to_the_last_bit(ours) == to_the_last_bit(theirs)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(kinds_covered())))
@given(data=st.data())
@settings(max_examples=5)
def test_what_the_kernel_does_not_play_it_says(kind: str, data: st.DataObject) -> None:
    assert kind in uncovered(data.draw(small_scenarios(kind)))
