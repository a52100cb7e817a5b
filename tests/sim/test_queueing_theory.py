"""The simulation against closed forms, over the whole path from query to interval.

Tolerance: each comparison uses its own interval, the Student t interval over independent
replications, widened so that all comparisons of a family hold together with 99 % confidence
(Bonferroni). Seeds are the numbers of the kinds, 1 and 2; none was chosen. Such intervals are
wide where waits are long and hang together, so the points are also taken together: over all of
them the relative error must vanish within three standard errors of a few per cent.
"""

import math
from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy import stats

from sim.query import parse
from sim.result import Estimate, SimulationResult
from sim.run import run
from sim.theory import erlang_c, wait_s_mean, wait_s_percentile

FAMILY_CONFIDENCE = 0.99
REPLICATIONS = 10
HOLD_S = 0.01
FREE = f"&rtt_ms=0&connect_ms=0&cpu_fraction=0&max_connections=10000&replications={REPLICATIONS}"

# Capacity and utilisation of each point.
POINTS = (
    (1, 0.3), (1, 0.6), (1, 0.9), (2, 0.5), (2, 0.8), (3, 0.95), (5, 0.7), (5, 0.9),
    (10, 0.85), (20, 0.8), (20, 0.9), (35, 0.9), (50, 0.95),
)  # fmt: skip
POOLS = {
    "asyncpg": "seed=1&max_size={c}&min_size={c}",
    "sqlalchemy": "seed=2&pool_size={c}&max_overflow=0&pool_timeout=300",
}
EVERY_POINT = pytest.mark.parametrize(
    ("kind", "capacity", "rho"), [(kind, *point) for kind, point in product(POOLS, POINTS)]
)
FAMILY = len(POINTS) * len(POOLS)


def requests_at(rho: float) -> int:
    """Requests of a replication: more where waits are longer and hang together."""
    return 3_000 if rho < 0.8 else 8_000 if rho < 0.95 else 15_000


@cache
def queue(kind: str, capacity: int, rho: float) -> SimulationResult:
    """Simulate M/M/c."""
    rate_per_s = rho * capacity / HOLD_S
    # Until an empty start no longer shows: a few times the relaxation time of the queue.
    settle_s = max(0.5, 6.0 * HOLD_S / (capacity * (1.0 - math.sqrt(rho)) ** 2))
    return run(
        parse(
            f"kind={kind}&{POOLS[kind].format(c=capacity)}&rate={rate_per_s:.9g}"
            f"&hold_ms={HOLD_S * 1000:g}&warm_up_s={settle_s:.4g}"
            f"&duration_s={settle_s + requests_at(rho) / rate_per_s:.6g}{FREE}"
        )
    )


def standard_error(estimate: Estimate) -> float:
    assert estimate.value is not None
    assert estimate.high is not None
    return (estimate.high - estimate.value) / float(stats.t.ppf(0.975, REPLICATIONS - 1))


def holds(estimate: Estimate, exact: float, family: int, coarsest: float = math.inf) -> None:
    """Compare with an exact value; `coarsest` is the widest half width allowed, relative."""
    alpha = (1.0 - FAMILY_CONFIDENCE) / family
    quantile = float(stats.t.ppf(1.0 - alpha / 2.0, REPLICATIONS - 1))
    half = quantile * standard_error(estimate)
    assert estimate.value is not None
    error = abs(estimate.value - exact)
    assert error <= half, f"{estimate.value:.6g} +- {half:.2g}, theory says {exact:.6g}"
    assert half <= coarsest * exact, f"+- {half:.2g} proves nothing about {exact:.6g}"


def may_be_withheld(found: Estimate, percentile: float, rho: float) -> bool:
    """Whether a busy queue was too short a run for a p99, which is then not given."""
    if found.value is None:
        assert (percentile, rho) >= (99, 0.9)
    return found.value is None


