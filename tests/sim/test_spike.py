"""HikariCP's published spike, as real SQLAlchemy pools took it.

50 requests at once, 5 connections warm, connect 150 ms, query 2 ms. HikariCP's answer is to let
the queue wait for the 5 that are open ("Welcome To The Jungle"). SQLAlchemy's pool with room to
grow opens 45 connections, and the last request waits six times as long.

Measured with the real AsyncAdaptedQueuePool, latency of the last request:
    pool_size=5,  max_overflow=0,   5 warm:  27.7 ms, 0 opened
    pool_size=5,  max_overflow=45,  5 warm: 160.1 ms, 45 opened
    pool_size=50, max_overflow=0,   5 warm: 155 ms
    pool_size=50, max_overflow=0,  50 warm:   4.2 ms

Here nothing but connect and query takes time (rtt_ms=0, cpu_fraction=0): 10 rounds of 2 ms are
20 ms, one connect and one query 152 ms, one query 2 ms. The differences to the measurement, 7.7,
8.1, 3 and 2.2 ms, are the event loop's own work for 50 requests, 0.04 to 0.16 ms each, which the
model leaves out (docs/model.md).
"""

import numpy as np
import pytest

from sim.engine import simulate
from sim.query import parse
from sim.run import run
from sim.scenario import Scenario

SPIKE = (
    "pattern=spike&rate=0&spike_requests=50&spike_at_s=1&hold_ms=2&hold_cv=0&connect_ms=150"
    "&rtt_ms=0&cpu_fraction=0&duration_s=3&warm_up_s=0&replications=1"
)
LOOP_S_PER_REQUEST = 0.00017


def spike(pool: str) -> Scenario:
    return parse(f"{pool}&{SPIKE}")


def latencies(pool: str) -> np.ndarray:
    trace = simulate(spike(pool))
    return np.sort(np.asarray(trace.released_s) - np.asarray(trace.asked_s))


@pytest.mark.parametrize(
    ("pool", "last_s", "opened", "measured_s"),
    [
        ("pool_size=5&max_overflow=0&warm_connections=5", 0.020, 0, 0.0277),
        ("pool_size=5&max_overflow=45&warm_connections=5", 0.152, 45, 0.1601),
        ("pool_size=50&max_overflow=0&warm_connections=5", 0.152, 45, 0.155),
        ("pool_size=50&max_overflow=0&warm_connections=50", 0.002, 0, 0.0042),
    ],
)
def test_the_last_request_is_served_when_the_real_pool_serves_it(
    pool: str, last_s: float, opened: int, measured_s: float
) -> None:
    result = run(spike(pool))
    assert result.latency_s.max.value == pytest.approx(last_s, abs=1e-9)
    assert result.connections_opened == opened
    assert 0.0 < measured_s - last_s < 50 * LOOP_S_PER_REQUEST


def test_five_connections_serve_the_spike_in_ten_rounds() -> None:
    """HikariCP's ideal: the last after 20 ms, 11 ms on average."""
    seen = latencies("pool_size=5&max_overflow=0&warm_connections=5")
    assert np.allclose(seen, np.repeat(np.arange(1, 11) * 0.002, 5), atol=1e-9)
    assert seen.mean() == pytest.approx(0.011)


def test_more_overflow_makes_the_spike_last_longer() -> None:
    few, many = (
        latencies(f"pool_size=5&max_overflow={overflow}&warm_connections=5") for overflow in (0, 45)
    )
    assert many[-1] > 5.0 * few[-1]
    assert (many < 0.01).sum() == 5


def test_overflow_connections_of_the_spike_are_closed_again() -> None:
    """All 45 come back at the same moment as others; those beyond pool_size idle are closed."""
    result = run(spike("pool_size=5&max_overflow=45&warm_connections=5"))
    assert result.connections_max == 50
    line = result.timeline
    assert line.idle[-1] + line.in_use[-1] == pytest.approx(5.0)


def test_the_spike_adds_to_the_arrivals_that_are_there_anyway() -> None:
    calm, spiked = (
        parse(f"rate=100&duration_s=5&pattern={pattern}&spike_at_s=2&spike_requests=70")
        for pattern in ("steady", "spike")
    )
    assert len(simulate(spiked).asked_s) == len(simulate(calm).asked_s) + 70
    assert sum(at == 2.0 for at in simulate(spiked).asked_s) == 70
