"""`python -m pools.twin "kind=asyncpg&rate=200" --json`: the real library's answer.

The same keys as `python -m sim`, measured on what the installed library did in virtual time
with the first replication's arrivals and holds; and `identical_requests` of `asked_requests`,
those that the simulation decided in the same way.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from pools.setting import InvalidSettings
from pools.twin.ask import TwinReport, ask
from sim.__main__ import as_json, in_words
from sim.measure import measure
from sim.query import parse
from sim.result import SimulationResult
from sim.run import unstable_notes, window_of
from sim.scenario import Scenario


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask about one scenario. Return 0, or 2 for bad input with one line for each mistake."""
    parser = argparse.ArgumentParser(prog="python -m pools.twin", description=__doc__)
    parser.add_argument("query", help="the page's query string, such as 'pool_size=5&rate=200'")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args(arguments)
    try:
        scenario = parse(given.query)
    except InvalidSettings as wrong:
        for mistake in wrong.mistakes:
            print(mistake, file=sys.stderr)
        return 2
    report = ask(scenario)
    result = result_of(scenario, report)
    if given.json:
        answer = as_json(scenario, result) | {
            "identical_requests": report.identical_requests,
            "asked_requests": report.requests,
            "versions": dict(report.versions),
        }
        print(json.dumps(answer, indent=2))
    else:
        print(in_words(scenario, result))
        print(agreement(report))
    return 0


def result_of(scenario: Scenario, report: TwinReport) -> SimulationResult:
    """Measure the library's trace as the simulation's traces are measured."""
    notes = [*unstable_notes(scenario), *report.notes]
    return measure([report.trace], window_of(scenario), scenario.capacity, notes)


def agreement(report: TwinReport) -> str:
    """Say in a sentence how far simulation and library agree, and which library it was."""
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    return (
        f"{report.identical_requests} of {report.requests} requests: same outcome,"
        f" same connection, same time ({versions})"
    )


if __name__ == "__main__":
    sys.exit(main())
