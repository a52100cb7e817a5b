"""`python -m sim "kind=asyncpg&rate=200" --json`: the page's answer without the page."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pools.setting import InvalidSettings
from sim.precise import Target, precise
from sim.query import parse, to_query, to_values
from sim.recorded import UNITS, RecordingError, read_recording
from sim.result import Estimate, SimulationResult
from sim.run import run
from sim.scenario import Scenario
from sim.sensitivity import ranked
from sim.verdict import verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one scenario. Return 0, or 2 for bad input with one line for each mistake."""
    parser = command_line("python -m sim", __doc__)
    parser.add_argument(
        "--arrivals",
        type=Path,
        metavar="FILE",
        help="play the arrivals of a CSV or JSON lines file",
    )
    parser.add_argument("--unit", choices=UNITS, default="", help="unit of columns without one")
    parser.add_argument(
        "--precise",
        nargs="?",
        type=_ratio,
        const=0.1,
        metavar="RATIO",
        help="add replications until half of the p99 wait's interval is at most this share of it",
    )
    parser.add_argument(
        "--sensitivity",
        action="store_true",
        help="print what the wait hangs on: its elasticity to each setting, strongest first",
    )
    given = parser.parse_args(arguments)
    if given.arrivals is not None and (given.precise or given.sensitivity):
        parser.error("--arrivals plays one file: it goes with neither --precise nor --sensitivity")
    scenario, recording = scenario_of(given.query), None
    if scenario is None:
        return 2
    if given.arrivals is not None:
        try:
            recording = read_recording(given.arrivals.read_bytes(), given.unit)
        except (OSError, RecordingError) as broken:
            print(f"--arrivals {given.arrivals}: {broken}", file=sys.stderr)
            return 2
        scenario = recording.describe(scenario)
    if given.sensitivity:
        print(_sensitivity(scenario, given.json))
        return 0
    target = Target(ratio=given.precise) if given.precise else None
    result = precise(scenario, target) if target else run(scenario, recording=recording)
    print(
        json.dumps(as_json(scenario, result), indent=2)
        if given.json
        else in_words(scenario, result)
    )
    return 0


def asked(
    command: str, purpose: str | None, arguments: Sequence[str] | None
) -> tuple[Scenario | None, bool]:
    """Return the scenario asked about, and whether JSON is wanted.

    None after one line for each mistake on standard error. `purpose` begins the help.
    """
    given = command_line(command, purpose).parse_args(arguments)
    return scenario_of(given.query), given.json


def command_line(command: str, purpose: str | None) -> argparse.ArgumentParser:
    """Return a parser of a query and of whether JSON is wanted. `purpose` begins the help."""
    parser = argparse.ArgumentParser(prog=command, description=purpose)
    parser.add_argument("query", help="the page's query string, such as 'pool_size=5&rate=200'")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def scenario_of(query: str) -> Scenario | None:
    """Read a query; None after one line for each mistake on standard error."""
    try:
        return parse(query)
    except InvalidSettings as wrong:
        for mistake in wrong.mistakes:
            print(mistake, file=sys.stderr)
        return None


def _ratio(text: str) -> float:
    ratio = float(text)
    if not 0.001 <= ratio <= 1.0:
        raise argparse.ArgumentTypeError(f"must be from 0.001 to 1, got {text}")
    return ratio


def _sensitivity(scenario: Scenario, wants_json: bool) -> str:
    found = ranked(scenario)
    if wants_json:
        return json.dumps([asdict(one) for one in found], indent=2)
    said = [one.sentence for one in found]
    return "\n".join(said or ["No setting moves the wait by more than its uncertainty."])


def as_json(scenario: Scenario, result: SimulationResult) -> dict[str, object]:
    """Return a result with its scenario and verdict, ready for JSON."""
    said = verdict(scenario, result)
    return {
        "query": to_query(scenario),
        "scenario": to_values(scenario),
        "offered_load": None if scenario.workload.is_closed else scenario.offered_load,
        "capacity": scenario.capacity,
        **result.as_json(),
        "verdict": asdict(said),
    }


def in_words(scenario: Scenario, result: SimulationResult) -> str:
    """Return a result as lines of text."""
    said = verdict(scenario, result)
    lines = [
        f"{said.title}. {said.sentence}",
        f"requests      {result.requests} in {result.replications} replications",
        f"throughput    {_shown(result.throughput_per_s, 1.0)} /s",
        f"utilisation   {_shown(result.utilisation, 100.0)} %",
        f"timeouts      {_shown(result.timeout_ratio, 100.0)} %",
    ]
    if result.growth_per_s.value is not None:
        lines.append(f"queue grows   {_shown(result.growth_per_s, 1.0)} requests/s")
    lines += [
        f"wait {name:<9}{_shown(getattr(result.wait_s, name), 1000.0)} ms"
        for name in result.wait_s.__slots__
    ]
    return "\n".join([*lines, *result.notes])


def _shown(number: Estimate, scale: float) -> str:
    if number.value is None:
        return "not known"
    shown = f"{number.value * scale:.4g}"
    if number.low is None or number.high is None:
        return shown
    return f"{shown}, {number.low * scale:.4g} to {number.high * scale:.4g}"


if __name__ == "__main__":
    sys.exit(main())
