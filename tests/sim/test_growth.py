"""A queue that grows is said to grow, at the right rate; one that does not is not."""

import pytest

from sim.query import parse
from sim.run import run
from sim.verdict import verdict

QUEUE = "kind=asyncpg&max_size=5&min_size=5&hold_ms=20&rtt_ms=0&cpu_fraction=0"


@pytest.mark.parametrize("rate", [300, 400, 1000])
def test_growth_is_what_comes_less_what_is_served(rate: int) -> None:
    """Five connections serve 250/s; 95 % intervals, seed 1, so a wider one of 99.9 %."""
    growth = run(parse(f"{QUEUE}&rate={rate}")).growth_per_s
    assert growth.value is not None
    assert growth.low is not None
    half = 2.1 * (growth.value - growth.low)
    assert abs(growth.value - (rate - 250.0)) <= half
    assert half <= 0.3 * growth.value + 20.0


def test_a_growing_queue_has_no_mean_but_a_longest_wait() -> None:
    scenario = parse(f"{QUEUE}&rate=400")
    result = run(scenario)
    assert result.wait_s.mean.value is None
    assert result.wait_s.p99.value is None
    assert result.latency_s.mean.value is None
    assert result.wait_s.max.value is not None
    assert any("The queue grows by" in note for note in result.notes)
    said = verdict(scenario, result)
    assert said.level == "error"
    assert "requests more are left waiting each second" in said.sentence


@pytest.mark.parametrize(
    "query",
    [
        "kind=sqlalchemy-null&rate=300&hold_ms=20&cpu_fraction=1&max_connections=10000",
        "kind=asyncpg&max_size=20&rate=300&hold_ms=20&loop_cpu_ms=4",
        "kind=asyncpg&max_size=90&rate=300&hold_ms=20&cpu_fraction=1",
    ],
    ids=["cores, no limit", "event loop", "cores"],
)
def test_growth_that_theory_does_not_know_is_seen_in_the_run(query: str) -> None:
    scenario = parse(query)
    result = run(scenario)
    assert scenario.capacity is None or scenario.offered_load < scenario.capacity
    assert result.growth_per_s.low is not None
    assert result.growth_per_s.low > 0.0
    assert verdict(scenario, result).title == "The queue grows without end"


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("rho", [0.5, 0.8, 0.9])
def test_a_queue_that_settles_is_not_said_to_grow(rho: float, seed: int) -> None:
    result = run(parse(f"{QUEUE}&rate={250 * rho}&seed={seed}"))
    assert result.growth_per_s.value is None
    assert result.wait_s.mean.value is not None


@pytest.mark.parametrize(
    "query",
    [
        "kind=asyncpg&max_size=5&min_size=5&acquire_timeout=0.1&rate=400&hold_ms=20",
        "kind=psycopg&max_size=5&min_size=5&max_waiting=20&rate=400&hold_ms=20",
        "kind=asyncpg&max_size=5&min_size=5&pattern=looping&users=60&hold_ms=20",
    ],
    ids=["timeout", "max_waiting", "users"],
)
def test_a_queue_with_a_bound_does_not_grow(query: str) -> None:
    result = run(parse(query))
    assert result.growth_per_s.value is None
    assert result.wait_s.p95.value is not None


@pytest.mark.parametrize("pattern", ["ramp&rate=10&ramp_rate=200", "spike&spike_at_s=11"])
def test_a_load_that_changes_as_told_is_no_growth_without_end(pattern: str) -> None:
    assert run(parse(f"{QUEUE}&pattern={pattern}")).growth_per_s.value is None
