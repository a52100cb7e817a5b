"""How a run of a real pool is judged, where what happened in it is known."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.accuracy import closed_loop
from bench.accuracy.bounds import REPLAYED, Bound, covered, outside
from bench.accuracy.cases import PARAMETERS, Case, judging, parts
from bench.accuracy.judging import constants_of, foretold, numbers, replayed
from bench.accuracy.recording import drive
from bench.accuracy.runs import Run
from pools.kinds import AsyncpgPool
from pools.live import postgres
from pools.live.clock import precise_loop
from pools.live.drivers.postgres import AsyncpgDriver
from pools.live.facts import trace_from_json
from pools.live.plan import pool_arguments
from sim.engine import simulate
from sim.query import parse
from sim.worker import Worker
from sim.workload import draw

KNOWN = Worker(overhead_s=0.001, entry_s=0.00005, handover_s=0.00004)
SHORT = "kind=asyncpg&hold_ms=20&rtt_ms=0&connect_ms=0&cpu_fraction=0&replications=1"


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_run_that_the_simulation_made_is_replayed_and_foretold(kind: str) -> None:
    """What calibration reads off such a run is right to some microseconds, and so are waits."""
    case = next(case for case in judging(kind) if case.scenario.capacity == 5)
    asked = draw(case.scenario)
    trace = simulate(replace(case.scenario, worker=KNOWN), arrivals=asked)
    run = Run(case, trace, [0.0] * len(asked.asked_s), {})
    measured = numbers(trace, case.scenario)
    for simulate_again in (replayed, foretold):
        again = numbers(simulate_again(run, constants_of(run)), case.scenario)
        assert all(REPLAYED[name].holds(measured[name], again[name]) for name in REPLAYED)


@given(st.floats(0.0, 1e3), st.floats(0.0, 1e3))
def test_a_bound_is_a_share_or_a_floor_whichever_is_wider(measured: float, off: float) -> None:
    bound = Bound(0.1, 1.0)
    assert bound.holds(measured, measured + off) == (
        measured + off - measured <= max(0.1 * measured, 1.0)
    )


def test_a_run_is_outside_if_one_wait_is_and_covered_within_half_a_millisecond() -> None:
    measured = {"mean": 10.0, "p95": 20.0, "p99": 30.0}
    low, high = ({name: value + by for name, value in measured.items()} for by in (0.4, 2.0))
    row = {"name": "one", "measured": measured, "near": low, "far": high, "low": low, "high": high}
    assert outside([row], "near", REPLAYED) == []
    assert outside([row], "far", REPLAYED) == ["one"]
    assert covered([row], "mean") == 1.0
    assert covered([row | {"low": high}], "mean") == 0.0


def test_calibration_and_judgement_never_share_a_run() -> None:
    names = [
        case.name for kind in PARAMETERS for part in parts(kind) for some in part for case in some
    ]
    assert len(set(names)) == len(names)
    for kind in PARAMETERS:
        assert [case for _, judged in parts(kind) for case in judged] == list(judging(kind))
    assert sum(len(list(judging(kind))) for kind in ("sqlalchemy", "asyncpg")) >= 40


@pytest.mark.parametrize(("cores", "contention"), [(1.92, 0.13), (1.8, 0.0), (1.95, 0.4)])
def test_the_fitted_station_is_the_one_that_was_measured(cores: float, contention: float) -> None:
    station = closed_loop.Station(0.004, 0.0003, cores, contention)
    measured = {
        size: closed_loop.simulated("asyncpg", size, station) | {"server_cores": 0.0}
        for size in closed_loop.CALIBRATED_AT
    }
    alone = measured[1]
    alone["server_cores"] = station.compute_s * alone["throughput_per_s"]
    found = closed_loop.fitted(measured)
    assert found.cores == pytest.approx(cores, rel=0.015)
    assert found.contention == pytest.approx(contention, abs=0.03)


@pytest.mark.server
def test_a_real_pool_waits_as_its_own_holds_say() -> None:
    """Four seconds at 80 % use, judged with the lags of three other seconds.

    The bound is that of the accuracy page, and what the runner added: a start that came late
    makes others wait who are not in the replay, a few times as long in a queue of this use. One
    connection fewer is further from the truth, however noisy it is.
    """
    calibration = _run("min_size=5&max_size=5&rate=130&duration_s=3&warm_up_s=0.5&seed=1")
    judged = _run("min_size=5&max_size=5&rate=170&duration_s=4&warm_up_s=0.5&seed=2")
    constants, scenario = constants_of(calibration), judged.case.scenario
    measured = numbers(judged.trace, scenario)
    again = numbers(replayed(judged, constants), scenario)
    late_ms = sum(judged.late_s) / len(judged.late_s) * 1e3
    print(measured, again, constants.in_ms(), judged.noise)
    tolerance_ms = max(0.06 * measured["mean"], 0.5) + 5.0 * late_ms
    assert abs(again["mean"] - measured["mean"]) <= tolerance_ms
    assert isinstance(scenario.pool, AsyncpgPool)
    smaller = replace(scenario.pool, min_size=4, max_size=4)
    mistaken = replace(judged, case=Case("smaller", replace(scenario, pool=smaller)))
    wrong = numbers(replayed(mistaken, constants), scenario)
    assert abs(again["mean"] - measured["mean"]) < (wrong["mean"] - measured["mean"]) / 2.0


def _run(query: str) -> Run:
    """Drive asyncpg's pool through a scenario on a server of its own."""
    case = Case(query, parse(f"{SHORT}&{query}"))

    async def go(server: postgres.EmbeddedPostgres) -> dict[str, object]:
        driver = AsyncpgDriver(server.target, pool_arguments(case.scenario.pool))
        return await drive(case, driver, server.postmaster)

    with postgres.start(20) as server, asyncio.Runner(loop_factory=precise_loop) as runner:
        kept = runner.run(go(server))
    return Run(case, trace_from_json(kept["trace"]), kept["late_s"], kept["noise"])
