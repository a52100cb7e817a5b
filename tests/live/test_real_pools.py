"""The real pools on real servers: nothing is lost, limits hold, waits are as simulated.

One live check of each kind serves most tests of this file.
"""

import json
from collections import defaultdict
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pytest

from pools.kinds import (
    KINDS,
    AiohttpConnector,
    AsyncpgPool,
    HttpxPool,
    PsycopgPool,
    SqlalchemyQueue,
)
from pools.kinds.base import Pool
from pools.live import check
from pools.live.compare import compare, requested
from pools.live.plan import PARAMETERS
from pools.live.preflight import HttpFacts, PostgresFacts
from pools.live.report import LiveReport
from pools.trace import Outcome
from sim.query import parse
from sim.workload import draw

pytestmark = pytest.mark.server
LOAD = "duration_s=5&warm_up_s=1&rate=120&hold_ms=20&seed=7"
QUERIES = {
    "sqlalchemy": "pool_size=4&max_overflow=0",
    "sqlalchemy-null": "duration_s=2&rate=30",
    "asyncpg": "min_size=1&max_size=4",
    "psycopg": "min_size=4&max_size=4",
    "aiohttp": "limit=4",
    "httpx": "pool_connections=4",
}
CHECKS: dict[str, check.LiveCheck] = {}
LIMITED = [kind for kind in QUERIES if kind != "sqlalchemy-null"]


@cache
def report_of(query: str) -> LiveReport:
    """Run one live check to its end, once for the whole file."""
    made = check.start(parse(query), session=query)
    made.wait()
    CHECKS[query] = made
    assert made.report is not None, made.problem
    return made.report


@pytest.fixture(params=QUERIES)
def report(request: pytest.FixtureRequest) -> LiveReport:
    return report_of(_query(request.param))


def test_every_kind_has_a_live_check() -> None:
    assert set(QUERIES) == set(PARAMETERS)
    assert set(QUERIES) == set(KINDS)


def test_no_request_is_lost_and_each_ends_once(report: LiveReport) -> None:
    trace = report.trace
    assert list(trace.asked_s) == draw(report.scenario).asked_s.tolist()
    assert set(trace.outcome) == {Outcome.OK}
    assert len(report.late_s) == len(trace.asked_s)
    times = np.array([trace.asked_s, trace.granted_s, trace.released_s, trace.returned_s])
    assert (np.diff(times, axis=0) >= 0).all()


def test_every_request_used_a_connection_that_was_open(report: LiveReport) -> None:
    trace = report.trace
    for row, link in enumerate(trace.connection):
        assert 0 <= link < len(trace.opened_s)
        assert trace.opened_s[link] <= trace.granted_s[row]
        assert not trace.closed_s[link] < trace.released_s[row]


def test_no_two_requests_hold_one_connection_at_once(report: LiveReport) -> None:
    trace, held = report.trace, defaultdict(list)
    for row, link in enumerate(trace.connection):
        held[link].append((trace.granted_s[row], trace.released_s[row]))
    for spans in held.values():
        spans.sort()
        assert all(first[1] <= second[0] for first, second in pairwise(spans))


@pytest.mark.parametrize("kind", ["sqlalchemy", "asyncpg", "psycopg"])
def test_no_connection_is_lent_again_before_it_is_back(kind: str) -> None:
    trace, lent = report_of(_query(kind)).trace, defaultdict(list)
    for row, link in enumerate(trace.connection):
        lent[link].append((trace.granted_s[row], trace.returned_s[row]))
    for spans in lent.values():
        spans.sort()
        assert all(first[1] <= second[0] for first, second in pairwise(spans))


@pytest.mark.parametrize("kind", LIMITED)
def test_the_server_never_sees_more_connections_than_the_capacity(kind: str) -> None:
    report = report_of(_query(kind))
    capacity = report.scenario.capacity
    assert capacity == 4
    assert len(report.trace.opened_s) <= capacity
    if report.scenario.pool.serves == "database":
        assert report.server.connections_most is not None
        assert 1 <= report.server.connections_most <= capacity


def test_a_null_pool_opens_and_closes_a_connection_for_each_request() -> None:
    trace = report_of(_query("sqlalchemy-null")).trace
    assert sorted(trace.connection) == list(range(len(trace.asked_s)))
    assert not np.isnan(trace.closed_s).any()


@pytest.mark.parametrize("kind", LIMITED)
def test_measured_waits_are_those_of_the_model_for_the_same_holds(kind: str) -> None:
    """Allow 40 % or 5 ms.

    The runner has two shared cores, and at this load an event loop that stalls once for 40 ms
    moves the mean by some milliseconds. One connection fewer, the smallest mistake a model can
    make, must be further off all the same.
    """
    report = report_of(_query(kind))
    compared = compare(report)
    measured, replayed = compared.measured.wait_s.mean.value, compared.replayed.wait_s.mean.value
    print(compared.sentence, report.lag_s, report.client_cpu)
    assert measured is not None
    assert replayed is not None
    assert abs(measured - replayed) <= max(0.4 * measured, 0.005)
    smaller = replace(report, scenario=replace(report.scenario, pool=_smaller(report)))
    mistaken = compare(smaller).replayed.wait_s.mean.value
    assert mistaken is not None
    assert mistaken - measured > abs(measured - replayed)


