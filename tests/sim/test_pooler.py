"""PgBouncer in front of PostgreSQL: cheap clients, shared server connections."""

from collections import Counter

import numpy as np
import pytest

from pools.trace import Outcome, Trace
from sim.engine import simulate
from sim.query import parse
from sim.workload import Arrivals
from tests.sim.traces import waits_of

RUN = "&warm_up_s=0&replications=1&duration_s=12"


def run(query: str) -> Trace:
    return simulate(parse(query + RUN))


def outcomes(trace: Trace) -> Counter[Outcome]:
    return Counter(map(Outcome, trace.outcome))


def latencies(trace: Trace) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(trace.released_s) - np.asarray(trace.asked_s)


def test_server_connections_are_opened_once_and_shared_first_come_first_served() -> None:
    """Three clients of two server connections: 50 ms to log in, holds of 100 ms."""
    zeros = np.zeros(3, dtype=np.int64)
    arrivals = Arrivals(np.zeros(3), np.full(3, 0.1), pool=zeros, host=zeros)
    query = "kind=asyncpg&rtt_ms=0&connect_ms=50&cpu_fraction=0&hold_cv=0&pgbouncer=true"
    trace = simulate(parse(f"{query}&default_pool_size=2{RUN}"), arrivals=arrivals)
    assert list(trace.granted_s) == [0.0] * 3
    assert list(trace.released_s) == pytest.approx([0.15, 0.15, 0.25])


def test_few_server_connections_serve_a_fleet_that_would_exceed_max_connections() -> None:
    """160 connections of 8 workers at a server that takes 97: refused, or behind PgBouncer."""
    fleet = "pool_size=20&max_overflow=0&workers=8&rate=1500&hold_ms=40&cores=64"
    direct = run(f"{fleet}&pattern=spike&spike_requests=300")
    pooled = run(
        f"{fleet}&pattern=spike&spike_requests=300&pgbouncer=true&default_pool_size=90"
        "&max_client_conn=1000"
    )
    assert outcomes(direct)[Outcome.CONNECT_REFUSED] > 0
    assert set(outcomes(pooled)) == {Outcome.OK}


def test_too_few_server_connections_move_the_queue_behind_the_grant() -> None:
    """Little's law: 200 a second holding 21 ms need 4.2; three cannot, and the pool sees
    nothing of it until its own connections are all waiting there.
    """
    query = "kind=asyncpg&max_size=90&min_size=0&rate=200&hold_ms=20&pgbouncer=true"
    enough, few = (run(f"{query}&default_pool_size={size}") for size in (20, 3))
    assert waits_of(few).max() > 1.0
    assert np.median(latencies(enough)) < 0.03
    assert np.median(latencies(few)) > 1.0


def test_session_mode_keeps_a_server_connection_for_each_client() -> None:
    """Ten clients that stay connected take all five for good; the others wait, then are cut."""
    query = (
        "kind=asyncpg&max_size=10&min_size=10&rate=200&hold_ms=30&pgbouncer=true"
        "&default_pool_size=5&query_wait_timeout=1&pool_mode={}"
    )
    assert set(outcomes(run(query.format("transaction")))) >= {Outcome.OK}
    session = outcomes(run(query.format("session")))
    assert session[Outcome.CONNECTION_LOST] > 0


def test_query_wait_timeout_disconnects_the_client() -> None:
    pool = "kind=asyncpg&max_size=90&min_size=0&rate=100&hold_ms=100"
    trace = run(f"{pool}&pgbouncer=true&default_pool_size=5&query_wait_timeout=0.5")
    lost = np.asarray(trace.outcome) == Outcome.CONNECTION_LOST
    held_s = (np.asarray(trace.released_s) - np.asarray(trace.granted_s))[lost]
    assert lost.sum() > 10
    assert held_s == pytest.approx(0.5, abs=0.01)


def test_clients_beyond_max_client_conn_are_refused() -> None:
    query = "kind=sqlalchemy-null&rate=200&hold_ms=50&pgbouncer=true&max_client_conn=5"
    assert outcomes(run(query))[Outcome.CONNECT_REFUSED] > 100


def test_connecting_to_pgbouncer_is_cheap() -> None:
    query = "kind=sqlalchemy-null&rate=100&hold_ms=10&connect_ms=40"
    direct, pooled = (run(f"{query}&pgbouncer={on}") for on in ("false", "true"))
    assert np.median(waits_of(direct)) == pytest.approx(0.0425, abs=0.001)
    assert np.median(waits_of(pooled)) == pytest.approx(0.0025, abs=0.001)


def test_an_http_client_has_no_pgbouncer() -> None:
    assert not parse("kind=aiohttp&pgbouncer=true").has_pooler
