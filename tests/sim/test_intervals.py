"""Whether a 95 % interval holds the truth 95 times in 100."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.engine import simulate
from sim.estimate import BEYOND_MIN, Groups, mean_of, percentiles
from sim.measure import Window, measure
from sim.query import parse
from sim.result import Estimate
from sim.theory import wait_s_mean

SEEDS = 300
# Of 300 intervals that hold with probability 95 %, 270 to 297 do in all but 2 of 10 000 cases.
COVERED = (0.90, 0.99)


def covers(estimate: Estimate, truth: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def test_the_interval_of_the_mean_wait_holds_erlang_c_95_times_in_100() -> None:
    """Seeds 1 to 300, five replications of about 500 requests each at 50 % use of two."""
    query = (
        "kind=asyncpg&max_size=2&min_size=2&rate=100&hold_ms=10&rtt_ms=0&cpu_fraction=0"
        "&duration_s=6&warm_up_s=1&seed={}"
    )
    exact = wait_s_mean(100.0, 0.01, 2)
    held = 0
    for seed in range(1, SEEDS + 1):
        scenario = parse(query.format(seed))
        traces = [simulate(scenario, number) for number in range(scenario.replications)]
        result = measure(traces, Window(1.0, 6.0), 2)
        held += covers(result.wait_s.mean, exact)
    print(f"{held} of {SEEDS} intervals hold {exact * 1e3:.3f} ms")
    assert COVERED[0] <= held / SEEDS <= COVERED[1]


@pytest.mark.parametrize("percentile", [50, 95, 99])
def test_the_interval_of_a_percentile_holds_it_95_times_in_100(percentile: int) -> None:
    """Independent exponential values, where the true percentile is known; seed 1."""
    rng = np.random.default_rng(1)
    exact = -math.log(1.0 - percentile / 100.0)
    made = [[rng.exponential(size=2_000) for _ in range(5)] for _ in range(400)]
    held = np.mean([covers(Groups.of(groups).percentile(percentile), exact) for groups in made])
    assert COVERED[0] <= held <= COVERED[1]


def test_the_interval_of_replication_means_is_that_of_student() -> None:
    values = [3.0, 4.0, 8.0, 5.0]
    estimate = mean_of(values)
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) / 2.0
    assert estimate.value == 5.0
    assert estimate.low == pytest.approx(5.0 - half, rel=1e-3)
    assert estimate.high == pytest.approx(5.0 + half, rel=1e-3)


def test_the_jackknife_of_a_mean_of_equal_groups_is_the_interval_of_their_means() -> None:
    rng = np.random.default_rng(2)
    groups = [rng.exponential(size=50) for _ in range(6)]
    one = Groups.of(groups).mean()
    other = mean_of([float(group.mean()) for group in groups])
    assert one.value == pytest.approx(other.value)
    assert one.low == pytest.approx(other.low)
    assert one.high == pytest.approx(other.high)


@given(
    st.lists(st.floats(0.0, 1e6), min_size=1, max_size=200),
    st.lists(st.floats(0.0, 100.0), min_size=1, max_size=4),
    st.integers(0, 300),
)
def test_percentiles_are_numpys_to_the_last_bit(
    values: list[float], levels: list[float], zeros: int
) -> None:
    ordered = np.sort(np.asarray(values))
    with_zeros = np.concatenate([np.zeros(zeros), ordered])
    assert percentiles(ordered, levels, zeros) == np.percentile(with_zeros, levels).tolist()
    assert percentiles(ordered[:0], levels, zeros + 1) == [0.0] * len(levels)


def test_one_group_has_a_value_and_no_interval() -> None:
    group = [np.arange(100.0)]
    assert mean_of([3.0]) == Estimate(3.0)
    assert Groups.of(group).percentile(50) == Estimate(49.5)
    assert Groups.of(group).largest() == Estimate(99.0)


def test_no_values_are_no_value() -> None:
    assert (
        mean_of([math.nan])
        == Groups.of([]).percentile(50)
        == Groups.of([np.empty(0)]).largest()
        == Estimate(None)
    )


@pytest.mark.parametrize(("percentile", "needed"), [(50, 20), (90, 100), (99, 1000)])
def test_a_percentile_needs_ten_values_beyond_it(percentile: int, needed: int) -> None:
    assert BEYOND_MIN == 10
    enough, too_few = ([np.arange(float(count))] for count in (needed, needed - 1))
    assert Groups.of(enough).percentile(percentile).value is not None
    assert Groups.of(too_few).percentile(percentile).value is None


def test_many_values_of_few_spells_have_no_percentile() -> None:
    """1000 values beyond p99, all of one replication of ten: the next ten may have none."""
    groups = [np.zeros(10_000) for _ in range(10)]
    groups[3][:1500] = np.arange(1.0, 1501.0)
    assert Groups.of(groups).percentile(99) == Estimate(None)
    assert Groups.of(groups).percentile(90).value == 0.0


def test_the_same_values_spread_over_all_replications_have_one() -> None:
    spread = np.concatenate([np.zeros(9_850), np.arange(1.0, 151.0)])
    one = Groups.of([spread + number / 100.0 for number in range(10)]).percentile(99)
    assert one.value == pytest.approx(50.0, abs=2.0)
    assert one.low is not None
    assert one.low == pytest.approx(50.0, abs=2.0)


def test_values_that_hang_together_have_wider_intervals() -> None:
    """The same 20 000 values, shuffled between replications or as they came; seed 1."""
    rng = np.random.default_rng(1)
    apart = [rng.exponential(scale=rng.uniform(0.8, 1.2), size=2000) for _ in range(10)]
    mixed = np.array_split(rng.permutation(np.concatenate(apart)), 10)
    together, shuffled = Groups.of(apart).percentile(95), Groups.of(mixed).percentile(95)
    assert together.value == pytest.approx(shuffled.value)
    assert width(together) > 1.5 * width(shuffled)


def width(one: Estimate) -> float:
    assert one.low is not None
    assert one.high is not None
    return one.high - one.low