@EVERY_POINT
def test_the_mean_wait_is_that_of_erlang_c(kind: str, capacity: int, rho: float) -> None:
    exact = wait_s_mean(rho * capacity / HOLD_S, HOLD_S, capacity)
    holds(queue(kind, capacity, rho).wait_s.mean, exact, FAMILY)


@EVERY_POINT
@pytest.mark.parametrize("percentile", [95, 99])
def test_high_percentiles_of_the_wait_are_those_of_m_m_c(
    kind: str, capacity: int, rho: float, percentile: int
) -> None:
    """Up to 90 %: above, percentiles of such short runs are too skewed for a t interval."""
    if rho > 0.9:
        assert capacity in (3, 50), "these points are only taken together with the others"
        return
    exact = wait_s_percentile(rho * capacity / HOLD_S, HOLD_S, capacity, percentile)
    found = getattr(queue(kind, capacity, rho).wait_s, f"p{percentile}")
    if not may_be_withheld(found, percentile, rho):
        holds(found, exact, FAMILY)


@pytest.mark.parametrize(("what", "tolerance"), [("mean", 0.05), ("p95", 0.05), ("p99", 0.08)])
def test_over_all_points_there_is_no_bias(what: str, tolerance: float) -> None:
    """Relative errors, weighted by how much a point knows: n (1 - rho)^2, not by its own spread.

    A request waits on average for work that lasts 1 / (1 - rho)^2 holds, hence the weight.
    """
    errors, weights, spreads = [], [], []
    for kind, (capacity, rho) in product(POOLS, POINTS):
        rate_per_s = rho * capacity / HOLD_S
        exact = (
            wait_s_mean(rate_per_s, HOLD_S, capacity)
            if what == "mean"
            else wait_s_percentile(rate_per_s, HOLD_S, capacity, float(what[1:]))
        )
        if exact:
            found = getattr(queue(kind, capacity, rho).wait_s, what)
            if what == "p99" and may_be_withheld(found, 99, rho):
                continue
            errors.append(found.value / exact - 1.0)
            spreads.append(standard_error(found) / exact)
            weights.append(requests_at(rho) * (1.0 - rho) ** 2)
    assert len(errors) >= FAMILY / 3
    bias = float(np.average(errors, weights=weights))
    error = float(np.linalg.norm(np.multiply(weights, spreads))) / sum(weights)
    print(f"{what}: relative error {bias:+.4f}, standard error {error:.4f}, {len(errors)} points")
    assert abs(bias) <= 3.0 * error <= tolerance


@EVERY_POINT
def test_utilisation_is_the_offered_load_over_the_capacity(
    kind: str, capacity: int, rho: float
) -> None:
    holds(queue(kind, capacity, rho).utilisation, rho, FAMILY, coarsest=0.25)


@EVERY_POINT
def test_the_share_of_requests_that_wait_is_erlang_c(kind: str, capacity: int, rho: float) -> None:
    """The survival curve at 0, within 0.1: it has no interval of its own."""
    curve = queue(kind, capacity, rho).survival
    assert curve.wait_s[0] == 0.0
    assert curve.ratio[0] == pytest.approx(erlang_c(rho * capacity, capacity), abs=0.1)


# ---- one server, any hold ------------------------------------------------------------------------

M_G_1 = [(cv, rho) for cv in (0.0, 0.5, 2.0) for rho in (0.3, 0.6, 0.8)]


@pytest.mark.parametrize(("cv", "rho"), M_G_1)
def test_one_connection_waits_as_pollaczek_and_khinchine_say(cv: float, rho: float) -> None:
    """M/D/1 for cv 0, lognormal holds else: rho h (1 + cv^2) / (2 (1 - rho))."""
    result = run(
        parse(
            f"kind=asyncpg&max_size=1&min_size=1&rate={rho / HOLD_S:g}&hold_ms={HOLD_S * 1000:g}"
            f"&hold_cv={cv}&duration_s=60&warm_up_s=5{FREE}"
        )
    )
    exact = rho * HOLD_S * (1.0 + cv * cv) / (2.0 * (1.0 - rho))
    holds(result.wait_s.mean, exact, len(M_G_1), 0.8)


