"""What a library adds around a pool, read off a run of which it is known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.live.lags import lags_of
from pools.trace import Trace
from sim.engine import simulate
from sim.query import parse
from sim.worker import Worker
from sim.workload import draw

BUSY = {
    "sqlalchemy": "pool_size=2&max_overflow=0&warm_connections=2",
    "asyncpg": "kind=asyncpg&min_size=2&max_size=2",
    "aiohttp": "kind=aiohttp&limit=2&warm_connections=2",
}
LOAD = "rate=60&hold_ms=20&rtt_ms=0&connect_ms=0&cpu_fraction=0&duration_s=8&warm_up_s=0"
lag_ms = st.floats(0.0, 1.0)


@pytest.mark.parametrize("kind", BUSY)
@given(overhead_ms=lag_ms, handover_ms=lag_ms, entry_ms=lag_ms)
def test_a_run_gives_back_the_lags_that_went_into_it(
    kind: str, overhead_ms: float, handover_ms: float, entry_ms: float
) -> None:
    """A newcomer enters while a waiter is being woken; it may come before, and be woken later."""
    worker = Worker(overhead_s=overhead_ms / 1e3, handover_s=handover_ms / 1e3)
    scenario = replace(
        parse(f"{BUSY[kind]}&{LOAD}"), worker=replace(worker, entry_s=entry_ms / 1e3)
    )
    asked = draw(scenario)
    trace = simulate(scenario, arrivals=asked)
    found = lags_of(trace, [0.0] * len(asked.asked_s), asked.hold_s.tolist())
    assert found is not None
    assert found.requests == len(asked.asked_s)
    assert found.overhead_s == pytest.approx(worker.overhead_s, abs=1e-9)
    assert found.entry_s == pytest.approx(entry_ms / 1e3, abs=1e-4)
    assert found.handover_s == pytest.approx(worker.handover_s, abs=1e-4)


def test_nothing_can_be_said_of_a_run_that_served_nobody() -> None:
    assert lags_of(Trace(), [], []) is None
