"""Advice: the cheapest settings that meet a goal, with proof; what else would help; refusals."""

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.advise import Counted, Effort, NoGoal, Recommendation, Tried, advise, with_simpy
from sim.advise.__main__ import main
from sim.advise.bounds import Says, share
from sim.advise.cases import capacity_allowed, cases_of
from sim.advise.counted import Tick
from sim.advise.search import smallest
from sim.measure import Window
from sim.query import parse, to_query
from sim.scenario import Scenario

SMALL = "duration_s=6&warm_up_s=1&cpu_fraction=0"
QUICK = Effort(requests_max=40_000)


def advised(query: str) -> Recommendation:
    return advise(parse(f"{query}&{SMALL}"), with_simpy, QUICK)


def needing(connections: int, requests: int = 4000) -> "type[Counted]":
    """Return an evaluator in which nobody waits from so many connections on, all do below."""

    def evaluate(
        scenario: Scenario, window: Window, replications: range, tick: Tick | None = None
    ) -> Sequence[Counted]:
        enough = (scenario.capacity or 0) >= connections
        wait = np.full(requests, 0.0 if enough else 1.0)
        return [Counted(wait, np.zeros(requests, bool), 0, 1.0) for _ in replications]

    return evaluate


@given(
    need=st.integers(1, 500),
    start=st.integers(-5, 600),
    low=st.integers(1, 20),
    high=st.integers(1, 500),
)
def test_the_smallest_that_meets_is_found_from_any_start(
    need: int, start: int, low: int, high: int
) -> None:
    asked: list[int] = []
    found = smallest(lambda n: asked.append(n) or n >= need, start, low, high)
    expected = max(need, low)
    assert found == (expected if expected <= high else None)
    assert all(low <= number <= high for number in asked)
    assert len(asked) == len(set(asked))


@given(need=st.integers(1, 500), start=st.integers(1, 500))
def test_few_are_asked(need: int, start: int) -> None:
    asked: list[int] = []
    smallest(lambda n: asked.append(n) or n >= need, start, 1, 500)
    assert len(asked) <= 30


@given(
    st.lists(
        st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
        min_size=2,
        max_size=30,
    ),
    st.sampled_from([0.9, 0.95, 0.975]),
)
def test_a_share_lies_between_its_bounds(counts: list[tuple[int, int]], confidence: float) -> None:
    found = share([k for k, _ in counts], [n for _, n in counts], confidence)
    assert 0.0 <= found.low <= found.ratio + 1e-12
    assert found.ratio <= found.high + 1e-12
    assert found.high <= 1.0


def test_no_miss_in_few_requests_proves_little() -> None:
    """The rule of three: 0 of n is below 1 % for sure only from about 300 requests on."""
    assert share([0, 0], [50, 50], 0.95).says(0.01) is Says.UNSURE
    assert share([0, 0], [150, 150], 0.95).says(0.01) is Says.MEETS


def test_bounds_hold_their_confidence_where_replications_differ() -> None:
    """2000 shares of 12 replications that differ from each other: about 1 in 20 is outside."""
    rng = np.random.default_rng(1)
    outside = 0
    for _ in range(2000):
        rates = rng.gamma(2.0, 0.005, 12)
        found = share(rng.binomial(2000, rates).tolist(), [2000] * 12, 0.95)
        outside += found.high < 0.01
    # Without the correction for skewness it would be 1 in 9; 2000 shares know it to 0.5 %.
    assert 0.03 < outside / 2000 < 0.08


@given(st.integers(1, 90))
def test_the_size_that_is_needed_is_recommended(need: int) -> None:
    found = advise(parse("kind=asyncpg&goal_wait_ms=5"), needing(need))
    assert found.proof is not None
    assert found.scenario.pool.capacity == need
    if need > 1:
        assert found.cheaper is not None
        assert found.cheaper.pool.capacity == need - 1
        assert not found.cheaper.meets


def test_nothing_beyond_the_budget_is_tried() -> None:
    """97 slots, 7 held by others, 2 replicas of 2 workers: 22 for each pool."""
    fleet = "replicas=2&workers=2&other_connections=7"
    scenario = parse(f"kind=asyncpg&goal_wait_ms=5&{fleet}")
    assert capacity_allowed(scenario) == 22
    found = advise(scenario, needing(4 * 23))
    assert found.proof is None
    assert all((one.pool.capacity or 0) <= 22 for one in found.rows)
    assert [one.name for one in found.levers if one.name == "max_connections"]
    free = parse(f"kind=asyncpg&goal_wait_ms=5&goal_budget=false&{fleet}")
    assert advise(free, needing(4 * 23)).scenario.pool.capacity == 23


def test_a_rolling_deploy_takes_its_connections_from_the_budget() -> None:
    """4 replicas and 1 more for a while: 97 slots for 5 pools."""
    scenario = parse("kind=asyncpg&goal_wait_ms=5&replicas=4&goal_deploy=true")
    assert capacity_allowed(scenario) == 19
    assert [case.scenario.fleet.replicas for case in cases_of(scenario)] == [4, 3]


