"""Whether the simulation fits a live check, and if not, which of its assumptions failed.

A number fits if the simulated value is as near to the measured one as its tolerance, or as the
measured run itself is sure, whichever is wider. Both intervals are of one run of this length:
the measured one from blocks of consecutive requests drawn again (waits follow each other, so
single requests would look surer than they are), the simulated one from runs with other random
numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pools.live.compare import Comparison
from pools.live.report import LiveReport
from pools.trace import Outcome, Trace
from sim.engine import simulate
from sim.result import Estimate, SimulationResult
from sim.workload import draw

Array = NDArray[np.float64]
OTHER_RUNS, OTHER_SEEDS = 40, 10_000
RESAMPLES, BLOCK_REQUESTS = 400, 50
INTERVAL = (2.5, 97.5)
PERCENTILES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}
WAIT_TOLERANCE = {"mean": 0.10, "p50": 0.10, "p90": 0.10, "p95": 0.10, "p99": 0.15}
WAIT_TOLERANCE_S = 0.001  # what timers and a busy machine blur anyway
THROUGHPUT_TOLERANCE, RATIO_TOLERANCE, UTILISATION_TOLERANCE = 0.02, 0.02, 0.05
FAILED_SHARE_MAX = 0.01
CONNECT_SLOWER = 1.5


@dataclass(frozen=True, slots=True)
class Row:
    """One number, measured and simulated, each with the interval of a run of this length."""

    name: str
    measured: Estimate
    simulated: Estimate
    fits: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """The judgement: `fits` is None if the run judges nothing; `sentence` says why."""

    fits: bool | None
    sentence: str
    rows: tuple[Row, ...]


def judge(report: LiveReport, compared: Comparison) -> Fit:
    """Lay measured over simulated, number by number, and say in words what follows."""
    rows = tuple(_rows(report, compared))
    if report.client_was_saturated:
        return Fit(None, f"This run judges nothing: {_saturated(report)}", rows)
    if compared.measured.requests == 0:
        return Fit(None, "This run judges nothing: no request was counted.", rows)
    missed = [row.name for row in rows if not row.fits]
    if not missed:
        return Fit(True, _fitting(compared), rows)
    return Fit(False, f"The model does not fit: {_assumption(report, compared, missed)}", rows)


def _saturated(report: LiveReport) -> str:
    return (
        f"its own client was too busy ({report.client_cpu:.0%} of its core, 1 request in 100 more"
        f" than {report.lag_s['p99'] * 1e3:.0f} ms late). Lower the rate, or wait until this"
        " machine is idle."
    )


def _fitting(compared: Comparison) -> str:
    mean = compared.measured.wait_s.mean.value or 0.0
    return (
        f"The model fits: waits, throughput and timeouts are as simulated within tolerance (mean"
        f" wait {mean * 1e3:.3g} ms measured)."
    )


def _assumption(report: LiveReport, compared: Comparison, missed: list[str]) -> str:
    """Name the assumption that explains most of what is missed."""
    failed = sum(
        count for kind, count in compared.measured.errors.items() if kind != "acquire_timeout"
    )
    off = ", ".join(missed)
    if failed > FAILED_SHARE_MAX * compared.measured.requests:
        return (
            f"it assumes that nothing fails, and {failed} of {compared.measured.requests} requests"
            f" failed. Off: {off}."
        )
    slow = _slow_connects(report)
    if slow:
        return f"{slow} Off: {off}."
    if _replay_fits(compared):
        return (
            "it assumes holds as long as asked, and they lasted"
            f" {compared.held_longer_s_mean * 1e3:.2g} ms longer on average; with the holds as"
            f" they were it fits. Off: {off}. Adopt the measured costs, or make holds longer."
        )
    return (
        f"even with starts and holds as they really were, the pool waits differently. Off: {off}."
        " Look at the version of the library, or report this result."
    )


def _slow_connects(report: LiveReport) -> str:
    opening, opened = (
        np.asarray(times) for times in (report.trace.opening_s, report.trace.opened_s)
    )
    took_s = (opened - opening)[(opening > 0.0) & ~np.isnan(opened)]
    alone_s = report.calibration.connect.median_s
    if len(took_s) < 3 or float(np.median(took_s)) < CONNECT_SLOWER * alone_s:
        return ""
    return (
        f"it assumes connects as fast as alone ({alone_s * 1e3:.3g} ms), and under load they took"
        f" {float(np.median(took_s)) * 1e3:.3g} ms."
    )


def _replay_fits(compared: Comparison) -> bool:
    return all(
        _near(
            _number(compared.measured, name),
            _number(compared.replayed, name),
            Estimate(None),
            WAIT_TOLERANCE[name],
        )
        for name in ("mean", "p95")
    )


def _rows(report: LiveReport, compared: Comparison) -> Iterator[Row]:
    measured, simulated = compared.measured, compared.simulated
    others = [_waits(trace, report) for trace in _other_runs(report)]
    drawn_again = _resampled(_waits(report.trace, report))
    for name, tolerance in WAIT_TOLERANCE.items():
        own = _interval(_number(measured, name), [_of(waits, name) for waits in drawn_again])
        model = _interval(_number(simulated, name), [_of(waits, name) for waits in others])
        yield Row(f"wait {name}", own, model, _near(own.value, model.value, own, tolerance))
    for label, one, other, tolerance, relative in (
        (
            "throughput",
            measured.throughput_per_s,
            simulated.throughput_per_s,
            THROUGHPUT_TOLERANCE,
            True,
        ),
        ("timeouts", measured.timeout_ratio, simulated.timeout_ratio, RATIO_TOLERANCE, False),
        ("utilisation", measured.utilisation, simulated.utilisation, UTILISATION_TOLERANCE, False),
    ):
        yield Row(label, one, other, _close(one.value, other.value, tolerance, relative=relative))


def _near(measured: float | None, simulated: float | None, own: Estimate, tolerance: float) -> bool:
    if measured is None or simulated is None:
        return measured is simulated
    sure_s = 0.0
    if own.low is not None and own.high is not None:
        sure_s = max(own.high - measured, measured - own.low)
    return abs(simulated - measured) <= max(tolerance * measured, sure_s, WAIT_TOLERANCE_S)


def _close(one: float | None, other: float | None, tolerance: float, *, relative: bool) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= tolerance * (abs(one) if relative else 1.0)


def _other_runs(report: LiveReport) -> Iterator[Trace]:
    scenario = report.calibrated
    for number in range(OTHER_RUNS):
        other = replace(scenario, seed=scenario.seed + OTHER_SEEDS + number)
        drawn = draw(other)
        yield simulate(
            other, arrivals=replace(drawn, hold_s=drawn.hold_s.clip(max=report.hold_s_max))
        )


def _waits(trace: Trace, report: LiveReport) -> Array:
    """Return the waits that count, in the order of asking: granted or given up."""
    scenario = report.calibrated
    asked_s, granted_s = np.asarray(trace.asked_s), np.asarray(trace.granted_s)
    counted = (asked_s >= scenario.warm_up_s) & (asked_s < scenario.duration_s)
    gave_up = np.asarray(trace.outcome) == Outcome.ACQUIRE_TIMEOUT
    ended_s = np.where(np.isnan(granted_s) & gave_up, np.asarray(trace.released_s), granted_s)
    waits: Array = (ended_s - asked_s)[counted]
    return waits[~np.isnan(waits)]


def _resampled(waits: Array) -> list[Array]:
    """Draw blocks of consecutive requests again, always the same way."""
    if not len(waits):
        return []
    rng = np.random.default_rng(1)
    block = min(BLOCK_REQUESTS, len(waits))
    blocks = -(-len(waits) // block)
    starts = rng.integers(0, len(waits) - block + 1, (RESAMPLES, blocks))
    offsets = np.arange(block)
    return [waits[(row[:, None] + offsets).ravel()[: len(waits)]] for row in starts]


def _of(waits: Array, name: str) -> float:
    if not len(waits):
        return float("nan")
    return float(waits.mean() if name == "mean" else np.percentile(waits, PERCENTILES[name]))


def _number(result: SimulationResult, name: str) -> float | None:
    one: Estimate = getattr(result.wait_s, name)
    return one.value


def _interval(value: float | None, many: list[float]) -> Estimate:
    known = [one for one in many if one == one]  # noqa: PLR0124  nan differs from itself
    if value is None or not known:
        return Estimate(value)
    low, high = (float(np.percentile(known, share)) for share in INTERVAL)
    return Estimate(value, low, high)
