"""Judges the simulation by a recorded run of a real pool: replayed, and as foretold.

*Replayed*: every request starts when it really started, and holds as long as it really held;
the n-th connect takes as long as the n-th did; the lags around the pool are those of a
calibration run. What is left is the model of the pool.
*Foretold*: the scheduled starts, the holds as asked for, connects drawn with the mean and spread
of those measured, and the calibration's constants.
*Independent*: as foretold, with arrivals and holds of their own, many times over: the interval
in which 95 % of them lie should hold the measured value 95 times in 100.
"""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.runs import Run
from pools.live.lags import Lags, lags_of
from pools.live.report import CONNECT_ROUND_TRIPS
from pools.trace import Outcome, Trace
from sim.engine import simulate
from sim.kernel.coverage import uncovered
from sim.kernel.simulate import simulate_arrays
from sim.scenario import Scenario
from sim.worker import Worker
from sim.workload import Arrivals, draw

Array = NDArray[np.float64]
REPLICATIONS = 200
OTHER_SEEDS = 10_000
PERCENTILES = {"p95": 95, "p99": 99}


def constants_of(run: Run) -> Lags:
    """Read the constants of a library off one run, its warm-up left out. Raises ValueError."""
    scenario = run.case.scenario
    found = lags_of(run.trace, run.late_s, draw(scenario).hold_s.tolist(), scenario.warm_up_s)
    if found is None:
        raise ValueError(f"{run.case.name} served nothing")
    return found


def between(calibrated: Mapping[int, Lags], size: int) -> Lags:
    """Return the constants of a pool of some size, between those that were measured."""
    sizes, measured = np.log(sorted(calibrated)), [calibrated[one] for one in sorted(calibrated)]
    named = {
        name: float(np.interp(math.log(size), sizes, [getattr(one, name) for one in measured]))
        for name in ("overhead_s", "handover_s", "entry_s", "late_s")
    }
    return Lags(**named, requests=sum(one.requests for one in measured))


@dataclass(frozen=True, slots=True)
class Columns:
    """A run as arrays, in seconds."""

    scheduled_s: Array
    started_s: Array
    granted_s: Array
    released_s: Array
    returned_s: Array
    asked_hold_s: Array
    connection: NDArray[np.int64]
    closed: NDArray[np.bool_]
    connects_s: Array

    @classmethod
    def of(cls, run: Run) -> "Columns":
        """Take a run apart."""
        trace, scheduled_s = run.trace, np.asarray(run.trace.asked_s)
        opening_s = np.asarray(trace.opening_s)
        connects_s = (np.asarray(trace.opened_s) - opening_s)[opening_s > 0.0]
        connection, returned_s = np.asarray(trace.connection), np.asarray(trace.returned_s)
        return cls(
            scheduled_s,
            scheduled_s + np.asarray(run.late_s),
            np.asarray(trace.granted_s),
            np.asarray(trace.released_s),
            returned_s,
            draw(run.case.scenario).hold_s,
            connection,
            (np.asarray(trace.closed_s)[connection] <= returned_s) & (connection >= 0),
            connects_s[~np.isnan(connects_s)],
        )

    @property
    def held_s(self) -> Array:
        """How long each connection was held, its return included; nan if never.

        Of one that was closed on its return, the closing is not part of the hold.
        """
        return self.kept_until_s - self.granted_s

    @property
    def kept_until_s(self) -> Array:
        """When each connection was offered to the pool again."""
        lag_s = np.nanmedian((self.returned_s - self.released_s)[~self.closed])
        return np.where(self.closed, self.released_s + lag_s, self.returned_s)

    @property
    def close_s(self) -> float:
        """How long it took to close a connection that the pool did not keep; 0 if none was."""
        took_s = (self.returned_s - self.kept_until_s)[self.closed]
        return float(np.nanmean(took_s)) if len(took_s) else 0.0

    def rtt_s(self, trips: int) -> float:
        """Return what stands for a round trip, of which a connect has that many.

        The time to close a connection is one, as far as every connect has room for it; holds
        were measured as a whole.
        """
        return min([self.close_s, *(self.connects_s / trips).tolist()])


def replayed(run: Run, constants: Lags) -> Trace:
    """Simulate the starts and holds that really were; waits count from the schedule."""
    columns = Columns.of(run)
    scenario = _scenario(run, columns, _around(constants))
    held_s = columns.held_s
    unknown = np.isnan(held_s)
    guess_s = columns.asked_hold_s + np.nanmean(held_s - columns.asked_hold_s)
    order = np.argsort(columns.started_s, kind="stable")
    added_s = scenario.hold_s_mean - scenario.workload.hold_s_mean
    hold_s = np.maximum(np.where(unknown, guess_s, held_s) - added_s, 0.0)[order]
    arrivals = _arrivals(columns.started_s[order], hold_s)
    trips_s = CONNECT_ROUND_TRIPS[scenario.pool.serves] * scenario.server.rtt_s
    connects_s = (columns.connects_s - trips_s).tolist()
    trace = simulate(scenario, arrivals=arrivals, connects_s=connects_s or None)
    return replace(trace, asked_s=array("d", columns.scheduled_s[order].tolist()))


