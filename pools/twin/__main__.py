"""`python -m pools.twin "kind=asyncpg&rate=200" --json`: the real library's answer.

The same keys as `python -m sim`, measured on what the installed library did in virtual time
with the first replication's arrivals and holds; and `identical_requests` of `asked_requests`,
those that the simulation decided in the same way, `first_difference` in words if there is one,
and `versions`.
"""

import json
import sys
from collections.abc import Sequence

from pools.trace import Trace
from pools.twin.ask import CUT_SHORT, TwinReport, ask
from pools.twin.play import NoTwin
from sim.__main__ import as_json, asked, in_words
from sim.measure import measure
from sim.result import SimulationResult
from sim.run import unstable_notes
from sim.scenario import Scenario


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask about one scenario.

    Return 0; 2 for bad input, with one line for each mistake; 3 if there is no library to ask.
    """
    scenario, wants_json = asked("python -m pools.twin", __doc__, arguments)
    if scenario is None:
        return 2
    try:
        report = ask(scenario)
    except (NoTwin, ImportError) as missing:
        print(missing, file=sys.stderr)
        return 3
    result = result_of(scenario, report, report.trace)
    if wants_json:
        answer = as_json(scenario, result) | {
            "identical_requests": report.identical_requests,
            "asked_requests": report.requests,
            "first_difference": None if report.difference is None else str(report.difference),
            "versions": dict(report.versions),
        }
        print(json.dumps(answer, indent=2))
    else:
        print(in_words(scenario, result))
        print(agreement(report))
        if report.difference is not None:
            print(report.difference)
    return 0


def result_of(scenario: Scenario, report: TwinReport, trace: Trace) -> SimulationResult:
    """Measure one of the report's traces as the simulation's traces are measured."""
    said = [note for note in report.notes if not note.startswith(CUT_SHORT)]  # measure says it
    notes = [*unstable_notes(scenario), *said]
    return measure([trace], report.window, scenario.capacity, notes)


def agreement(report: TwinReport) -> str:
    """Say in a sentence how far simulation and library agree, and which library it was."""
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    return (
        f"{report.identical_requests} of {report.requests} requests: same outcome,"
        f" same connection, same time ({versions})"
    )


if __name__ == "__main__":
    sys.exit(main())
