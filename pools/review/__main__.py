"""`python -m pools.review PATH... [--sarif]`: find pool mistakes in files, for CI and pre-commit.

Exit code 0: no findings. 1: findings. 2: wrong usage, or something could not be read.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pools.review.costs import costs
from pools.review.finding import Reading
from pools.review.reading import read, scenario_of
from pools.review.report import as_sarif, as_text
from pools.review.walk import FILE_BYTES_MAX, TooManyFiles, files_of
from pools.setting import InvalidSettings
from sim.query import parse
from sim.scenario import Scenario

STANDARD_INPUT = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Review the paths given and print what is found. Returns the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        scenario = parse(asked.scenario) if asked.scenario is not None else None
        readings = [one for path in asked.paths for one in _readings(path, scenario)]
    except InvalidSettings as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except TooManyFiles as wrong:
        print(f"{wrong}; name the folders to review.", file=sys.stderr)
        return 2
    print((as_sarif if asked.sarif else as_text)(readings), end="")
    if any(reading.problem for reading in readings):
        return 2
    return 1 if any(reading.findings for reading in readings) else 0


def _readings(path: str, scenario: Scenario | None) -> Iterator[Reading]:
    if path == STANDARD_INPUT:
        yield _priced(read(sys.stdin.read(), "stdin", scenario=scenario), scenario)
        return
    if not Path(path).exists():
        yield Reading(path, problem="There is no such file or directory.")
        return
    for file in files_of(Path(path)):
        yield _priced(_read_file(file, scenario), scenario)


def _read_file(file: Path, scenario: Scenario | None) -> Reading:
    name = file.as_posix()
    try:
        size = file.stat().st_size
        if size > FILE_BYTES_MAX:
            problem = f"The file must be at most {FILE_BYTES_MAX:,} bytes, got {size:,}."
            return Reading(name, problem=problem)
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return Reading(name, problem="The file is not UTF-8 text.")
    except OSError as error:
        return Reading(name, problem=f"The file cannot be opened ({error.strerror}).")
    return read(text, name, scenario=scenario, chars_max=FILE_BYTES_MAX)


def _priced(reading: Reading, scenario: Scenario | None) -> Reading:
    if scenario is None or not reading.findings:
        return reading
    try:
        here = scenario_of(reading, scenario)
    except InvalidSettings:
        here = scenario  # the settings read cannot stand together; price them in the one given
    return replace(reading, findings=costs(reading.findings, here))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pools.review",
        description="Find mistakes with connection pools in Python code. Nothing is executed.",
        epilog="Exit code 0: no findings; 1: findings; 2: something could not be read.",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="files or directories; - for standard input"
    )
    parser.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    parser.add_argument(
        "--scenario",
        metavar="QUERY",
        help="the page's query string: prices findings, and says what the server allows",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