def foretold(run: Run, constants: Lags) -> Trace:
    """Simulate the schedule with the constants, as before the run."""
    return simulate(_foretelling(run, constants), arrivals=draw(run.case.scenario))


def independent(run: Run, constants: Lags) -> list[dict[str, float]]:
    """Return the numbers of many runs as foretold with random numbers of their own."""
    scenario = _foretelling(run, constants)
    scenario = replace(scenario, seed=scenario.seed + OTHER_SEEDS)
    play = simulate if uncovered(scenario) else simulate_arrays  # which gives the same, sooner
    traces = (play(scenario, number) for number in range(REPLICATIONS))
    return [numbers(trace, scenario) for trace in traces]


def numbers(trace: Trace, scenario: Scenario) -> dict[str, float]:
    """Return what is compared: waits in ms, the share timed out, connections opened."""
    asked_s = np.asarray(trace.asked_s)
    counted = (asked_s >= scenario.warm_up_s) & (asked_s < scenario.duration_s)
    granted_s, released_s = np.asarray(trace.granted_s), np.asarray(trace.released_s)
    outcome = np.asarray(trace.outcome)[counted]
    ended_s = np.where(np.isnan(granted_s), released_s, granted_s)
    wait_ms = (ended_s - asked_s)[counted] * 1e3
    percentiles = {name: float(np.percentile(wait_ms, p)) for name, p in PERCENTILES.items()}
    return {
        "mean": float(wait_ms.mean()),
        **percentiles,
        "timeouts": float(np.mean(outcome == Outcome.ACQUIRE_TIMEOUT)),
        "opened": float(np.sum(np.asarray(trace.opening_s) > 0.0)),
    }


def judged(run: Run, constants: Lags) -> dict[str, Any]:
    """Return the numbers of a run and of its three simulations, as JSON values."""
    scenario = run.case.scenario
    many = independent(run, constants)
    low, high = (
        {name: float(np.percentile([one[name] for one in many], p)) for name in many[0]}
        for p in (2.5, 97.5)
    )
    found: Mapping[str, Mapping[str, float]] = {
        "measured": numbers(run.trace, scenario),
        "replayed": numbers(replayed(run, constants), scenario),
        "foretold": numbers(foretold(run, constants), scenario),
        "low": low,
        "high": high,
    }
    rounded = {who: {k: round(v, 5) for k, v in of.items()} for who, of in found.items()}
    return {"name": run.case.name, "requests": len(run.trace.asked_s), **rounded, **run.noise}


def _foretelling(run: Run, constants: Lags) -> Scenario:
    """Return the scenario of a run; the overhead has the round trips of each hold in it."""
    scenario = _scenario(run, Columns.of(run), _around(constants))
    trips_s = scenario.pool.hold_round_trips * scenario.server.rtt_s
    worker = replace(
        scenario.worker,
        overhead_s=max(0.0, constants.overhead_s - trips_s),
        entry_s=constants.entry_s + constants.late_s,
    )
    return replace(scenario, worker=worker)


def _around(constants: Lags) -> Worker:
    """Return the lags around the pool alone: for starts and holds that were measured."""
    return Worker(entry_s=constants.entry_s, handover_s=constants.handover_s)


def _scenario(run: Run, columns: Columns, worker: Worker) -> Scenario:
    """Return the scenario of a run with a worker's costs; connects and closes as they were."""
    scenario = run.case.scenario
    trips = CONNECT_ROUND_TRIPS[scenario.pool.serves]
    rtt_s, mean_s, spread_s = columns.rtt_s(trips), 0.0, 0.0
    if len(columns.connects_s):
        mean_s, spread_s = float(columns.connects_s.mean()), float(columns.connects_s.std())
    connect_s = mean_s - trips * rtt_s
    cv = spread_s / connect_s if connect_s else 0.0
    server = replace(scenario.server, rtt_s=rtt_s, connect_s=connect_s, connect_cv=cv)
    return replace(scenario, worker=worker, server=server)


def _arrivals(asked_s: Array, hold_s: Array) -> Arrivals:
    nowhere = np.zeros(len(asked_s), dtype=np.int64)
    return Arrivals(asked_s, hold_s, nowhere, nowhere)
