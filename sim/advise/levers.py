"""What would help where no pool setting can: one change outside the pool, found by the search."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sim.advise.cases import capacity_allowed, cases_of, obstacle
from sim.advise.counted import Evaluate, Tick
from sim.advise.judge import Effort, Judge
from sim.advise.recommendation import Lever, Tried
from sim.advise.search import smallest
from sim.advise.sizing import CONNECTIONS_MAX, sizing_of
from sim.advise.start import closed_form
from sim.advise.words import said, size_text, spoken_time
from sim.scenario import Scenario

_ROOM = 2


@dataclass(frozen=True, slots=True)
class _Change:
    """A change by whole steps: what it makes of a scenario, and how to say it."""

    name: str
    low: int
    high: int
    start: int
    of: Callable[[int], Scenario]
    say: Callable[[Scenario], str]


def levers_of(
    scenario: Scenario, evaluate: Evaluate, effort: Effort, tick: Tick | None = None
) -> tuple[Lever, ...]:
    """Return every lever that would meet the goal, each with the least change that does."""
    found = []
    for change in _changes(scenario):
        best: dict[int, Tried] = {}

        def meets(step: int, change: _Change = change, best: dict[int, Tried] = best) -> bool:
            tried = _best(change.of(step), evaluate, effort, tick)
            if tried is None:
                return False
            best[step] = tried
            return tried.meets

        step = smallest(meets, change.start, change.low, change.high)
        if step is not None:
            at, proof = change.of(step), best[step]
            sentence = f"{change.say(at)} (with {size_text(proof)}): {said(proof.worst)}."
            found.append(Lever(change.name, sentence, replace(at, pool=proof.pool), proof))
    return tuple(found)


def _best(
    scenario: Scenario, evaluate: Evaluate, effort: Effort, tick: Tick | None
) -> Tried | None:
    """Try the pool at the largest size allowed, and with ample room; return what does better."""
    if obstacle(scenario):
        return None
    judge = Judge(scenario, cases_of(scenario), evaluate, effort, tick)
    sizing, allowed = sizing_of(scenario.pool), capacity_allowed(scenario)
    if sizing is None:
        return judge.judge(scenario.pool)
    most = CONNECTIONS_MAX if allowed is None else min(allowed, CONNECTIONS_MAX)
    for size in sorted({min(most, _ROOM * closed_form(scenario)), most}):
        tried = judge.judge(sizing.sized(scenario.pool, size))
        if tried.meets:
            return tried
    return min(judge.rows, key=lambda one: one.worst.excess)


def _changes(scenario: Scenario) -> Iterator[_Change]:
    load, server, fleet = scenario.workload, scenario.server, scenario.fleet

    def shorter(percent: int) -> Scenario:
        hold_s = load.hold_s_mean * (100 - percent) / 100.0
        return replace(scenario, workload=replace(load, hold_s_mean=hold_s))

    if load.is_hold_by_mean and load.hold_s_mean > 0.001:
        yield _Change(
            "hold time",
            1,
            95,
            25,
            shorter,
            lambda at: (
                f"Shorten the hold from {spoken_time(load.hold_s_mean)} to"
                f" {spoken_time(at.workload.hold_s_mean)}"
            ),
        )
    if server.cpu_fraction > 0.0 and server.cores < 512:
        yield _Change(
            "cores",
            server.cores + 1,
            512,
            server.cores * 2,
            lambda cores: replace(scenario, server=replace(server, cores=cores)),
            lambda at: f"Give the server {at.server.cores} cores instead of {server.cores}",
        )
    most = min(200, 1000 // fleet.workers)
    if fleet.replicas < most:
        yield _Change(
            "replicas",
            fleet.replicas + 1,
            most,
            fleet.replicas + 1,
            lambda replicas: replace(scenario, fleet=replace(fleet, replicas=replicas)),
            lambda at: f"Run {at.fleet.replicas} replicas instead of {fleet.replicas}",
        )
    if capacity_allowed(scenario) is not None and server.max_connections < 10_000:
        yield _Change(
            "max_connections",
            server.max_connections + 1,
            10_000,
            server.max_connections * 2,
            lambda most: replace(scenario, server=replace(server, max_connections=most)),
            lambda at: (
                f"Raise max_connections from {server.max_connections} to"
                f" {at.server.max_connections}, or put PgBouncer in front of the server"
            ),
        )
