"""`python -m sim.sweep "QUERY" --x pool_size=1..20 --y rate=50..400:8 --out sweep.csv`.

Simulates the scenario of QUERY over one or two axes and writes a table (.csv or .parquet).
Interrupted, the same command goes on where it was. Exit codes: 0 done, 2 bad input, 3 the
executor failed, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from pools.setting import InvalidSettings, Mistake
from sim.kernel.ready import prepare
from sim.query import parse
from sim.sweep.axis import default_axes, parse_axis
from sim.sweep.cell import METRICS
from sim.sweep.executors import NoCluster, chosen_executor
from sim.sweep.grid import Grid
from sim.sweep.run import Precision, Progress, SweepFailed, sweep
from sim.sweep.table import SUFFIXES, Journal, OtherSweep, write

STAGES = (4, 16, 64, 256)


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep. Return the exit code."""
    given = _arguments(arguments)
    try:
        grid, precision = _asked(given)
    except InvalidSettings as wrong:
        for mistake in wrong.mistakes:
            print(mistake, file=sys.stderr)
        return 2
    try:
        with chosen_executor(given.workers) as executor:
            return _sweep(given.out, grid, precision, executor)
    except OtherSweep as other:
        return _say(2, str(other))
    except (NoCluster, SweepFailed) as failed:
        return _say(3, str(failed))
    except KeyboardInterrupt:
        return _say(130, "interrupted; the same command goes on from here")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sim.sweep", description=__doc__)
    parser.add_argument("query", help="the page's query string, such as 'pool_size=5&rate=200'")
    parser.add_argument("--x", help="axis, such as pool_size=1..20; default the pool's size")
    parser.add_argument("--y", help="second axis; default the load; 'none' for a curve")
    parser.add_argument("--out", type=Path, required=True, help="table to write: .csv or .parquet")
    parser.add_argument("--metric", choices=METRICS, default="wait_p99", help="to be known well")
    parser.add_argument("--within", type=float, default=0.1, help="half interval over value")
    parser.add_argument("--workers", type=int, help="processes of this machine")
    return parser.parse_args(arguments)


def _asked(given: argparse.Namespace) -> tuple[Grid, Precision]:
    scenario = parse(given.query)
    kind = scenario.pool.name
    x, load = default_axes(scenario)
    x = parse_axis(given.x, kind) if given.x else x
    y = parse_axis(given.y, kind) if given.y not in (None, "none") else load
    if given.out.suffix not in SUFFIXES:
        raise InvalidSettings([Mistake("out", "must end in .csv or .parquet", str(given.out))])
    if not 0.001 <= given.within <= 1.0:
        raise InvalidSettings([Mistake("within", "must be from 0.001 to 1", f"{given.within}")])
    return Grid(scenario, x, None if given.y == "none" else y), Precision(
        given.metric, given.within, stages=STAGES
    )


def _sweep(out: Path, grid: Grid, precision: Precision, executor: Executor) -> int:
    prepare()
    journal = Journal(out, grid, precision)
    known = journal.known()
    if known:
        print(f"goes on: {len(known)} cells are known", file=sys.stderr)
    progress = Progress(())
    try:
        for progress in sweep(grid, executor, precision, known=known):
            journal.add(progress)
            _show(progress)
    finally:
        journal.close()
    write(out, grid, progress)
    journal.delete()
    print(f"\r{out}: {len(progress.places)} cells, {progress.possible} with a scenario")
    return 0


def _say(code: int, text: str) -> int:
    print(text, file=sys.stderr)
    return code


def _show(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.fraction:4.0%}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
