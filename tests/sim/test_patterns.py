"""Arrivals come when the pattern says: counts against their expectation, by part of the run."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from sim.demand import CLOSED, PATTERNS, Workload
from sim.patterns import PATTERNS as FUNCTIONS
from sim.patterns import poisson
from sim.query import parse
from sim.workload import draw

SEEDS = (1, 2, 3)
SPAN_S = 600.0
# A count of mean n has standard deviation sqrt(n): five of them are exceeded once in 1.7 million.
SIGMAS = 5.0
FEW = "replications=1&warm_up_s=0&rate=100&duration_s=600"


def arrivals(query: str, seed: int) -> np.ndarray:
    return draw(parse(f"{FEW}&{query}&seed={seed}")).asked_s


def assert_counts(asked_s: np.ndarray, rate: object, parts: int = 10) -> None:
    """Compare the number of arrivals in each part of the run with the integral of the rate."""
    edges = np.linspace(0.0, SPAN_S, parts + 1)
    seen, _ = np.histogram(asked_s, edges)
    for count, (start, end) in zip(seen, itertools.pairwise(edges), strict=True):
        expected, _ = integrate.quad(rate, start, end)
        assert abs(count - expected) <= SIGMAS * math.sqrt(expected)


def test_every_pattern_has_its_function() -> None:
    assert {*FUNCTIONS} | {*CLOSED} == {*PATTERNS}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_ramp_rises_or_falls_evenly(seed: int) -> None:
    assert_counts(arrivals("pattern=ramp&ramp_rate=400", seed), lambda t: 100 + 300 * t / SPAN_S)
    assert_counts(arrivals("pattern=ramp&ramp_rate=10", seed), lambda t: 100 - 90 * t / SPAN_S)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_ramp_to_the_same_rate_is_steady(seed: int) -> None:
    flat, steady = (
        arrivals(query, seed) for query in ("pattern=ramp&ramp_rate=100", "pattern=steady")
    )
    count = min(len(flat), len(steady))
    assert np.allclose(flat[:count], steady[:count])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_is_quiet_at_midnight_and_busy_at_noon(seed: int) -> None:
    asked_s = arrivals("pattern=day&day_peak=1.9", seed)
    assert_counts(asked_s, lambda t: 100 * (1 - 0.9 * math.cos(2 * math.pi * t / SPAN_S)))


@pytest.mark.parametrize("seed", SEEDS)
def test_gaps_of_a_steady_stream_are_exponential(seed: int) -> None:
    gaps = np.diff(arrivals("pattern=steady", seed))
    assert stats.kstest(gaps, stats.expon(scale=0.01).cdf).pvalue > 1e-4


def test_bursts_leave_the_mean_rate_and_spread_the_counts() -> None:
    """Index of dispersion of counts against its limit for a two-state modulated process.

    Source: Fischer and Meier-Hellstern, The Markov-modulated Poisson process cookbook (1993),
    eq. 22: 1 + 2 (r1 - r2)^2 q1 q2 / ((q1 + q2)^2 (q2 r1 + q1 r2)). 20 runs of 600 s hold 12 000
    bursts; counts over 20 s are all but uncorrelated. The tolerances are four times what
    the replications scatter.
    """
    scenario = parse(f"{FEW}&pattern=bursty&burst_factor=5&burst_s=0.5&burst_share=0.2")
    load = scenario.workload
    counts = np.concatenate(
        [np.histogram(draw(scenario, run).asked_s, np.arange(0, 601, 20))[0] for run in range(20)]
    )
    assert counts.mean() / 20 == pytest.approx(100, rel=0.03)
    calm, burst = load.calm_rate_per_s, load.rate_per_s_max
    leave, enter = 1 / 0.5, 0.2 / (0.5 * 0.8)
    spread = (
        2 * (burst - calm) ** 2 * leave * enter / ((leave + enter) ** 2 * 100 * (leave + enter))
    )
    assert counts.var() / counts.mean() == pytest.approx(1 + spread, rel=0.25)


@pytest.mark.parametrize("seed", SEEDS)
def test_bursts_of_factor_one_are_no_bursts(seed: int) -> None:
    asked_s = arrivals("pattern=bursty&burst_factor=1", seed)
    assert np.allclose(asked_s, arrivals("pattern=steady", seed)[: len(asked_s)])


def test_bursts_do_not_depend_on_how_many_come() -> None:
    """The stream of states is its own: twice the rate has its bursts at the same times."""
    dense = FEW.replace("rate=100", "rate=200")
    once, twice = (
        np.histogram(draw(parse(f"{query}&pattern=bursty")).asked_s, 600)[0]
        for query in (FEW, dense)
    )
    assert np.corrcoef(once, twice)[0, 1] > 0.7


def test_no_pattern_brings_more_than_is_expected_at_most() -> None:
    load = Workload(pattern="bursty", rate_per_s=100.0, burst_factor=50.0, burst_share=0.5)
    rng, states = np.random.default_rng(1), np.random.default_rng(2)
    most = load.requests_max(60.0)
    assert len(FUNCTIONS["bursty"](load, 60.0, rng, states)) <= most + SIGMAS * math.sqrt(most)


def test_a_rate_of_zero_brings_nobody() -> None:
    assert len(poisson(0.0, 10.0, np.random.default_rng(1))) == 0


def test_looping_users_are_users_who_do_not_think() -> None:
    looping, closed = (
        parse(f"users=20&duration_s=2&warm_up_s=0&hold_cv=0&{how}")
        for how in ("pattern=looping", "think_ms=0")
    )
    assert looping.workload.pause_s_mean == closed.workload.pause_s_mean == 0.0
    assert looping.requests_expected == closed.requests_expected
