"""Golden traces: what the libraries once decided, kept as data, so that they need not be there.

`python -m tests.conformance.golden [--kind FAMILY]` plays a few workloads with the installed
libraries and keeps them: those that between them expose every planted modelling error at
least twice, and some more. A workload is kept as its seed and its trace; times in
units of 0.1 microseconds from the start, null for never.
"""

import argparse
import json
import math
from array import array
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import sim.play
from pools.trace import Trace
from tests.conformance.asyncpg_mutants import MUTANTS as ASYNCPG_MUTANTS
from tests.conformance.http_mutants import MUTANTS as HTTP_MUTANTS
from tests.conformance.mutants import Mutant
from tests.conformance.psycopg_mutants import MUTANTS as PSYCOPG_MUTANTS
from tests.conformance.sqlalchemy_mutants import MUTANTS as SQLALCHEMY_MUTANTS
from tests.conformance.suite import FAMILIES, Played, check, draw, play

HERE = Path(__file__).parent / "golden"
MUTANTS: tuple[Mutant, ...] = (
    *ASYNCPG_MUTANTS,
    *SQLALCHEMY_MUTANTS,
    *PSYCOPG_MUTANTS,
    *HTTP_MUTANTS,
)
UNIT_S = 1e-7
TRIED = 4000
EXPOSED = 2
MORE = 10
REQUEST = ("outcome", "connection", "asked_s", "granted_s", "released_s", "returned_s")
CONNECTION = ("opening_s", "opened_s", "closed_s")


@cache
def load(family: str) -> tuple[Played, ...]:
    """Return the golden workloads of a family, with their traces."""
    kept = json.loads((HERE / f"{family}.json").read_text(encoding="utf-8"))
    return tuple(
        Played(family, one["seed"], draw(family, one["seed"]), _trace(one), ()) for one in kept
    )


def write(family: str, played: Sequence[Played]) -> None:
    """Keep workloads and their traces, one in a line."""
    lines = [json.dumps(_kept(one), separators=(",", ":")) for one in played]
    HERE.mkdir(exist_ok=True)
    (HERE / f"{family}.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def choose(family: str, mutants: Sequence[Mutant], tried: int) -> list[int]:
    """Choose seeds whose workloads expose each mutant twice, and some more.

    What exposes a mutant is what it makes the simulation do otherwise. Raises ValueError with
    the names of mutants that too few workloads expose.
    """
    scripts = [draw(family, seed) for seed in range(tried)]
    truths = [sim.play.play(script) for script in scripts]
    chosen = list(range(MORE))
    weak = []
    for one in mutants:
        with one.planted():
            candidates = (*chosen, *(seed for seed in range(tried) if seed not in chosen))
            exposing = (seed for seed in candidates if check(scripts[seed], truths[seed]))
            found = list(islice(exposing, EXPOSED))
        chosen += [seed for seed in found if seed not in chosen]
        if len(found) < EXPOSED:
            weak.append(one.name)
    if weak:
        raise ValueError(f"{family}: too few workloads expose " + "; ".join(weak))
    return sorted(chosen)


def main() -> None:
    """Play, choose and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.golden", description=__doc__)
    parser.add_argument("--kind", choices=FAMILIES, action="append", help="all if not given")
    parser.add_argument("--tried", type=int, default=TRIED, help="workloads to choose from")
    given = parser.parse_args()
    for family in given.kind or FAMILIES:
        mutants = [one for one in MUTANTS if one.family == family]
        played = [play(family, seed) for seed in choose(family, mutants, given.tried)]
        unlike = [str(one) for one in played if one.differences]
        if unlike:
            raise SystemExit("simulation and library differ:\n" + "\n".join(unlike))
        write(family, played)
        print(f"{family}: {len(played)} workloads kept, {len(mutants)} mutants", flush=True)


def _kept(one: Played) -> dict[str, Any]:
    trace = one.real
    return {
        "seed": one.seed,
        "truncated": trace.truncated,
        "requests": [
            [_unit(getattr(trace, name)[row]) for name in REQUEST]
            for row in range(len(trace.asked_s))
        ],
        "connections": [
            [_unit(getattr(trace, name)[row]) for name in CONNECTION]
            for row in range(len(trace.opening_s))
        ],
    }


def _unit(value: float) -> int | None:
    if isinstance(value, int):
        return value
    return None if math.isnan(value) else round(value / UNIT_S)


def _trace(kept: dict[str, Any]) -> Trace:
    columns: dict[str, Any] = {}
    for names, rows in ((REQUEST, kept["requests"]), (CONNECTION, kept["connections"])):
        for at, name in enumerate(names):
            values = [row[at] for row in rows]
            columns[name] = (
                array("d", [math.nan if one is None else one * UNIT_S for one in values])
                if name.endswith("_s")
                else array("q", values)
            )
    return Trace(**columns, truncated=kept["truncated"])


if __name__ == "__main__":
    main()
