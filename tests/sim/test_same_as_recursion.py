"""The simulation against an independent model that knows no pool: c servers and one queue.

With round trips, connects and computing at no cost, asyncpg, SQLAlchemy without overflow and
aiohttp are all the same first-come-first-served queue. The recursion of Kiefer and Wolfowitz
(On the theory of queues with many servers, 1955) gives each request's wait from the same
arrivals and holds. Waits must agree within 1e-9 s, request by request, not just on average.
"""

from heapq import heapify, heapreplace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pools.trace import Outcome
from sim.engine import simulate
from sim.query import parse
from sim.scenario import Scenario
from sim.workload import Arrivals, draw
from tests.sim.traces import to_the_last_bit, waits_of

# Kind, and its settings for a capacity and a timeout (0 for none).
QUEUES = {
    "asyncpg": "max_size={c}&min_size={c}&acquire_timeout={timeout}",
    "sqlalchemy": "pool_size={c}&max_overflow=0&pool_timeout={timeout}",
    "aiohttp": "limit={c}&connect_timeout={timeout}",
}
FREE = "&rtt_ms=0&connect_ms=0&cpu_fraction=0&max_connections=10000&replications=1&warm_up_s=0"
NO_TIMEOUT = {"asyncpg": 0, "sqlalchemy": 300, "aiohttp": 0}


def recursion(arrivals: Arrivals, capacity: int, timeout_s: float) -> list[float]:
    """Return each request's wait: until served, or until its timeout if that is over first."""
    waits = [0.0] * len(arrivals.asked_s)
    for pool in set(arrivals.pool.tolist()):
        free_s = [0.0] * capacity
        heapify(free_s)
        for row in np.flatnonzero(arrivals.pool == pool).tolist():
            asked_s, hold_s = float(arrivals.asked_s[row]), float(arrivals.hold_s[row])
            start_s = max(asked_s, free_s[0])
            waits[row] = min(start_s - asked_s, timeout_s)
            if start_s <= asked_s + timeout_s:
                heapreplace(free_s, start_s + hold_s)
    return waits


@st.composite
def queues(draw: st.DrawFn) -> tuple[Scenario, int, float]:
    """Draw a kind, a capacity, a load from idle to overload, and a timeout or none."""
    kind = draw(st.sampled_from(sorted(QUEUES)))
    capacity = draw(st.integers(1, 30))
    hold_ms = draw(st.sampled_from([1, 5, 20]))
    rho = draw(st.sampled_from([0.3, 0.7, 0.9, 1.2]))
    timeout_s = draw(st.sampled_from([0.0, 0.05, 0.2, 1.0]))
    workers = draw(st.integers(1, 3))
    rate = min(8000.0, rho * capacity * workers * 1000.0 / hold_ms)
    pool = QUEUES[kind].format(c=capacity, timeout=timeout_s or NO_TIMEOUT[kind])
    scenario = parse(
        f"kind={kind}&{pool}&rate={rate:.6g}&hold_ms={hold_ms}&workers={workers}"
        f"&hold_cv={draw(st.sampled_from([0, 1, 2]))}&seed={draw(st.integers(0, 10_000))}"
        f"&duration_s={max(0.5, round(2000 / rate, 1))}{FREE}"
    )
    return scenario, capacity, timeout_s or float("inf")


@given(queue=queues())
@settings(max_examples=100)
def test_every_wait_is_that_of_the_recursion(queue: tuple[Scenario, int, float]) -> None:
    scenario, capacity, timeout_s = queue
    arrivals = draw(scenario)
    trace = simulate(scenario)
    expected = recursion(arrivals, capacity, timeout_s)
    assert np.allclose(waits_of(trace), expected, rtol=0.0, atol=1e-9)
    timed_out = np.asarray(trace.outcome) == Outcome.ACQUIRE_TIMEOUT
    assert timed_out.tolist() == (np.isnan(np.asarray(trace.granted_s))).tolist()
    assert not any(timed_out) or timeout_s < float("inf")


@given(queue=queues())
@settings(max_examples=20)
def test_given_arrivals_are_replayed_to_the_last_bit(queue: tuple[Scenario, int, float]) -> None:
    scenario, _, _ = queue
    replayed = simulate(scenario, arrivals=draw(scenario))
    assert to_the_last_bit(replayed) == to_the_last_bit(simulate(scenario))
