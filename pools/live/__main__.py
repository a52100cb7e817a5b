"""`python -m pools.live "kind=asyncpg&rate=100" --embedded --json`: a live check without the page.

Exit codes: 0 done, 2 bad input (one line for each mistake), 3 the check itself failed.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from pools.live.check import LiveCheck, start
from pools.live.compare import Comparison, compare
from pools.live.problems import LiveCheckFailed
from pools.live.report import LiveReport
from pools.setting import InvalidSettings
from sim.query import parse, to_query, to_values
from sim.result import Estimate

BAD_INPUT, TARGET_FAILED = 2, 3
POLL_S = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one live check against the built-in server; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pools.live", description=__doc__)
    parser.add_argument("query", help="the page's query string, such as 'pool_size=5&rate=100'")
    parser.add_argument(
        "--embedded", action="store_true", help="check the built-in server (so far the only target)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args(arguments)
    try:
        check = start(parse(given.query))
    except InvalidSettings as wrong:
        for mistake in wrong.mistakes:
            print(mistake, file=sys.stderr)
        return BAD_INPUT
    except LiveCheckFailed as failure:
        print(failure.problem, file=sys.stderr)
        return TARGET_FAILED
    _follow(check)
    if check.report is None:
        print(check.problem or "The check was cancelled.", file=sys.stderr)
        if check.problem and check.problem.server_text:
            print(f"The server said: {check.problem.server_text}", file=sys.stderr)
        return TARGET_FAILED
    compared = compare(check.report)
    shown = _as_json(check.report, compared) if given.json else _in_words(check.report, compared)
    print(shown)
    return 0


def _follow(check: LiveCheck) -> None:
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


def _as_json(report: LiveReport, compared: Comparison) -> str:
    data = report.as_json()
    kept = ("taken_at", "server", "versions", "calibration", "client_cpu", "others", "notes")
    return json.dumps(
        {
            "query": to_query(report.scenario),
            "scenario": to_values(report.scenario),
            "calibrated": to_query(report.calibrated),
            "measured": compared.measured.as_json(),
            "simulated": compared.simulated.as_json(),
            "replayed": compared.replayed.as_json(),
            "held_longer_s_mean": compared.held_longer_s_mean,
            "sentence": compared.sentence,
            "lag_s": dict(report.lag_s),
            **{name: data[name] for name in kept},
        },
        indent=2,
    )


def _in_words(report: LiveReport, compared: Comparison) -> str:
    runs = (compared.measured, compared.simulated, compared.replayed)
    rows: list[tuple[str, ...]] = [("", "measured", "simulated", "replayed")]
    rows += [
        (f"wait {name}, ms", *(_shown(getattr(run.wait_s, name), 1e3) for run in runs))
        for name in runs[0].wait_s.__slots__
    ]
    rows += [
        ("throughput, /s", *(_shown(run.throughput_per_s, 1.0) for run in runs)),
        ("utilisation, %", *(_shown(run.utilisation, 100.0) for run in runs)),
        ("timeouts", *(str(run.timeouts) for run in runs)),
        ("connections opened", *(str(run.connections_opened) for run in runs)),
    ]
    table = [f"{first:<20}" + "".join(f"{cell:>12}" for cell in rest) for first, *rest in rows]
    costs = ", ".join(
        f"{name.removesuffix('_ms').replace('_', ' ')} {value:.3g} ms"
        for name, value in report.calibration.in_ms().items()
    )
    server = f"{report.server.product} {report.server.version} ({report.server.provider})"
    return "\n".join([compared.sentence, "", *table, "", f"{server}: {costs}", *report.notes])


def _shown(number: Estimate, scale: float) -> str:
    return "-" if number.value is None else f"{number.value * scale:.4g}"


if __name__ == "__main__":
    sys.exit(main())
