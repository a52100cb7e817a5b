"""`python -m pools.live.diagnose --dsn-env NAME --json`: what is using my connections.

One connection, one read-only question, no load; nothing is ended. Exit codes: 0 told, 2 bad
input (one line for each mistake), 3 the target failed.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pools.live.check import diagnose as start
from pools.live.diagnose.diagnosis import Application, Diagnosis, budget_of, diagnose
from pools.live.preflight import PostgresFacts
from pools.live.problems import LiveCheckFailed, Problem
from pools.live.reading import CA_BYTES, InvalidTarget, postgres_from_dsn
from pools.live.secret import Secret
from pools.live.target import OwnPostgres, warning
from pools.setting import InvalidSettings
from sim.query import parse

TOLD, BAD_INPUT, TARGET_FAILED = 0, 2, 3
WIDTH = 28
COLUMNS = ("connections", "active", "idle", "in transaction", "waiting", "hidden")


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask one server; return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        target = _target(given)
        budget = budget_of(parse(given.query)) if given.query is not None else None
        check = start(target)
    except (InvalidSettings, InvalidTarget) as wrong:
        for mistake in wrong.mistakes:
            print(mistake, file=sys.stderr)
        return BAD_INPUT
    except LiveCheckFailed as failure:
        return _failed(failure.problem)
    try:
        check.wait()
    except KeyboardInterrupt:
        check.cancel()
        check.wait()
    if check.activity is None or not isinstance(check.facts, PostgresFacts):
        return _failed(check.problem)
    found = diagnose(check.activity, check.facts, budget)
    print(json.dumps(found.as_json(), indent=2) if given.json else in_words(found))
    return TOLD


def in_words(found: Diagnosis) -> str:
    """Return a table by application, then the findings."""
    head = f"{'application':<{WIDTH}}" + "".join(f"{name:>16}" for name in COLUMNS)
    rows = [_row(one) for one in found.applications]
    total = f"{found.in_use} of {found.slots} slots in use."
    return "\n".join([head, *rows, "", total, *found.findings])


def _row(one: Application) -> str:
    counts = (
        one.connections,
        one.active,
        one.idle,
        one.idle_in_transaction,
        one.waiting_for_lock,
        one.hidden,
    )
    return f"{one.name[: WIDTH - 1]:<{WIDTH}}" + "".join(f"{count:>16}" for count in counts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pools.live.diagnose", description=__doc__)
    parser.add_argument(
        "--dsn-env", required=True, metavar="NAME", help="the variable that holds the DSN"
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="certificates to trust (PEM)")
    parser.add_argument("--query", help="the page's query string: what the fleet may hold")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _target(given: argparse.Namespace) -> OwnPostgres:
    """Read the target. Raises InvalidTarget."""
    dsn = os.environ.get(given.dsn_env, "")
    if not dsn:
        raise InvalidTarget("--dsn-env must name a variable that is set; this one is not.")
    try:
        ca = b""
        if given.ca is not None:
            with given.ca.open("rb") as opened:
                ca = opened.read(CA_BYTES + 1)
    except OSError:
        raise InvalidTarget("--ca must name a file that can be read.") from None
    target = postgres_from_dsn(Secret(dsn), ca=ca)
    if warned := warning(target):
        print(warned, file=sys.stderr)
    return target


def _failed(problem: Problem | None) -> int:
    print(problem or "Cancelled.", file=sys.stderr)
    if problem and problem.server_text:
        print(f"The server said: {problem.server_text}", file=sys.stderr)
    return TARGET_FAILED


if __name__ == "__main__":
    sys.exit(main())