def test_the_loss_of_a_replica_is_a_case_with_one_fewer_under_the_same_load() -> None:
    scenario = parse("goal_wait_ms=5&replicas=3&goal_replica_loss=true")
    [plain, lost] = cases_of(scenario)
    assert (plain.scenario.fleet.replicas, lost.scenario.fleet.replicas) == (3, 2)
    assert plain.scenario.workload == lost.scenario.workload


def test_the_loss_of_the_only_replica_asks_for_a_second() -> None:
    found = advised("kind=asyncpg&rate=50&goal_wait_ms=20&goal_replica_loss=true")
    assert found.proof is None
    assert "at least 2 replicas" in found.why_not
    assert [one.scenario.fleet.replicas for one in found.levers] == [2]


@pytest.mark.parametrize("kind", ["sqlalchemy", "asyncpg", "psycopg", "aiohttp", "httpx"])
def test_every_sized_kind_gets_settings_with_proof_and_a_cheaper_one_that_fails(kind: str) -> None:
    found = advised(f"kind={kind}&rate=100&goal_wait_ms=10&goal_timeouts=1")
    assert found.proof is not None
    assert found.proof.meets
    assert found.cheaper is not None
    assert not found.cheaper.meets
    assert (found.cheaper.held or 0) < (found.proof.held or 0)
    assert {one.setting for one in found.reasons} >= set(found.changes)
    assert parse(to_query(found.scenario)) == found.scenario


def test_hosts_share_the_limit_of_a_connector() -> None:
    found = advised("kind=aiohttp&hosts=4&rate=100&goal_wait_ms=20")
    assert found.proof is not None
    values = found.proof.settings
    assert 1 <= values["limit_per_host"] <= values["limit"]


def test_a_burst_alone_is_a_goal() -> None:
    found = advised("kind=asyncpg&rate=20&goal_burst=40&goal_burst_ms=100")
    assert found.proof is not None
    assert [one.case for one in found.proof.found] == ["burst"]
    # 40 requests of 20 ms in 100 ms need about 8 at once, and exponential holds some more.
    assert 8 <= (found.proof.pool.capacity or 0) <= 25


def test_pre_ping_is_off_where_it_costs_too_much_and_then_connections_are_young() -> None:
    near = advise(parse("goal_wait_ms=5"), needing(3))
    far = advise(parse("goal_wait_ms=5&rtt_ms=20"), needing(3))
    assert near.proof is not None
    assert far.proof is not None
    assert near.proof.settings["pool_pre_ping"] is True
    assert far.proof.settings["pool_pre_ping"] is False
    [why] = [one.why for one in near.reasons if one.setting == "pool_pre_ping"]
    assert "3 round trips = 1.5 ms here = 7.1 % of the hold" in why
    recycle = [found.proof.settings["pool_recycle"] for found in (near, far)]
    assert recycle == [1800, 240]


@given(caller_s=st.floats(0.2, 100.0))
def test_the_pools_timeout_is_below_the_callers_own(caller_s: float) -> None:
    scenario = parse(f"kind=asyncpg&goal_wait_ms=5&goal_caller_s={caller_s:.3g}")
    found = advise(scenario, needing(3))
    assert found.proof is not None
    assert 0.0 < found.proof.settings["acquire_timeout"] <= caller_s / 2 + 0.005


def test_a_pool_without_a_size_is_judged_as_it_is() -> None:
    found = advised("kind=sqlalchemy-null&rate=20&goal_wait_ms=50")
    assert found.proof is not None
    assert found.changes == {}
    slow = advised("kind=sqlalchemy-null&rate=20&goal_wait_ms=5")
    assert slow.proof is None
    assert "wait longer than 5 ms" in slow.why_not


def test_no_setting_helps_a_server_without_cores_but_cores_or_shorter_holds_do() -> None:
    query = "kind=asyncpg&rate=60&hold_ms=20&cores=1&cpu_fraction=1&goal_wait_ms=5"
    found = advise(parse(f"{query}&duration_s=6&warm_up_s=1"), with_simpy, QUICK)
    assert found.proof is None
    assert {one.name for one in found.levers} >= {"hold time", "cores"}
    for lever in found.levers:
        assert lever.proof.meets
        assert "between" in lever.sentence


def test_without_a_goal_there_is_nothing_to_look_for() -> None:
    with pytest.raises(NoGoal, match="goal_wait_ms"):
        advise(Scenario(), with_simpy)


def test_the_same_question_has_the_same_answer() -> None:
    first, second = (advised("rate=80&goal_wait_ms=10").as_json() for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_advice_is_cancelled_by_its_tick_and_tells_of_each_setting() -> None:
    seen: list[Tried] = []

    def tick() -> None:
        if seen:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        advise(parse(f"goal_wait_ms=5&rate=300&{SMALL}"), with_simpy, QUICK, tick, seen.append)
    assert len(seen) == 1


def test_the_command_tells_by_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    query = f"kind=asyncpg&rate=50&goal_wait_ms=20&{SMALL}"
    assert main([query, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["meets_goal"]
    assert math.isfinite(answer["proof"]["found"][0]["share"])
    assert main([f"{query}&goal_replica_loss=true"]) == 1
    assert "2 replicas" in capsys.readouterr().out
    assert main(["rate=50"]) == 2
    assert "goal_wait_ms" in capsys.readouterr().err
    assert main(["rate=50&colour=red"]) == 2
