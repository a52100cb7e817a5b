"""Whatever scenario is accepted: it ends, loses nobody, and gives finite numbers or none.

`POOLWISE_EXAMPLES=10000 pytest tests/sim/test_any_scenario.py` tries so many in all.
"""

import itertools
import json
import math
import os
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.trace import Cause, Outcome, Trace
from sim.query import to_query
from sim.result import Distribution, Estimate
from sim.run import run
from sim.scenario import Scenario
from sim.verdict import verdict
from tests.sim.small import REQUESTS_MAX, simulate_small, small_scenarios

UNSERVED = (Outcome.ACQUIRE_TIMEOUT, Outcome.CONNECT_REFUSED, Outcome.QUEUE_FULL)
GIVEN_UP = (Outcome.CANCELLED, Outcome.CLIENT_TIMEOUT)
EVERY_KIND = pytest.mark.parametrize("kind", sorted(KINDS))
EXAMPLES = settings(max_examples=20)
IN_ALL = int(os.environ.get("POOLWISE_EXAMPLES", "120"))


def rows(trace: Trace) -> list[tuple[float, float, float, float, int, int]]:
    columns = (
        trace.asked_s,
        trace.granted_s,
        trace.released_s,
        trace.returned_s,
        trace.outcome,
        trace.connection,
    )
    return list(zip(*columns, strict=True))


def assert_every_request_ends_once_and_in_order(scenario: Scenario, trace: Trace) -> None:
    """Asked, granted, released, returned; or asked and failed; or why not is said."""
    leaks = scenario.client.leak_share > 0.0
    for asked, granted, released, returned, outcome, link in rows(trace):
        assert (link >= 0) != math.isnan(granted)
        if outcome in (Outcome.OK, Outcome.RELEASE_FAILED):
            assert asked <= granted <= released <= returned or (leaks and math.isnan(returned))
        elif outcome == Outcome.UNFINISHED:
            assert trace.truncated
        else:
            assert asked <= released
            assert not granted > released
            if outcome in GIVEN_UP:
                assert scenario.client.gives_up
            else:
                assert outcome in UNSERVED
                assert math.isnan(granted)


def assert_every_call_ends_once(trace: Trace) -> None:
    """A client has its answer or has given up for good; or why not is said."""
    calls = trace.calls
    if calls is None:
        return
    for asked, ended, outcome in zip(calls.asked_s, calls.ended_s, calls.outcome, strict=True):
        assert ended >= asked or (outcome == Outcome.UNFINISHED and trace.truncated)
    assert sum(calls.attempts) <= len(trace.asked_s)


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=math.ceil(IN_ALL / len(KINDS)))
def test_every_scenario_ends_loses_nobody_and_gives_finite_numbers(
    kind: str, data: st.DataObject
) -> None:
    scenario = data.draw(small_scenarios(kind))
    trace = simulate_small(scenario)
    assert_every_request_ends_once_and_in_order(scenario, trace)
    assert_every_call_ends_once(trace)
    assert_every_number_is_finite_or_absent(scenario)


@EVERY_KIND
@given(data=st.data())
@EXAMPLES
def test_a_connection_serves_one_request_at_a_time_while_it_is_open(
    kind: str, data: st.DataObject
) -> None:
    scenario = data.draw(small_scenarios(kind))
    trace = simulate_small(scenario)
    uses: dict[int, list[tuple[float, float]]] = {}
    for granted, released, link in zip(
        trace.granted_s, trace.released_s, trace.connection, strict=True
    ):
        if link >= 0:
            uses.setdefault(link, []).append((granted, released))
    for link, times in uses.items():
        times.sort()
        assert trace.opened_s[link] <= times[0][0]
        assert not times[-1][1] > trace.closed_s[link]
        for (_, released), (granted, _) in itertools.pairwise(times):
            assert released <= granted


@EVERY_KIND
@given(data=st.data())
@EXAMPLES
def test_no_pool_lends_more_than_its_capacity(kind: str, data: st.DataObject) -> None:
    """Counted over grants and returns of each pool; aiohttp per host (see its idle reuse)."""
    scenario = data.draw(small_scenarios(kind))
    capacity = scenario.pool.capacity
    if capacity is None or (kind == "aiohttp" and scenario.workload.hosts > 1):
        return
    trace = simulate_small(scenario)
    for pool in set(trace.pool):
        changes = []
        for granted, returned, owner in zip(
            trace.granted_s, trace.returned_s, trace.pool, strict=True
        ):
            if owner == pool and not math.isnan(granted):
                changes += [(granted, 1), (math.inf if math.isnan(returned) else returned, -1)]
        now = 0
        for _, change in sorted(changes):
            now += change
            assert now <= capacity


@EVERY_KIND
@given(data=st.data())
@EXAMPLES
def test_every_connection_is_opened_before_it_is_closed_and_for_a_reason(
    kind: str, data: st.DataObject
) -> None:
    trace = simulate_small(data.draw(small_scenarios(kind)))
    for opening, opened, closed, cause in zip(
        trace.opening_s, trace.opened_s, trace.closed_s, trace.cause, strict=True
    ):
        assert not opening > opened
        assert not opened > closed
        assert (cause == Cause.STILL_OPEN) == math.isnan(closed)
        if cause == Cause.OPEN_FAILED:
            assert math.isnan(opened)


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in numbers(one)]
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, int | float) else []


def assert_every_number_is_finite_or_absent(scenario: Scenario) -> None:
    with mock.patch("sim.engine.REQUESTS_MAX", REQUESTS_MAX * scenario.replications):
        result = run(scenario)
    shown = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert all(math.isfinite(number) and number >= 0.0 for number in numbers(shown))
    assert result.completed + sum(result.errors.values()) == result.requests
    used = result.utilisation.value
    idle_reuse = scenario.pool.name == "aiohttp" and scenario.workload.hosts > 1
    assert used is None or idle_reuse or used <= 1.0 + 1e-9
    assert result.timeout_ratio.value is None or result.timeout_ratio.value <= 1.0
    for name in result.__slots__:
        for estimate in estimates(getattr(result, name)):
            if estimate.low is not None:
                assert estimate.value is not None
                assert estimate.high is not None
                assert estimate.low <= estimate.value <= estimate.high
    said = verdict(scenario, result)
    assert said.level in ("success", "warning", "error")
    assert said.sentence.endswith("."), to_query(scenario)


def estimates(value: object) -> list[Estimate]:
    if isinstance(value, Distribution):
        return [getattr(value, name) for name in value.__slots__]
    return [value] if isinstance(value, Estimate) else []


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=10)
def test_percentiles_grow_with_their_number(kind: str, data: st.DataObject) -> None:
    scenario = data.draw(small_scenarios(kind))
    with mock.patch("sim.engine.REQUESTS_MAX", REQUESTS_MAX * scenario.replications):
        result = run(scenario)
    for times in (result.wait_s, result.latency_s):
        known = [e.value for e in (times.p50, times.p90, times.p95, times.p99, times.max)]
        known = [value for value in known if value is not None]
        assert known == sorted(known)