# ---- shared cores --------------------------------------------------------------------------------

SHARED = [(cv, rho) for cv in (0.0, 1.0, 2.0) for rho in (0.4, 0.8)]


@pytest.mark.parametrize(("cv", "rho"), SHARED)
def test_queries_on_one_shared_core_take_as_long_as_processor_sharing(
    cv: float, rho: float
) -> None:
    """M/G/1-PS: h / (1 - rho), whatever the distribution of the hold.

    Source: Kleinrock, Queueing Systems vol. 2 (1976), sec. 4.4.
    """
    result = run(
        parse(
            f"kind=sqlalchemy&pool_size=0&rate={rho / HOLD_S:g}&hold_ms={HOLD_S * 1000:g}"
            f"&hold_cv={cv}&cores=1&duration_s=60&warm_up_s=5{FREE}".replace(
                "cpu_fraction=0", "cpu_fraction=1"
            )
        )
    )
    holds(result.latency_s.mean, HOLD_S / (1.0 - rho), len(SHARED), 0.4)


@pytest.mark.parametrize(("cores", "rho"), [(2, 0.7), (4, 0.85)])
def test_exponential_queries_on_shared_cores_stay_as_long_as_in_m_m_c(
    cores: int, rho: float
) -> None:
    """With exponential demands the number present is that of M/M/c, so by Little the time is."""
    rate_per_s = rho * cores / HOLD_S
    result = run(
        parse(
            f"kind=sqlalchemy&pool_size=0&rate={rate_per_s:g}&hold_ms={HOLD_S * 1000:g}"
            f"&cores={cores}&duration_s=20&warm_up_s=2{FREE}".replace(
                "cpu_fraction=0", "cpu_fraction=1"
            )
        )
    )
    exact = wait_s_mean(rate_per_s, HOLD_S, cores) + HOLD_S
    holds(result.latency_s.mean, exact, 2, 0.3)


# ---- closed loop ---------------------------------------------------------------------------------

LOOPS = [(5, 2, 50.0), (20, 4, 50.0), (20, 10, 10.0), (40, 5, 100.0), (10, 10, 20.0)]


def machine_repair(users: int, capacity: int, think_s: float) -> tuple[float, float]:
    """Return throughput (1/s) and mean wait (s) of M/M/c with so many users who think.

    Balance of births (users - n) / think and deaths min(n, c) / hold.
    Source: Kleinrock, Queueing Systems vol. 1 (1975), sec. 3.8.
    """
    weights = [1.0]
    for present in range(users):
        births, deaths = (users - present) / think_s, min(present + 1, capacity) / HOLD_S
        weights.append(weights[-1] * births / deaths)
    shares = np.asarray(weights) / sum(weights)
    numbers = np.arange(users + 1)
    throughput = float((shares * np.minimum(numbers, capacity)).sum()) / HOLD_S
    waiting = float((shares * np.maximum(0, numbers - capacity)).sum())
    return throughput, waiting / throughput


@pytest.mark.parametrize(("users", "capacity", "think_ms"), LOOPS)
def test_a_closed_loop_is_the_machine_repair_model(
    users: int, capacity: int, think_ms: float
) -> None:
    result = run(
        parse(
            f"kind=asyncpg&max_size={capacity}&min_size={capacity}&users={users}"
            f"&think_ms={think_ms:g}&hold_ms={HOLD_S * 1000:g}&duration_s=8&warm_up_s=1{FREE}"
        )
    )
    throughput_per_s, wait_s = machine_repair(users, capacity, think_ms / 1000.0)
    family = 2 * len(LOOPS)
    holds(result.throughput_per_s, throughput_per_s, family, 0.1)
    holds(result.wait_s.mean, wait_s, family, 0.5)
