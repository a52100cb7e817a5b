"""The closed forms against independent numerics: generators solved by scipy, chains, integrals."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, linalg, stats

from sim.closed_forms import (
    Steady,
    engset,
    erlang_a,
    m_g_1,
    m_g_c_ps_latency_s,
    m_m_c_k,
    m_m_c_with_patience,
    machine_repair,
    wait_s_survival,
)
from sim.theory import erlang_b, wait_s_mean, wait_s_percentile

HOLD_S = 0.01
CAPACITIES = st.integers(1, 12)
USE = st.floats(0.1, 1.5)
STABLE_USE = st.floats(0.05, 0.95)


def stationary(generator: np.ndarray) -> np.ndarray:
    """Return the shares of time of a Markov process, as the null space of its generator."""
    space = linalg.null_space(generator.T, rcond=1e-12)[:, 0]
    return np.asarray(space / space.sum())


def generator_of(births: list[float], deaths: list[float]) -> np.ndarray:
    made = np.diag(births, 1) + np.diag(deaths, -1)
    return np.asarray(made - np.diag(made.sum(axis=1)))


def waiting_in(shares: np.ndarray, capacity: int) -> float:
    return float(shares @ np.maximum(0, np.arange(len(shares)) - capacity))


@given(capacity=CAPACITIES, use=USE, queue=st.integers(0, 20))
def test_m_m_c_k_is_the_null_space_of_its_generator(capacity: int, use: float, queue: int) -> None:
    places, rate = capacity + queue, use * capacity / HOLD_S
    deaths = [min(n, capacity) / HOLD_S for n in range(1, places + 1)]
    shares = stationary(generator_of([rate] * places, deaths))
    found = m_m_c_k(rate, HOLD_S, capacity, places)
    assert found.lost_ratio == pytest.approx(shares[-1], rel=1e-6, abs=1e-12)
    assert found.wait_s_mean == pytest.approx(
        waiting_in(shares, capacity) / rate, rel=1e-6, abs=1e-12
    )


@given(capacity=CAPACITIES, use=USE)
def test_without_a_queue_it_is_erlang_b(capacity: int, use: float) -> None:
    found = m_m_c_k(use * capacity / HOLD_S, HOLD_S, capacity, capacity)
    assert found.lost_ratio == pytest.approx(erlang_b(use * capacity, capacity), rel=1e-9)


@given(users=st.integers(1, 30), capacity=CAPACITIES, think_s=st.floats(0.001, 0.5))
def test_machine_repair_is_the_null_space_of_its_generator(
    users: int, capacity: int, think_s: float
) -> None:
    births = [(users - n) / think_s for n in range(users)]
    deaths = [min(n, capacity) / HOLD_S for n in range(1, users + 1)]
    shares = stationary(generator_of(births, deaths))
    throughput = float(shares @ np.minimum(np.arange(users + 1), capacity)) / HOLD_S
    found = machine_repair(users, think_s, HOLD_S, capacity)
    assert found.throughput_per_s == pytest.approx(throughput, rel=1e-6)
    waiting = waiting_in(shares, capacity)
    assert found.wait_s_mean == pytest.approx(waiting / throughput, rel=1e-6, abs=1e-9)


@given(users=st.integers(2, 40), capacity=CAPACITIES, think_s=st.floats(0.001, 0.5))
def test_engset_loses_as_a_truncated_binomial_of_one_user_less(
    users: int, capacity: int, think_s: float
) -> None:
    busy = HOLD_S / (HOLD_S + think_s)
    full, up_to = (f(capacity, users - 1, busy) for f in (stats.binom.pmf, stats.binom.cdf))
    assert engset(users, think_s, HOLD_S, capacity).lost_ratio == pytest.approx(
        full / up_to, rel=1e-9, abs=1e-15
    )


@given(capacity=CAPACITIES, use=USE, patience=st.floats(0.1, 20.0))
@settings(max_examples=50)
def test_erlang_a_is_the_null_space_of_its_generator(
    capacity: int, use: float, patience: float
) -> None:
    rate, patience_s = use * capacity / HOLD_S, patience * HOLD_S
    most = capacity + 400
    deaths = [
        min(n, capacity) / HOLD_S + max(0, n - capacity) / patience_s for n in range(1, most + 1)
    ]
    logs = np.concatenate([[0.0], np.cumsum(np.log(rate) - np.log(deaths))])
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    found = erlang_a(rate, HOLD_S, capacity, patience_s)
    waiting = waiting_in(shares, capacity)
    assert found.wait_s_mean == pytest.approx(waiting / rate, rel=1e-7, abs=1e-12)
    in_use = float(shares @ np.minimum(np.arange(most + 1), capacity))
    assert found.throughput_per_s == pytest.approx(in_use / HOLD_S, rel=1e-7)


def by_the_virtual_wait(
    rate: float, capacity: int, patience_s: float, end_s: float
) -> tuple[float, float]:
    """Return wait mean and share lost of M/M/c+D by integrating its virtual wait.

    The density of the time a request would have to wait obeys v' = (rate stays(x) - c/h) v:
    only who would still be there at x adds to the work. Source: Baccelli and Hebuterne (1981).
    """
    served = capacity / HOLD_S
    # Weight of c - 1 in use is 1: the density starts at the rate into the queue.
    busy = [math.exp(math.lgamma(capacity) - math.lgamma(n + 1)) for n in range(capacity)]
    free = sum(weight * (rate * HOLD_S) ** (n - capacity + 1) for n, weight in enumerate(busy))

    def density(x: float) -> float:
        return rate * math.exp(rate * min(x, patience_s) - served * x)

    def up_to(weight: Callable[[float], float]) -> float:
        parts = [(0.0, patience_s), (patience_s, end_s)]
        return sum(
            integrate.quad(lambda x: weight(x) * density(x), *part, limit=200)[0] for part in parts
        )

    whole = free + up_to(lambda _: 1.0)
    lost = integrate.quad(density, patience_s, end_s, limit=200)[0] / whole
    return up_to(lambda x: min(x, patience_s)) / whole, lost


@given(capacity=CAPACITIES, use=USE, patience=st.floats(0.1, 8.0))
@settings(max_examples=50)
def test_a_constant_patience_is_the_integral_of_the_virtual_wait(
    capacity: int, use: float, patience: float
) -> None:
    rate, patience_s = use * capacity / HOLD_S, patience * HOLD_S
    found = m_m_c_with_patience(rate, HOLD_S, capacity, patience_s)
    end_s = patience_s + 60.0 * HOLD_S / capacity
    wait_s, lost = by_the_virtual_wait(rate, capacity, patience_s, end_s)
    assert found.wait_s_mean == pytest.approx(wait_s, rel=1e-6)
    assert found.lost_ratio == pytest.approx(lost, rel=1e-6, abs=1e-12)


@given(capacity=CAPACITIES, use=STABLE_USE)
def test_endless_patience_is_erlang_c_and_none_is_erlang_b(capacity: int, use: float) -> None:
    rate = use * capacity / HOLD_S
    patient = m_m_c_with_patience(rate, HOLD_S, capacity, 1000.0 * HOLD_S / (1.0 - use))
    assert patient.wait_s_mean == pytest.approx(wait_s_mean(rate, HOLD_S, capacity), rel=1e-6)
    hurried = m_m_c_with_patience(rate, HOLD_S, capacity, 1e-12)
    assert hurried.lost_ratio == pytest.approx(erlang_b(use * capacity, capacity), rel=1e-6)


@pytest.mark.parametrize("cv", [0.0, 0.3, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("rho", [0.3, 0.6, 0.8])
def test_pollaczek_khinchine_is_the_chain_at_departures(cv: float, rho: float) -> None:
    """Gamma holds: arrivals during one are negative binomial, Poisson for a constant hold.

    The chain of requests left behind is solved on 0..600; W from it by Little.
    """
    size = 600
    if cv == 0.0:
        arriving = stats.poisson.pmf(np.arange(size), rho)
    else:
        shape = 1.0 / cv**2
        arriving = stats.nbinom.pmf(np.arange(size), shape, shape / (shape + rho))
    chain = linalg.toeplitz(np.zeros(size), arriving)
    chain[1:] = linalg.toeplitz(np.r_[arriving[0], np.zeros(size - 2)], arriving)
    chain[0] = arriving
    chain[:, -1] += 1.0 - chain.sum(axis=1)
    shares = stationary(chain - np.eye(size))
    present = float(shares @ np.arange(size))
    rate = rho / HOLD_S
    assert m_g_1(rate, HOLD_S, cv).wait_s_mean == pytest.approx(present / rate - HOLD_S, rel=1e-6)


@given(capacity=CAPACITIES, use=STABLE_USE)
def test_the_wait_of_m_m_c_is_the_integral_of_its_survival(capacity: int, use: float) -> None:
    rate = use * capacity / HOLD_S
    scale_s = HOLD_S / (capacity * (1.0 - use))
    whole, _ = integrate.quad(
        lambda t: wait_s_survival(rate, HOLD_S, capacity, t * scale_s), 0.0, math.inf
    )
    assert whole * scale_s == pytest.approx(wait_s_mean(rate, HOLD_S, capacity), rel=1e-5)
    p99 = wait_s_percentile(rate, HOLD_S, capacity, 99.0)
    if p99:
        assert wait_s_survival(rate, HOLD_S, capacity, p99) == pytest.approx(0.01)


@given(cores=CAPACITIES, use=STABLE_USE)
def test_queries_that_share_cores_are_as_many_as_in_m_m_c(cores: int, use: float) -> None:
    rate = use * cores / HOLD_S
    most = cores + 2000
    logs = [rate * HOLD_S / min(n, cores) for n in range(1, most + 1)]
    weights = np.concatenate([[1.0], np.cumprod(logs)])
    present = float(weights @ np.arange(most + 1) / weights.sum())
    assert m_g_c_ps_latency_s(rate, HOLD_S, cores) == pytest.approx(present / rate, rel=1e-9)


@pytest.mark.parametrize("rho", [1.0, 1.3])
def test_from_saturation_on_there_is_no_mean_wait(rho: float) -> None:
    assert m_g_1(rho / HOLD_S, HOLD_S, 1.0).wait_s_mean == math.inf
    assert wait_s_survival(rho / HOLD_S, HOLD_S, 1, 100.0) == 1.0
    assert m_g_c_ps_latency_s(rho / HOLD_S, HOLD_S, 1) == math.inf


@given(capacity=CAPACITIES, users=st.integers(1, 12))
def test_fewer_users_than_connections_never_wait_and_never_lose(capacity: int, users: int) -> None:
    for found in (
        engset(users, 0.1, HOLD_S, capacity),
        machine_repair(users, 0.1, HOLD_S, capacity),
    ):
        if users <= capacity:
            exact = Steady(0.0, 0.0, users / (0.1 + HOLD_S))
            assert found.wait_s_mean == pytest.approx(exact.wait_s_mean, abs=1e-12)
            assert found.throughput_per_s == pytest.approx(exact.throughput_per_s)
