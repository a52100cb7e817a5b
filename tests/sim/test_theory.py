"""The closed forms against tables, independent formulas and scipy."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.theory import (
    erlang_b,
    erlang_c,
    offered_load,
    smallest_capacity,
    student_t,
    wait_s_mean,
    wait_s_percentile,
)

LOADS = st.floats(0.01, 60.0)
CAPACITIES = st.integers(1, 80)


@given(load=LOADS, capacity=CAPACITIES)
def test_erlang_b_is_the_poisson_share_of_a_full_system(load: float, capacity: int) -> None:
    """B = P(N = c) / P(N <= c) for a Poisson N with the offered load as its mean."""
    full, up_to_full = stats.poisson.pmf(capacity, load), stats.poisson.cdf(capacity, load)
    assert erlang_b(load, capacity) == pytest.approx(full / up_to_full, rel=1e-9, abs=1e-300)


@given(load=LOADS, capacity=CAPACITIES)
def test_erlang_c_is_a_share_and_at_least_erlang_b(load: float, capacity: int) -> None:
    waits = erlang_c(load, capacity)
    assert erlang_b(load, capacity) <= waits <= 1.0


@pytest.mark.parametrize(
    ("load", "capacity", "share"),
    # Two decimals as printed in tables of the Erlang C formula, and M/M/1, where it is rho.
    [(0.5, 1, 0.5), (1.0, 2, 0.3333), (2.0, 3, 0.4444), (8.0, 10, 0.4092), (20.0, 25, 0.2091)],
)
def test_erlang_c_has_its_known_values(load: float, capacity: int, share: float) -> None:
    assert erlang_c(load, capacity) == pytest.approx(share, abs=5e-5)


@given(rho=st.floats(0.01, 0.99), hold_s=st.floats(1e-4, 10.0))
def test_one_server_waits_as_long_as_m_m_1(rho: float, hold_s: float) -> None:
    wait_s = wait_s_mean(rho / hold_s, hold_s, 1)
    assert wait_s == pytest.approx(rho * hold_s / (1.0 - rho), rel=1e-9)


@given(load=LOADS, capacity=CAPACITIES, hold_s=st.floats(1e-4, 10.0))
def test_the_percentile_is_where_the_exponential_tail_says(
    load: float, capacity: int, hold_s: float
) -> None:
    """P(W > t) = C exp(-(c - a) t / h) in M/M/c."""
    if load >= 0.999 * capacity:
        return
    for percentile in (50.0, 90.0, 99.0):
        t_s = wait_s_percentile(load / hold_s, hold_s, capacity, percentile)
        beyond = erlang_c(load, capacity) * math.exp(-(capacity - load) * t_s / hold_s)
        if t_s > 0.0:
            assert beyond == pytest.approx(1.0 - percentile / 100.0, rel=1e-6)
        else:
            assert beyond <= 1.0 - percentile / 100.0 + 1e-12


@given(capacity=CAPACITIES, over=st.floats(0.0, 50.0))
def test_from_saturation_on_everybody_waits_for_ever(capacity: int, over: float) -> None:
    rate_per_s = capacity + over
    assert erlang_c(offered_load(rate_per_s, 1.0), capacity) == 1.0
    assert wait_s_mean(rate_per_s, 1.0, capacity) == math.inf
    assert wait_s_percentile(rate_per_s, 1.0, capacity, 50.0) == math.inf


@given(load=st.floats(0.1, 40.0), goal_s=st.floats(0.0, 0.2))
def test_the_smallest_capacity_meets_the_goal_and_one_less_does_not(
    load: float, goal_s: float
) -> None:
    capacity = smallest_capacity(load / 0.02, 0.02, 99.0, goal_s)
    assert wait_s_percentile(load / 0.02, 0.02, capacity, 99.0) <= goal_s
    if capacity - 1 > load:
        assert wait_s_percentile(load / 0.02, 0.02, capacity - 1, 99.0) > goal_s


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("freedom", [*range(1, 31), 49, 99, 199, 1000])
def test_students_t_is_that_of_scipy(freedom: int, confidence: float) -> None:
    """Hill's algorithm promises about six digits from 5 degrees of freedom on, three below."""
    exact = stats.t.ppf(0.5 + confidence / 2.0, freedom)
    within = 1e-3 if freedom < 5 else 1e-5
    assert student_t(freedom, confidence) == pytest.approx(exact, rel=within)
