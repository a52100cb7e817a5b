"""Two scenarios under the same load: the change is theirs, not that of chance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.difference import difference, paired
from sim.query import parse
from sim.sensitivity import moves, ranked, sensitivities
from sim.theory import wait_s_percentile

POOL = "kind=asyncpg&max_size={}&min_size=2&rate=160&hold_ms=20&rtt_ms=0&cpu_fraction=0"
SHORT = "&duration_s=6&warm_up_s=1&replications=5"
SCENARIO = parse(POOL.format(4) + SHORT)
LEVERS = {"hold_ms", "rate", "max_size"}


def test_a_scenario_differs_from_itself_by_nothing() -> None:
    scenario = parse(POOL.format(4) + SHORT)
    for name, found in difference(scenario, scenario).items():
        assert found.change.value == 0.0, name
        assert not found.is_sure


def test_one_connection_more_shortens_waits_surely_and_serves_as_many() -> None:
    found = difference(parse(POOL.format(4) + SHORT), parse(POOL.format(5) + SHORT))
    assert found["wait_s_mean"].is_sure
    assert found["wait_s_mean"].other < found["wait_s_mean"].one
    assert abs(found["throughput_per_s"].change.value or 0.0) < 1.0


def test_pairs_tell_more_than_independent_runs() -> None:
    """Seeds 1 and 2: the same change between runs of other streams has a far wider interval."""
    one, other = parse(POOL.format(4) + SHORT), parse(POOL.format(5) + SHORT)
    together = difference(one, other)["wait_s_mean"].change
    rng = np.random.default_rng(1)
    waits = [[rng.exponential(scale, 500) for scale in rng.uniform(0.8, 1.2, 8)] for _ in range(2)]
    shuffled = paired(waits[0], waits[1], lambda values: float(values.mean()))
    same = paired(waits[0], [w + 0.1 for w in waits[0]], lambda values: float(values.mean()))
    assert together.high is not None
    assert same.is_sure
    assert same.change.value == pytest.approx(0.1)
    assert not shuffled.is_sure


@given(st.lists(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=5), min_size=2, max_size=6))
def test_the_other_way_round_is_the_other_sign(groups: list[list[float]]) -> None:
    one = [np.asarray(group) for group in groups]
    other = [group * 2.0 + 1.0 for group in one]
    there, back = (
        paired(*sides, lambda values: float(values.mean())).change
        for sides in ((one, other), (other, one))
    )
    assert there.value == pytest.approx(-(back.value or 0.0))
    assert there.low == pytest.approx(-(back.high or 0.0))


def exact_p99_s(rate: float, hold_ms: float, size: float) -> float:
    return wait_s_percentile(rate, hold_ms / 1000.0, int(size), 99.0)


def test_the_wait_hangs_on_hold_rate_and_size_as_theory_says() -> None:
    """M/M/4 at 60 %, seed 1; 95 % intervals, of which three are to hold, so twice as wide."""
    query = POOL.format(4).replace("rate=160", "rate=120")
    longer = parse(query + "&duration_s=25&warm_up_s=5&replications=10")
    found = {one.query: one for one in sensitivities(longer, only=LEVERS)}
    for query, one in found.items():
        standing = {"rate": 120.0, "hold_ms": 20.0, "max_size": 4.0}
        names = {"rate": "rate", "hold_ms": "hold_ms", "max_size": "size"}
        low_s, high_s = (
            exact_p99_s(**{names[n]: v for n, v in (standing | {query: value}).items()})
            for value in (one.low, one.high)
        )
        exact = math.log(high_s / low_s) / math.log(one.high / one.low)
        assert one.elasticity.low is not None
        assert one.elasticity.value is not None
        half = 2.0 * (one.elasticity.value - one.elasticity.low)
        assert abs(one.elasticity.value - exact) <= half <= 2.0 * abs(exact), query
        assert "p99 wait from" in one.sentence


def test_settings_that_do_nothing_are_not_ranked() -> None:
    names = [one.query for one in ranked(SCENARIO, only={*LEVERS, "max_queries"})]
    assert names[0] in ("hold_ms", "max_size", "rate")
    assert "max_queries" not in names


def test_every_lever_moves_within_its_bounds_and_no_other_setting_does() -> None:
    scenario = parse(POOL.format(4) + SHORT)
    for made, low, high in moves(scenario):
        assert made.query not in ("seed", "replications", "duration_s", "warm_up_s", "kind")
        assert low != high
