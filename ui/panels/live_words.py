"""The live check in words and numbers: what it will do, how far it is, what it found."""

from dataclasses import dataclass

from pools.kinds import KINDS
from pools.live.check import LiveCheck, Step
from pools.live.compare import Comparison, compare
from pools.live.fit import Fit, Row, judge
from pools.live.plan import Plan
from pools.live.problems import Problem
from pools.live.report import LiveReport
from sim.query import to_query
from sim.result import Estimate, SimulationResult
from sim.scenario import Workload
from ui.words import NOTHING, count, duration, duration_interval, number, share

SET_UP_S_ABOUT = 3
FITS, DOES_NOT_FIT, JUDGES_NOTHING = (
    "The model fits",
    "The model does not fit",
    "This run judges nothing",
)
REPLAYED = (
    "Simulated: the same requests, with the round trip and connect time measured here. Replayed:"
    " each also starts and holds its connection as late and as long as it really did, so what"
    " separates it from the measurement is the model of the pool."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished check: its report, and its waits beside the simulated ones."""

    report: LiveReport
    runs: Comparison
    fit: Fit


def outcome_of(report: LiveReport) -> Outcome:
    """Compare a report with the simulation of the same requests, and judge."""
    runs = compare(report)
    return Outcome(report, runs, judge(report, runs))


def compare_step(outcome: Outcome) -> Step:
    """Return the last step, which runs here and not in the check's own process."""
    verdict = {True: FITS, False: DOES_NOT_FIT, None: JUDGES_NOTHING}[outcome.fit.fits]
    return Step("compare", f"Compare measured with simulated: {verdict.lower()}", "done", 1.0)


def before(planned: Plan, own: str = "") -> str:
    """Say what a check does and what it uses, before it starts; `own` names a person's server."""
    scenario = planned.scenario
    seconds = round(scenario.duration_s + SET_UP_S_ABOUT)
    most = scenario.pool.capacity
    limit = (
        "as many connections as the load needs"
        if most is None
        else f"up to {count(most, 'connection')}"
    )
    server = (
        "a throw-away PostgreSQL that it starts here and removes again"
        if scenario.pool.serves == "database"
        else "a local HTTP server that it starts here"
    )
    server = own or server
    return (
        f"Runs the real {KINDS[scenario.pool.name].title} against {server}, in a process of its"
        f" own: about {seconds} s, {_load(scenario.workload)}, {limit}. Then lays the measured"
        " waits over the simulated ones."
    )


def _load(load: Workload) -> str:
    steady = f"{number(load.rate_per_s)} requests a second"
    if load.pattern != "spike":
        return steady
    burst = f"{count(load.spike_requests, 'request')} at once"
    return f"{steady} and {burst}" if load.rate_per_s else burst


def step_line(step: Step) -> str:
    """Name a step, with the numbers it has found so far."""
    found = ", ".join(
        f"{name.removesuffix('_ms').replace('_', ' ')} {_plain(value)}"
        f"{' ms' if name.endswith('_ms') else ''}"
        for name, value in step.numbers.items()
    )
    return f"{step.title}: {found}" if found else step.title


def progress_line(check: LiveCheck) -> str:
    """Say how far a check is."""
    return f"{check.fraction:.0%} done; it ends by itself after {check.deadline_s:.0f} s."


def problem_line(problem: Problem) -> str:
    """Say why a check failed, what it left alone and what to do next."""
    parts = (problem.cause, problem.not_done, problem.next_step, f"({problem.code})")
    return " ".join(filter(None, parts))


def ran_with(outcome: Outcome) -> str:
    """Say which settings a check ran with, and on what."""
    report = outcome.report
    libraries = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return (
        f"Ran {to_query(report.scenario) or 'the defaults'}\n"
        f"on {report.server.product} {report.server.version} ({report.server.provider}),"
        f" {libraries}, {report.taken_at}"
    )


def compared(outcome: Outcome) -> dict[str, list[str]]:
    """Return the columns of the table: each number with the interval of one such run."""
    rows, replayed = outcome.fit.rows, outcome.runs.replayed
    return {
        "": [row.name for row in rows],
        "measured": [_with_interval(row, row.measured) for row in rows],
        "simulated": [_with_interval(row, row.simulated) for row in rows],
        "replayed": [_replayed(row, replayed) for row in rows],
        "fits": ["yes" if row.fits else "no" for row in rows],
    }


def _with_interval(row: Row, one: Estimate) -> str:
    if not row.name.startswith("wait "):
        return _plain_number(row, one)
    value = _time(one.value)
    return value if one.low is None else f"{value} ({duration_interval(one)})"


def _replayed(row: Row, result: SimulationResult) -> str:
    kind, _, name = row.name.partition(" ")
    if kind == "wait":
        one: Estimate = getattr(result.wait_s, name)
        return _time(one.value)
    numbers = {
        "throughput": result.throughput_per_s,
        "timeouts": result.timeout_ratio,
        "utilisation": result.utilisation,
    }
    return _plain_number(row, numbers[row.name])


def _plain_number(row: Row, one: Estimate) -> str:
    if one.value is None:
        return NOTHING
    return f"{number(one.value)} /s" if row.name == "throughput" else share(one.value)


def calibration(report: LiveReport) -> dict[str, list[str]]:
    """Return the columns of the table of costs measured before the load."""
    costs = report.calibration
    rows = [
        ("connect", costs.connect),
        ("round trip", costs.rtt),
        ("pre-ping", costs.pre_ping),
        ("reset", costs.reset),
    ]
    known = [(name, cost) for name, cost in rows if cost is not None]
    table = [(name, cost.median_s, cost.n) for name, cost in known]
    if lags := costs.lags:
        named = {"hold overhead": lags.overhead_s, "handover": lags.handover_s}
        named |= {"entry": lags.entry_s, "late start": lags.late_s}
        table += [(f"{name} (mean)", value_s, lags.requests) for name, value_s in named.items()]
    return {
        "cost": [name for name, _, _ in table],
        "median": [duration(value_s) for _, value_s, _ in table],
        "of": [str(n) for _, _, n in table],
    }


def served(outcome: Outcome) -> str:
    """Say how many requests were counted, and how many failed."""
    result = outcome.runs.measured
    failed = sum(result.errors.values())
    return (
        f"{count(result.requests, 'request')} counted, {count(failed, 'failure')};"
        f" the client used {outcome.report.client_cpu:.0%} of a core."
    )


def _time(seconds: float | None) -> str:
    return NOTHING if seconds is None else duration(seconds)


def _plain(value: object) -> str:
    return number(float(value)) if isinstance(value, int | float) else str(value)
