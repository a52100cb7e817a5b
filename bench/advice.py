"""Whether advice can be relied on: random scenarios, and M/M/c against Erlang C.

`--scenarios N`: each recommendation is run again on its own, with fresh streams and 20 times the
replications of the scenario, and so is the next cheaper setting. `--erlang N`: the size advised
for M/M/c against the closed form's. `--from K` begins at point K, so that a long run can be done
in pieces; `--out FILE` appends one JSON line for each point, and `--table FILE...` sums them up.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pools.kinds import Pool
from sim.advise import Effort, Evaluate, advise, best_evaluator
from sim.advise.bounds import Says, Share, share
from sim.advise.cases import Case, Limit, cases_of
from sim.advise.recommendation import Tried
from sim.advise.words import size_text
from sim.query import parse, to_query
from sim.scenario import Scenario
from sim.theory import smallest_capacity, wait_s_percentile

TIMES = 20
CHECKED_FROM = 2_000_000
KINDS = ("sqlalchemy", "sqlalchemy", "asyncpg", "psycopg", "aiohttp", "httpx")
PRECISE = Effort(first=8, requests_max=5_000_000, confirm_times=2, replications_max=1024)
MMC = "kind=sqlalchemy&rtt_ms=0&connect_ms=0&cpu_fraction=0&goal_budget=false"
Row = dict[str, Any]


def random_scenario(number: int) -> Scenario:
    """Return the scenario of that number: the same for ever."""
    rng = random.Random(number)
    kind = rng.choice(KINDS)
    hold_ms = round(rng.uniform(4.0, 40.0), 1)
    parts = {
        "kind": kind,
        "rate": round(rng.uniform(20.0, 150.0)),
        "hold_ms": hold_ms,
        "hold_cv": rng.choice([0, 0.5, 1, 1, 1.5]),
        "rtt_ms": rng.choice([0.1, 0.5, 1]),
        "connect_ms": rng.choice([2, 5, 20]),
        "cores": rng.choice([4, 8, 32]),
        "cpu_fraction": rng.choice([0, 0.1, 0.25]),
        "replicas": (replicas := rng.choice([1, 1, 2, 4])),
        "workers": rng.choice([1, 1, 2]),
        "goal_wait_ms": round(hold_ms * rng.choice([0.1, 0.25, 0.5, 1, 2]), 2),
        "duration_s": 8,
        "warm_up_s": 1.5,
        "seed": number,
    }
    if rng.random() < 0.5:
        parts["goal_timeouts"] = rng.choice([0.1, 0.5, 1])
    if rng.random() < 0.25:
        parts |= {"goal_burst": rng.choice([10, 30]), "goal_burst_ms": rng.choice([100, 300])}
    if replicas > 1 and rng.random() < 0.3:
        parts["goal_replica_loss"] = "true"
    return parse("&".join(f"{name}={value}" for name, value in parts.items()))


def checked(number: int, evaluate: Evaluate) -> Row:
    """Advise on a random scenario, then judge the answer and the next cheaper one afresh."""
    scenario = random_scenario(number)
    began_s = time.perf_counter()
    found = advise(scenario, evaluate)
    row: Row = {
        "point": number,
        "query": to_query(scenario),
        "kind": scenario.pool.name,
        "seconds": round(time.perf_counter() - began_s, 2),
        "tried": len(found.rows),
        "answer": found.proof is not None,
        "levers": [lever.name for lever in found.levers],
    }
    if found.proof is None:
        return row
    row["settings"] = size_text(found.proof)
    row["meets"], row["shares"] = verdict(found.scenario, found.proof.pool, evaluate)
    if found.cheaper is not None:
        row |= cheaper(found.scenario, found.cheaper, evaluate)
    return row


def cheaper(scenario: Scenario, one: Tried, evaluate: Evaluate) -> Row:
    """Judge the next cheaper setting in a run of its own."""
    meets, shares = verdict(scenario, one.pool, evaluate)
    near = any(high > limit for _, _, high, limit in shares)
    said = [found for found in one.found if found.says is not Says.MEETS]
    return {
        "cheaper": size_text(one),
        "cheaper_fails": not meets,
        "cheaper_may_fail": near,
        "cheaper_said": [found.says.value for found in said],
        "cheaper_shares": shares,
    }


def verdict(scenario: Scenario, pool: Pool, evaluate: Evaluate) -> tuple[bool, list[list[float]]]:
    """Return whether every share is within its limit, and each with its bounds and limit."""
    shares = [
        (limit, one)
        for case in cases_of(scenario)
        for limit, one in _shares(case, pool, scenario.replications * TIMES, evaluate)
    ]
    listed = [[one.ratio, one.low, one.high, limit.ratio_max] for limit, one in shares]
    return all(one.ratio <= limit.ratio_max for limit, one in shares), listed


def _shares(
    case: Case, pool: Pool, count: int, evaluate: Evaluate
) -> Iterator[tuple[Limit, Share]]:
    numbers = range(CHECKED_FROM, CHECKED_FROM + count)
    counted = evaluate(case.of(pool), case.window, numbers)
    for limit in case.limits:
        requests = [len(one.wait_s) for one in counted]
        yield limit, share([limit.misses(one) for one in counted], requests, 0.95)


def against_erlang(number: int, evaluate: Evaluate) -> Row:
    """Advise on an M/M/c goal and compare with the closed form."""
    rng = random.Random(10_000 + number)
    load, hold_ms = rng.uniform(0.3, 8.0), rng.choice([2.0, 4.0, 8.0])
    rate = round(load / hold_ms * 1000.0)
    wait_ms = round(hold_ms * rng.choice([0.1, 0.25, 0.5, 1.0, 2.0]), 3)
    query = f"{MMC}&rate={rate}&hold_ms={hold_ms:g}&goal_wait_ms={wait_ms:g}"
    scenario = parse(f"{query}&duration_s=6&warm_up_s=0.5&replications=1&seed={number}")
    began_s = time.perf_counter()
    found = advise(scenario, evaluate, PRECISE)
    exact = smallest_capacity(rate, hold_ms / 1000.0, 99.0, wait_ms / 1000.0)
    advised = None if found.proof is None else found.proof.pool.capacity
    p99_s = wait_s_percentile(rate, hold_ms / 1000.0, exact, 99.0)
    return {
        "point": number,
        "query": query,
        "erlang": exact,
        "advised": advised,
        "goal_ms": wait_ms,
        "exact_p99_ms": round(1000.0 * p99_s, 4),
        "requests": sum(one.requests for tried in found.rows for one in tried.found),
        "seconds": round(time.perf_counter() - began_s, 2),
    }


def summed(rows: Sequence[Row]) -> str:
    """Return the tables of what was found."""
    advised = [row for row in rows if "kind" in row]
    erlang = [row for row in rows if "erlang" in row]
    parts = [_scenarios_table(advised)] if advised else []
    return "\n".join(parts + ([_erlang_table(erlang)] if erlang else []))


def _scenarios_table(rows: Sequence[Row]) -> str:
    lines = [
        "| kind | scenarios | answered | meets the goal | next cheaper fails | or may | median s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    kinds = sorted({row["kind"] for row in rows})
    groups = [(kind, [row for row in rows if row["kind"] == kind]) for kind in kinds]
    for name, group in [*groups, ("all", list(rows))]:
        found = [row for row in group if row["answer"]]
        below = [row for row in found if "cheaper" in row]
        seconds = sorted(row["seconds"] for row in group)
        lines.append(
            f"| {name} | {len(group)} | {len(found)} | {_part(found, 'meets')} |"
            f" {_part(below, 'cheaper_fails')} | {_part(below, 'cheaper_may_fail')} |"
            f" {seconds[len(seconds) // 2]:.2f} |"
        )
    return "\n".join(lines)


def _part(rows: Sequence[Row], name: str) -> str:
    count = sum(bool(row[name]) for row in rows)
    return f"{count} of {len(rows)} ({100.0 * count / max(len(rows), 1):.1f} %)"


def _erlang_table(rows: Sequence[Row]) -> str:
    off = [abs((row["advised"] or 0) - row["erlang"]) for row in rows]
    same = sum(one == 0 for one in off)
    return (
        f"| points | same c as Erlang C | one more or fewer | further off |\n"
        f"| --- | --- | --- | --- |\n"
        f"| {len(rows)} | {same} ({100.0 * same / len(rows):.1f} %) |"
        f" {sum(one == 1 for one in off)} | {sum(one > 1 for one in off)} |"
    )


def main() -> int:
    """Run what was asked for and print its table."""
    parser = argparse.ArgumentParser(prog="python -m bench.advice", description=__doc__)
    parser.add_argument("--scenarios", type=int, default=0)
    parser.add_argument("--erlang", type=int, default=0)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path, nargs="+")
    given = parser.parse_args()
    if given.table:
        texts = [path.read_text(encoding="utf-8").splitlines() for path in given.table]
        print(summed([json.loads(line) for lines in texts for line in lines]))
        return 0
    rows = []
    for row in _rows(given):
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        if given.out:
            with given.out.open("a", encoding="utf-8") as kept:
                kept.write(json.dumps(row) + "\n")
    print(summed(rows))
    return 0


def _rows(given: argparse.Namespace) -> Iterator[Row]:
    evaluate = best_evaluator(compiles=True)
    for number in range(given.first, given.first + given.scenarios):
        yield checked(number, evaluate)
    for number in range(given.first, given.first + given.erlang):
        yield against_erlang(number, evaluate)


if __name__ == "__main__":
    sys.exit(main())
