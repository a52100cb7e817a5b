"""Ask the real library: one replication of a Scenario, played by it and by the simulation."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import pools.twin.play
import sim.play
from pools.trace import Trace
from pools.twin.play import adapter_of
from sim.scenario import Scenario
from sim.script import Script
from sim.script_of import script_of

REQUESTS_MAX = 20_000
TOLERANCE_S = 2e-6
TIMES = ("asked_s", "granted_s", "released_s", "returned_s")
Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TwinReport:
    """What the library did, and the simulation, with the same arrivals and holds.

    `identical_requests` of `requests` went the same way in both: outcome, connection, and
    all times within 2 microseconds. `versions` are those of the libraries that were asked,
    `notes` say in sentences what limits the answer.
    """

    trace: Trace
    simulated: Trace
    requests: int
    identical_requests: int
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()


def ask(
    scenario: Scenario, tick: Tick | None = None, requests_max: int = REQUESTS_MAX
) -> TwinReport:
    """Play the first replication of a scenario with the installed library.

    At most `requests_max` requests are played. `tick` is called now and then with the number
    of requests asked and expected; it may raise to cancel. Raises ImportError if the library
    is not installed.
    """
    script = script_of(scenario, requests_max=requests_max)
    expected = _expected(scenario, script)

    def told(count: int) -> None:
        if tick is not None:
            tick(min(count, expected), expected)

    real = without_prelude(pools.twin.play.play(script, told))
    simulated = without_prelude(sim.play.play(script, told))
    made = adapter_of(scenario.pool.name)
    return TwinReport(
        trace=real,
        simulated=simulated,
        requests=max(len(real.asked_s), len(simulated.asked_s)),
        identical_requests=identical_requests(simulated, real),
        versions={name: version(name) for name in made.libraries},
        notes=tuple(_notes(scenario, script, real)),
    )


def identical_requests(one: Trace, other: Trace) -> int:
    """Count the requests that went the same way in two traces of one script."""
    return sum(
        one.outcome[row] == other.outcome[row]
        and one.connection[row] == other.connection[row]
        and all(_same(getattr(one, name)[row], getattr(other, name)[row]) for name in TIMES)
        for row in range(min(len(one.asked_s), len(other.asked_s)))
    )


def without_prelude(trace: Trace) -> Trace:
    """Leave out the requests before time 0, which only opened connections."""
    first = next((row for row, at_s in enumerate(trace.asked_s) if at_s >= 0.0), len(trace.asked_s))
    columns = {name: getattr(trace, name) for name in trace.__dataclass_fields__}
    for name in (*TIMES, "outcome", "connection", "pool"):
        columns[name] = columns[name][first:]
    return Trace(**columns)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= TOLERANCE_S or (math.isnan(one) and math.isnan(other))


def _expected(scenario: Scenario, script: Script) -> int:
    return len(script.asks) or math.ceil(scenario.requests_expected)


def _notes(scenario: Scenario, script: Script, trace: Trace) -> list[str]:
    notes = [trace.truncated] if trace.truncated else []
    if script.asks and len(trace.asked_s) < scenario.requests_expected / 2.0:
        notes.append(f"Only the first {len(trace.asked_s)} requests were played.")
    return notes