def test_a_report_survives_json(report: LiveReport) -> None:
    text = json.dumps(report.as_json(), allow_nan=False)
    again = LiveReport.from_json(json.loads(text))
    assert json.dumps(again.as_json(), allow_nan=False) == text
    assert again.scenario == report.scenario


@pytest.mark.parametrize("kind", QUERIES)
def test_the_built_in_server_is_looked_at_like_any_other(kind: str) -> None:
    report_of(_query(kind))
    made = CHECKS[_query(kind)]
    names = [step.name for step in made.steps]
    assert names == ["server", "preflight", "calibrate", "load"]
    numbers = made.steps[1].numbers
    if made.report and made.report.scenario.pool.serves == "database":
        assert isinstance(made.facts, PostgresFacts)
        assert numbers["free"] == made.facts.free_here > 0
    else:
        assert isinstance(made.facts, HttpFacts)
        assert numbers["status"] == made.facts.status == 200


def test_calibration_measures_what_the_kind_needs(report: LiveReport) -> None:
    costs, kind = report.calibration, report.scenario.pool.name
    assert 0.0 < costs.rtt.median_s < costs.connect.median_s or kind in {"aiohttp", "httpx"}
    assert (costs.pre_ping is not None) == kind.startswith("sqlalchemy")
    assert (costs.reset is not None) == (kind == "asyncpg")
    assert report.calibrated.server.rtt_s == pytest.approx(costs.rtt.median_s, abs=1e-6)


def test_calibration_near_the_load_goes_into_the_calibrated_scenario(report: LiveReport) -> None:
    """A sleep of PostgreSQL lasts up to a millisecond longer than asked for, and never less."""
    lags, worker = report.calibration.lags, report.calibrated.worker
    assert lags is not None
    assert lags.requests >= 10
    assert 0.0 < lags.entry_s < 1.0
    assert lags.overhead_s > 0.0
    assert worker.entry_s == pytest.approx(lags.entry_s, abs=1e-6)
    assert worker.handover_s == pytest.approx(lags.handover_s, abs=1e-6)
    assert 0.0 < worker.overhead_s <= lags.overhead_s + 1e-6


def test_a_report_names_the_versions_that_ran(report: LiveReport) -> None:
    for name, said in report.versions.items():
        assert name == "python" or said == version(name)
    assert report.server.version


def test_the_scenario_with_calibrated_costs_is_an_address(report: LiveReport) -> None:
    assert requested(report).hold_s.size == len(report.trace.asked_s)
    assert report.calibrated.pool == report.scenario.pool


def test_waiters_time_out_as_the_library_says_when_the_pool_is_too_small() -> None:
    report = report_of(
        "pool_size=1&max_overflow=1&pool_timeout=0.1&rate=150&duration_s=3&warm_up_s=0"
    )
    trace = report.trace
    outcomes = np.asarray(trace.outcome)
    assert set(outcomes) == {Outcome.OK, Outcome.ACQUIRE_TIMEOUT}
    late = outcomes == Outcome.ACQUIRE_TIMEOUT
    waited = np.asarray(trace.released_s)[late] - np.asarray(trace.asked_s)[late]
    assert (waited >= 0.1).all()
    assert np.isnan(np.asarray(trace.granted_s)[late]).all()
    measured, replayed = compare(report).measured, compare(report).replayed
    share, simulated = measured.timeout_ratio.value, replayed.timeout_ratio.value
    assert share is not None
    assert simulated is not None
    assert share == pytest.approx(simulated, abs=0.15)  # of some 450 requests, shared cores


def test_a_pool_larger_than_the_server_is_refused_for_real() -> None:
    report = report_of(
        "pool_size=20&max_overflow=0&max_connections=10&rate=150&hold_ms=100"
        "&duration_s=2&warm_up_s=0"
    )
    assert Outcome.CONNECT_REFUSED in report.trace.outcome
    assert report.server.connections_most is not None
    assert report.server.connections_most <= 7
    assert report.server.max_connections == 10


def test_warm_connections_are_open_before_the_first_request() -> None:
    report = report_of(
        "pool_size=3&max_overflow=0&warm_connections=3&rate=50&duration_s=1&warm_up_s=0"
    )
    assert list(report.trace.opened_s) == [0.0, 0.0, 0.0]


def _query(kind: str) -> str:
    own = dict(parse_qsl(QUERIES[kind]))
    return urlencode({"kind": kind} | dict(parse_qsl(LOAD)) | own)


def _smaller(report: LiveReport) -> Pool:
    pool = report.scenario.pool
    if isinstance(pool, SqlalchemyQueue):
        return replace(pool, pool_size=pool.pool_size - 1)
    if isinstance(pool, AsyncpgPool):
        return replace(pool, max_size=pool.max_size - 1)
    if isinstance(pool, PsycopgPool):
        return replace(pool, min_size=3, max_size=3)
    if isinstance(pool, HttpxPool):
        return replace(pool, max_connections=pool.max_connections - 1)
    assert isinstance(pool, AiohttpConnector)
    return replace(pool, limit=pool.limit - 1)
