"""`python -m pools.codegen "<query>" --target <name>` prints code; `--list` prints the targets."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pools.codegen.generate import generate
from pools.codegen.project import project
from pools.codegen.target import all_targets, targets
from pools.setting import InvalidSettings
from sim.query import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Print code for a scenario, or write a project.

    Returns 2, after one line per mistake, for a bad query.
    """
    asked = _parser().parse_args(arguments)
    if asked.list:
        print(_listing())
        return 0
    try:
        scenario = parse(asked.query)
        first = next((target.name for target in targets(scenario.pool.name)), "")
        if asked.project:
            asked.project.write_bytes(project(scenario, asked.target or first))
            return 0
        code = generate(scenario, asked.target or first)
    except InvalidSettings as wrong:
        print(wrong, file=sys.stderr)
        return 2
    print(code.text, end="")
    return 0


def _listing() -> str:
    lines = [f"{t.name:10} {t.title} ({', '.join(t.kinds)})" for t in all_targets()]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pools.codegen", description="Print a scenario's settings as code."
    )
    parser.add_argument(
        "query", nargs="?", default="", help="the page's query string; empty for the defaults"
    )
    parser.add_argument("--target", help="default: the first one of the scenario's kind")
    parser.add_argument(
        "--project", type=Path, metavar="ZIP", help="write a project to run instead of printing"
    )
    parser.add_argument("--list", action="store_true", help="list the targets and their kinds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
