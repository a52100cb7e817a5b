"""Ask the real library: one replication of a Scenario, played by it and by the simulation."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import pools.twin.play
import sim.play
from pools.trace import Trace
from pools.twin.adapter import Adapter
from pools.twin.agree import TIMES, Difference, first_difference, identical_requests
from pools.twin.play import adapter_of
from sim.measure import Window
from sim.run import window_of
from sim.scenario import Scenario
from sim.script import Script
from sim.script_of import JITTER_S, script_of

REQUESTS_MAX = 20_000
CUT_SHORT = "Cut short"
Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TwinReport:
    """What the library did, and the simulation, with the same arrivals and holds.

    `identical_requests` of `requests` went the same way in both: outcome, connection, and
    all times within 2 microseconds; `difference` is the first that did not. `window` is what
    may be counted of both traces. `versions` are those of the libraries that were asked,
    `notes` say in sentences what limits the answer.
    """

    trace: Trace
    simulated: Trace
    requests: int
    identical_requests: int
    difference: Difference | None
    window: Window
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()


def ask(
    scenario: Scenario, tick: Tick | None = None, requests_max: int = REQUESTS_MAX
) -> TwinReport:
    """Play the first replication of a scenario with the installed library.

    The simulation plays the same arrivals and holds first, so it is known how many requests
    are to come; about `requests_max` at most, in time from the start. `tick` is called now and
    then with the number of requests that the library was asked and will be; it may raise to
    cancel. Raises NoTwin if there is no twin of the kind, ImportError if its library is not
    installed.
    """
    made = adapter_of(scenario.pool.name)
    script = script_of(scenario, requests_max=requests_max)
    early = sum(one.at_s < 0.0 for one in script.asks)
    simulated = without_prelude(sim.play.play(script, lambda _: _tell(tick, 0, 0)))
    expected = len(simulated.asked_s)

    def told(count: int) -> None:
        _tell(tick, min(max(0, count - early), expected), expected)

    real = without_prelude(pools.twin.play.play(script, told))
    window = _window(scenario, script, requests_max)
    return TwinReport(
        trace=real,
        simulated=simulated,
        requests=max(len(real.asked_s), len(simulated.asked_s)),
        identical_requests=identical_requests(simulated, real),
        difference=first_difference(simulated, real),
        window=window,
        versions={name: version(name) for name in made.libraries},
        notes=tuple(_notes(scenario, script, made, real, window)),
    )


def _tell(tick: Tick | None, done: int, expected: int) -> None:
    if tick is not None:
        tick(done, expected)


def without_prelude(trace: Trace) -> Trace:
    """Leave out the requests before time 0, which only opened connections."""
    first = next((row for row, at_s in enumerate(trace.asked_s) if at_s >= 0.0), len(trace.asked_s))
    columns = {name: getattr(trace, name) for name in trace.__dataclass_fields__}
    for name in (*TIMES, "outcome", "connection", "pool"):
        columns[name] = columns[name][first:]
    return Trace(**columns)


def _window(scenario: Scenario, script: Script, requests_max: int) -> Window:
    """Count what the page counts; less if the script ends before the scenario does."""
    whole = window_of(scenario)
    if script.loops:
        end_s = script.loops[0].until_s
    else:
        count = sum(one.at_s >= 0.0 for one in script.asks)
        end_s = script.asks[-1].at_s if count >= requests_max else whole.end_s
    if end_s >= whole.end_s:
        return whole
    return Window(whole.start_s if whole.start_s < end_s else 0.0, end_s)


def _notes(
    scenario: Scenario, script: Script, made: type[Adapter], trace: Trace, window: Window
) -> Iterator[str]:
    yield from made.limits
    if not scenario.is_plain:
        yield "The library is asked for one checkout a request, by clients that wait and ask once."
    if trace.truncated:
        yield f"{CUT_SHORT}: {trace.truncated}."
    if window.end_s < scenario.duration_s:
        first = f"The first {len(trace.asked_s)} requests were played"
        yield f"{first}, up to {window.end_s:.3g} s of {scenario.duration_s:g} s."
    if window.start_s < scenario.warm_up_s:
        yield "They end before the warm-up does, so all of them are counted."
    if short := _lengthened(script):
        yield f"{short} short holds last one round trip, since the caller's query is inside them."
    simulated, installed = getattr(scenario.pool, "version", None), made.version()
    if installed is not None and simulated != installed:
        yield f"The settings say version {simulated}; the installed one behaves as {installed}."


def _lengthened(script: Script) -> int:
    """Count the holds drawn that are shorter than their query's round trip."""
    uses = [one.use for one in script.asks if one.at_s >= 0.0]
    uses += [use for one in script.loops for use in one.uses]
    return sum(use.work_s is not None and use.work_s <= JITTER_S for use in uses)
