"""The verdict of a live check: fits, does not and why, or judges nothing."""

from dataclasses import replace

import numpy as np
import pytest

from pools.live.compare import compare
from pools.live.facts import Calibration, Cost, ServerFacts
from pools.live.fit import Fit, judge
from pools.live.report import LiveReport
from pools.trace import Outcome
from sim.engine import simulate
from sim.query import parse
from sim.workload import draw

QUERY = "pool_size=3&max_overflow=0&rate=150&hold_ms=13&duration_s=10&rtt_ms=0&connect_ms=8"
COSTS = Calibration(connect=Cost(0.008, 3), rtt=Cost(0.0, 3))


def judged(
    *, longer_s: float = 0.0, cpu: float = 0.1, lost: float = 0.0, size: int = 3, seed: int = 1
) -> Fit:
    """Judge a client that is known: `longer_s` added to holds, a share `lost`, another pool."""
    scenario = parse(f"{QUERY}&seed={seed}")
    asked = draw(scenario)
    really = replace(scenario, pool=replace(scenario.pool, pool_size=size))
    trace = simulate(really, arrivals=replace(asked, hold_s=asked.hold_s + longer_s))
    for row in np.random.default_rng(1).choice(
        len(trace.outcome), int(lost * len(trace.outcome)), replace=False
    ):
        trace.outcome[row] = Outcome.CONNECTION_LOST
    facts = ServerFacts("PostgreSQL", "18", "embedded")
    late_s = (0.0,) * len(asked.asked_s)
    report = LiveReport(scenario, trace, facts, COSTS, {}, "", (), cpu, late_s, {})
    return judge(report, compare(report))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_client_that_does_as_simulated_fits_and_both_have_intervals(seed: int) -> None:
    fit = judged(seed=seed)
    assert fit.fits is True
    assert all(row.fits for row in fit.rows)
    names = [row.name for row in fit.rows]
    assert names[:5] == ["wait mean", "wait p50", "wait p90", "wait p95", "wait p99"]
    for row in fit.rows[2:5]:
        for one in (row.measured, row.simulated):
            assert one.value is not None
            assert one.low is not None
            assert one.high is not None
            assert one.low < one.high
    assert "fits" in fit.sentence


def test_longer_holds_are_named_as_what_failed() -> None:
    fit = judged(longer_s=0.008)
    assert fit.fits is False
    assert "holds as long as asked" in fit.sentence
    assert "8 ms longer" in fit.sentence
    assert "wait p95" in fit.sentence


def test_a_pool_that_works_differently_is_named_as_what_failed() -> None:
    fit = judged(size=2)
    assert fit.fits is False
    assert "the pool waits differently" in fit.sentence


def test_requests_that_fail_are_named_as_what_failed() -> None:
    fit = judged(lost=0.1)
    assert fit.fits is False
    assert "nothing fails" in fit.sentence


def test_a_run_whose_own_client_was_saturated_judges_nothing() -> None:
    fit = judged(cpu=0.95)
    assert fit.fits is None
    assert "judges nothing" in fit.sentence
    assert "95%" in fit.sentence
