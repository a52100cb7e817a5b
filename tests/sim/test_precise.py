"""Replications are added until a wait is as sure as asked, or the budget ends."""

import pytest

from sim.precise import Budget, Target, half_ratio, precise, steps
from sim.query import parse
from sim.result import Estimate

QUEUE = "kind=asyncpg&max_size=5&min_size=5&rate={}&hold_ms=20&rtt_ms=0&cpu_fraction=0&duration_s=4"
PATIENT = Budget(wall_s=600.0)


def test_it_stops_when_the_interval_is_as_narrow_as_asked_and_not_before() -> None:
    *before, last = steps(parse(QUEUE.format(150)), Target("mean", 0.1), PATIENT)
    assert last.is_reached
    assert last.half_ratio is not None
    assert last.half_ratio <= 0.1
    assert all(one.half_ratio is None or one.half_ratio > 0.1 for one in before)
    assert any("as asked" in note for note in last.result.notes)


def test_it_stops_at_the_budget_and_says_how_far_it_came() -> None:
    result = precise(
        parse(QUEUE.format(200)), Target("mean", 0.001), Budget(requests=12_000, wall_s=600.0)
    )
    assert result.replications < 20
    assert any("12000 requests are the most" in note for note in result.notes)


def test_time_ends_it_too() -> None:
    result = precise(parse(QUEUE.format(100)), Target("mean", 0.001), Budget(wall_s=0.0))
    assert result.replications == 10
    assert any("the time of 0 s was spent" in note for note in result.notes)


def test_a_growing_queue_ends_it_at_once() -> None:
    result = precise(parse(QUEUE.format(400)), Target(), PATIENT)
    assert result.replications == 10
    assert any("the queue grows" in note for note in result.notes)


def test_who_does_not_wait_any_more_can_cancel() -> None:
    def cancel() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        precise(parse(QUEUE.format(1000)), Target(), PATIENT, tick=cancel)


def test_a_wait_of_nothing_is_known_exactly() -> None:
    assert half_ratio(Estimate(0.0, 0.0, 0.0)) == 0.0
    assert half_ratio(Estimate(0.0, 0.0, 1.0)) is None
    assert half_ratio(Estimate(None)) is None
    assert half_ratio(Estimate(2.0, 1.5, 2.5)) == 0.25
