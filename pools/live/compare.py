"""Lays a live check over the simulation: the same arrivals, so that luck cancels out.

`simulated` holds each connection as long as was asked for, with the costs that calibration
measured before: what the page would have said. `replayed` starts and holds each when and as long
as it really was: what is left between it and the measurement is the model of the pool.
"""

from array import array
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pools.kinds import SqlalchemyQueue
from pools.live.report import LiveReport
from pools.trace import Trace
from sim.engine import simulate
from sim.measure import measure
from sim.result import SimulationResult
from sim.run import window_of
from sim.scenario import Scenario
from sim.workload import Arrivals, draw


@dataclass(frozen=True, slots=True)
class Comparison:
    """Three runs of the same requests, measured alike.

    `held_longer_s_mean` is how much longer than asked a connection was really held.
    """

    measured: SimulationResult
    simulated: SimulationResult
    replayed: SimulationResult
    held_longer_s_mean: float

    @property
    def sentence(self) -> str:
        """Lay the mean waits side by side, with what separates them."""
        measured, simulated, replayed = (
            _ms(run) for run in (self.measured, self.simulated, self.replayed)
        )
        return (
            f"Mean wait measured {measured}, simulated {simulated}. Connections were held"
            f" {self.held_longer_s_mean * 1e3:.2g} ms longer than asked on average; with the"
            f" starts and holds as they really were, the same model says {replayed}."
        )


def compare(report: LiveReport) -> Comparison:
    """Simulate the requests of a live check and measure all three traces."""
    scenario = report.calibrated
    window = window_of(scenario)
    asked = requested(report)
    traces = (report.trace, simulated(report), replayed(report))
    first, second, third = (measure([trace], window, scenario.capacity) for trace in traces)
    held = np.asarray(report.trace.released_s) - np.asarray(report.trace.granted_s)
    longer = (held - asked.hold_s)[~np.isnan(held)]
    longer_s = float(longer.mean()) if len(longer) else 0.0
    return Comparison(first, second, third, longer_s)


def simulated(report: LiveReport) -> Trace:
    """Simulate the schedule with what calibration measured."""
    return simulate(_late(report), arrivals=requested(report))


def _late(report: LiveReport) -> Scenario:
    """Return the calibrated scenario as this client plays it: a little after its schedule."""
    scenario, lags = report.calibrated, report.calibration.lags
    entry_s = scenario.worker.entry_s + (max(0.0, lags.late_s) if lags else 0.0)
    return replace(scenario, worker=replace(scenario.worker, entry_s=entry_s))


def requested(report: LiveReport) -> Arrivals:
    """Return the schedule that the live check was given."""
    drawn = draw(report.scenario)
    return replace(drawn, hold_s=drawn.hold_s.clip(max=report.hold_s_max))


def replayed(report: LiveReport) -> Trace:
    """Simulate with the starts and holds that really were; waits count from the schedule."""
    asked = requested(report)
    started_s = asked.asked_s + np.asarray(report.late_s)
    order = np.argsort(started_s, kind="stable")
    held_s = _held(report, asked)
    really = replace(asked, asked_s=started_s[order], hold_s=held_s[order])
    scenario = report.calibrated
    scenario = replace(scenario, worker=replace(scenario.worker, overhead_s=0.0))
    trace = simulate(scenario, arrivals=really)
    return replace(trace, asked_s=array("d", asked.asked_s[order].tolist()))


def _held(report: LiveReport, asked: Arrivals) -> NDArray[np.float64]:
    """Return measured holds, less what the model adds.

    Where nothing was held, as long as asked and longer by what the others were on average:
    holding just as asked would let the model serve requests that a busy client cannot.
    """
    scenario, trace = report.calibrated, report.trace
    pool = scenario.pool
    if isinstance(pool, SqlalchemyQueue):
        pool = replace(pool, pool_pre_ping=False)  # the ping passes before the grant
    added = pool.hold_round_trips
    held = (
        np.asarray(trace.returned_s) - np.asarray(trace.granted_s) - added * scenario.server.rtt_s
    )
    unknown = np.isnan(held)
    longer_s = (held - asked.hold_s)[~unknown].mean() if not unknown.all() else 0.0
    return np.maximum(np.where(unknown, asked.hold_s + longer_s, held), 0.0)


def _ms(result: SimulationResult) -> str:
    value = result.wait_s.mean.value
    return "unknown" if value is None else f"{value * 1e3:.3g} ms"
