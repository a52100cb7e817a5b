"""`python -m pools.live "kind=asyncpg&rate=100" --embedded --json`: a live check without the page.

Exit codes: 0 the model fits, 1 it does not, 2 bad input (one line for each mistake), 3 the
target or the check failed, or the run judges nothing because its own client was too busy.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pools.live import own_problems
from pools.live.check import LiveCheck, look, start, start_own
from pools.live.compare import compare
from pools.live.fit import judge
from pools.live.preflight import Facts, PostgresFacts
from pools.live.problems import LiveCheckFailed, Problem
from pools.live.reading import CA_BYTES, InvalidTarget, http_from_url, postgres_from_dsn
from pools.live.secret import Secret
from pools.live.shown import as_json, in_words, room
from pools.live.target import Own, warning
from pools.setting import InvalidSettings
from sim.query import parse
from sim.scenario import Scenario

FITS, DOES_NOT_FIT, BAD_INPUT, TARGET_FAILED = 0, 1, 2, 3
POLL_S = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one live check; return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        scenario, target = parse(given.query), _target(given)
        check = _checked(scenario, target, superuser=given.allow_superuser)
    except (InvalidSettings, InvalidTarget) as wrong:
        for mistake in wrong.mistakes:
            print(mistake, file=sys.stderr)
        return BAD_INPUT
    except LiveCheckFailed as failure:
        _say(failure.problem)
        return TARGET_FAILED
    if check.report is None:
        _say(check.problem)
        return TARGET_FAILED
    compared = compare(check.report)
    fit = judge(check.report, compared)
    show = as_json if given.json else in_words
    print(show(check.report, compared, fit))
    return TARGET_FAILED if fit.fits is None else FITS if fit.fits else DOES_NOT_FIT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pools.live", description=__doc__)
    parser.add_argument("query", help="the page's query string, such as 'pool_size=5&rate=100'")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--embedded", action="store_true", help="check the built-in server (the default)"
    )
    where.add_argument(
        "--dsn-env", metavar="NAME", help="check the PostgreSQL whose DSN this variable holds"
    )
    where.add_argument("--url", help="check this HTTP endpoint")
    where.add_argument(
        "--url-env", metavar="NAME", help="the same, from a variable: nobody sees it in ps"
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="certificates to trust (PEM)")
    parser.add_argument(
        "--allow-superuser", action="store_true", help="go on if the role is a superuser"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _target(given: argparse.Namespace) -> Own | None:
    """Read the target; None is the built-in server. Raises InvalidTarget."""
    ca = _certificates(given.ca)
    if given.dsn_env is not None:
        return postgres_from_dsn(_variable(given.dsn_env, "--dsn-env"), ca=ca)
    if given.url_env is not None:
        return http_from_url(_variable(given.url_env, "--url-env"), ca=ca)
    return http_from_url(Secret(given.url), ca=ca) if given.url is not None else None


def _variable(name: str, option: str) -> Secret:
    if not os.environ.get(name):
        raise InvalidTarget(f"{option} must name a variable that is set; this one is not.")
    return Secret(os.environ[name])


def _certificates(file: Path | None) -> bytes:
    if file is None:
        return b""
    try:
        with file.open("rb") as opened:
            return opened.read(CA_BYTES + 1)
    except OSError:
        raise InvalidTarget("--ca must name a file that can be read.") from None


def _checked(scenario: Scenario, target: Own | None, *, superuser: bool) -> LiveCheck:
    """Run the check to its end; before that say what it will use. Raises LiveCheckFailed."""
    if target is None:
        return _followed(start(scenario))
    if warned := warning(target):
        print(warned, file=sys.stderr)
    facts = _looked_at(target)
    if isinstance(facts, PostgresFacts) and facts.takes_reserved and not superuser:
        raise LiveCheckFailed(own_problems.superuser())
    print(room(facts), file=sys.stderr, flush=True)
    return _followed(start_own(scenario, target, facts, superuser_confirmed=superuser))


def _looked_at(target: Own) -> Facts:
    check = _followed(look(target))
    if check.state != "done" or check.facts is None:
        raise LiveCheckFailed(check.problem or own_problems.cancelled())
    return check.facts


def _followed(check: LiveCheck) -> LiveCheck:
    """Name each step on standard error as it begins; Ctrl-C cancels the check."""
    told = set()
    try:
        while not check.wait(POLL_S):
            for step in check.steps:
                if step.state != "waiting" and step.name not in told:
                    told.add(step.name)
                    print(f"{step.title} ...", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        check.cancel()
        check.wait()
    return check


def _say(problem: Problem | None) -> None:
    print(problem or own_problems.cancelled(), file=sys.stderr)
    if problem and problem.server_text:
        print(f"The server said: {problem.server_text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
