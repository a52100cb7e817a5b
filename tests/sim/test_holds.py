"""Holds are distributed as was asked: against closed forms, and scipy as a second opinion."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from sim import holds
from sim.demand import DISTRIBUTIONS
from sim.holds import Gamma, Holds, Hyperexponential, Lognormal, Pareto, by_mean, by_percentiles
from sim.query import parse
from sim.workload import draw

MEANS = st.floats(1e-4, 60.0)
CAP_S = 600.0
DRAWN = 100_000


def cv_of(made: Holds) -> float:
    """Return the cv of a distribution from its parameters, as the textbooks have it."""
    match made:
        case holds.Constant():
            return 0.0
        case holds.Exponential():
            return 1.0
        case Lognormal():
            return float(stats.lognorm(s=made.sigma).std() / stats.lognorm(s=made.sigma).mean())
        case Gamma():
            return float(stats.gamma(made.shape).std() / stats.gamma(made.shape).mean())
        case Hyperexponential():
            share = made.share
            second = 2.0 * (share / (2.0 * share) ** 2 + (1 - share) / (2.0 * (1 - share)) ** 2)
            return math.sqrt(second - 1.0)
        case Pareto():
            return _capped_cv(made)
    raise AssertionError(made)


def _capped_cv(made: Pareto) -> float:
    """Integrate scipy's survival function up to the cap, in log x, where it is smooth."""
    logs = np.linspace(math.log(made.low_s), math.log(made.cap_s), 100_001)
    times = np.exp(logs)
    beyond = stats.pareto(made.shape, scale=made.low_s).sf(times) * times
    mean = made.low_s + float(integrate.simpson(beyond, x=logs))
    second = made.low_s**2 + float(integrate.simpson(2.0 * times * beyond, x=logs))
    assert made.mean_s == pytest.approx(mean, rel=1e-6)
    return math.sqrt(second / mean**2 - 1.0)


@given(mean_s=MEANS, cv=st.floats(0.01, 5.0), name=st.sampled_from(DISTRIBUTIONS[:-2]))
def test_mean_and_cv_are_those_asked_for(mean_s: float, cv: float, name: str) -> None:
    if name == "hyperexponential":
        cv = max(cv, 1.0)
    made = by_mean(name, mean_s, cv, CAP_S)
    assert made.mean_s == pytest.approx(mean_s, rel=1e-9)
    expected = {"constant": 0.0, "exponential": 1.0}.get(name, cv)
    assert cv_of(made) == pytest.approx(expected, rel=1e-6)


@given(mean_s=st.floats(1e-3, 6.0), cv=st.floats(0.05, 5.0))
@settings(max_examples=20)
def test_a_capped_pareto_has_its_mean_and_cv_after_the_cut(mean_s: float, cv: float) -> None:
    made = by_mean("pareto", mean_s, cv, CAP_S)
    assert made.mean_s == pytest.approx(mean_s, rel=1e-9)
    assert cv_of(made) == pytest.approx(cv, rel=1e-3)


@given(
    p50_s=st.floats(1e-4, 1.0),
    ratio=st.floats(1.001, 500.0),
    name=st.sampled_from(["auto", "lognormal", "pareto"]),
)
def test_median_and_p99_are_those_asked_for(p50_s: float, ratio: float, name: str) -> None:
    made = by_percentiles(name, p50_s, p50_s * ratio, CAP_S)
    if isinstance(made, Pareto):
        law = stats.pareto(made.shape, scale=made.low_s)
    else:
        assert isinstance(made, Lognormal)
        law = stats.lognorm(s=made.sigma, scale=math.exp(made.mu))
    assert law.ppf([0.5, 0.99]) == pytest.approx([p50_s, p50_s * ratio], rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "made",
    [
        by_mean("exponential", 0.02, 1.0, CAP_S),
        by_mean("lognormal", 0.02, 2.0, CAP_S),
        by_mean("gamma", 0.02, 0.5, CAP_S),
        by_mean("hyperexponential", 0.02, 2.0, CAP_S),
        by_mean("pareto", 0.02, 0.8, CAP_S),
        by_percentiles("pareto", 0.01, 0.5, 1.0),
        by_percentiles("auto", 0.01, 0.5, CAP_S),
    ],
    ids=lambda made: type(made).__name__,
)
def test_what_is_drawn_follows_the_distribution(made: Holds, seed: int) -> None:
    """Kolmogorov-Smirnov on 100 000 draws: 21 fixed seeds, each at 1e-4, so by luck once in 500."""
    drawn = made.draw(DRAWN, np.random.default_rng(seed))
    assert stats.kstest(drawn, law_of(made)).pvalue > 1e-4


def law_of(made: Holds):  # type: ignore[no-untyped-def]  # noqa: ANN201  a function of arrays
    """Return the cumulative distribution function."""
    match made:
        case holds.Exponential():
            return stats.expon(scale=made.mean_s).cdf
        case Lognormal():
            return stats.lognorm(s=made.sigma, scale=math.exp(made.mu)).cdf
        case Gamma():
            return stats.gamma(made.shape, scale=made.mean_s / made.shape).cdf
        case Hyperexponential():
            share, mean_s = made.share, made.mean_s
            first, second = (stats.expon(scale=mean_s / (2 * s)) for s in (share, 1 - share))
            return lambda x: share * first.cdf(x) + (1 - share) * second.cdf(x)
        case Pareto():
            law, cap_s = stats.pareto(made.shape, scale=made.low_s), made.cap_s
            return lambda x: np.where(x < cap_s, law.cdf(x), 1.0)
    raise AssertionError(made)


def test_auto_is_what_hold_cv_says() -> None:
    assert isinstance(by_mean("auto", 1.0, 0.0, CAP_S), holds.Constant)
    assert isinstance(by_mean("auto", 1.0, 1.0, CAP_S), holds.Exponential)
    assert isinstance(by_mean("auto", 1.0, 0.9, CAP_S), Lognormal)


def test_empirical_holds_are_the_values_given_and_nothing_else() -> None:
    scenario = parse("hold_distribution=empirical&hold_values=1,2,2,95&rate=500&replications=2")
    assert scenario.workload.held_s_mean == pytest.approx(0.025)
    drawn = draw(scenario).hold_s
    assert set(drawn.tolist()) == {0.001, 0.002, 0.095}
    assert np.mean(drawn == 0.002) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(len(drawn)))


def test_offered_load_follows_the_distribution_however_it_is_given() -> None:
    percentiles = parse("hold_given=percentiles&hold_p50_ms=10&hold_p99_ms=200&rtt_ms=0")
    sigma = math.log(20.0) / stats.norm.ppf(0.99)
    expected_s = 0.01 * math.exp(sigma**2 / 2)
    assert percentiles.offered_load == pytest.approx(200 * expected_s, rel=1e-9)
