"""`python -m tests.faults.battery --runs 3000 --seed 7 --parallel 4`: live checks under fault.

Each worker is a process with a PostgreSQL of its own. Whoever runs the battery has a poisoned
environment: passwords of theirs in every place a PostgreSQL client looks, and pipes that block
whoever opens them. Prints a table of kinds and what was not kept, each with what plays it again.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.faults.cluster import cluster
from tests.faults.kinds import KINDS
from tests.faults.trial import Case, Seen, case_of, spellings, standing

PASSWORD = "pw-cAnArY/9?c@2e"
OPERATORS = "op-cAnArY-4f1d"
POISONED = ("PGPASSWORD", "PGUSER", "PGHOST", "PGSERVICE", "PGOPTIONS", "AWS_SECRET_ACCESS_KEY")
BLOCKING = ("PGPASSFILE", "PGSERVICEFILE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "NETRC")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the battery; exit code 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.battery", description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--first", type=int, default=0, help="index of the first trial")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--kind", help="only trials of this kind of fault")
    given = parser.parse_args(arguments)
    indices = [
        index
        for index in range(given.first, given.first + given.runs)
        if given.kind in {None, case_of(given.seed, index).fault}
    ]
    began_s = time.monotonic()
    seen = list(run(given.seed, indices, given.parallel))
    print(table(seen, time.monotonic() - began_s))
    return int(any(one.complaints for one in seen))


def run(seed: int, indices: Sequence[int], parallel: int) -> Iterator[Seen]:
    """Play trials in processes of their own; yield each as it ends."""
    context = multiprocessing.get_context("spawn")
    shares = [indices[turn::parallel] for turn in range(parallel) if indices[turn::parallel]]
    results: Any = context.Queue()
    workers = [context.Process(target=_work, args=(seed, share, results)) for share in shares]
    for worker in workers:
        worker.start()
    left = len(workers)
    while left:
        try:
            plain = results.get(timeout=5.0)
        except Exception:  # noqa: BLE001  queue.Empty: see whether a worker died
            if all(not worker.is_alive() for worker in workers):
                break
            continue
        if plain is None:
            left -= 1
        else:
            yield Seen(**plain | {"case": Case(**plain["case"])})
    for worker in workers:
        worker.join()
    if failed := [worker.exitcode for worker in workers if worker.exitcode]:
        raise RuntimeError(f"workers ended with {failed}")


def _work(seed: int, indices: Sequence[int], results: Any) -> None:
    with poisoned(), tempfile.TemporaryFile("w+") as log:
        logging.basicConfig(stream=log, level=logging.DEBUG)
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            asyncio.run(_play(seed, indices, results, log))
    results.put(None)


async def _play(seed: int, indices: Sequence[int], results: Any, log: Any) -> None:
    with cluster(PASSWORD) as made:
        async with standing(made) as stand:
            for index in indices:
                seen = await stand.try_out(case_of(seed, index))
                log.seek(0)
                written = log.read()
                log.seek(0)
                log.truncate()
                secrets = [*spellings(PASSWORD), *spellings(OPERATORS)]
                seen.complaints += [f"secret in log: {one}" for one in secrets if one in written]
                results.put(asdict(seen))


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """Give this process an operator's secrets, and files that block for ever when opened."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / ".postgresql").mkdir()
        for name in (".pgpass", ".netrc", ".pg_service.conf", ".postgresql/root.crt"):
            os.mkfifo(Path(home) / name, 0o600)
        fifo = str(Path(home) / ".pgpass")
        before = dict(os.environ)
        os.environ.update(dict.fromkeys(POISONED, OPERATORS) | dict.fromkeys(BLOCKING, fifo))
        os.environ["HOME"] = home
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def table(seen: Sequence[Seen], wall_s: float) -> str:
    """Say in Markdown what came of the trials, kind by kind, and what was not kept."""
    rows = [
        "| Fault | Runs | Struck | Ended as | Wall p50 / max | Gone after |",
        "|" + " --- |" * 6,
    ]
    for name in KINDS:
        own = [one for one in seen if one.case.fault == name]
        if own:
            walls = sorted(one.wall_s for one in own)
            ends = collections.Counter(one.code or one.state for one in own)
            ended = ", ".join(f"{end} {count}" for end, count in ends.most_common(4))
            rows.append(
                f"| {name} | {len(own)} | {sum(one.struck for one in own)} | {ended} |"
                f" {walls[len(walls) // 2]:.1f} / {walls[-1]:.1f} s |"
                f" {max(one.gone_s for one in own):.2f} s |"
            )
    return "\n".join([*rows, "", *_summary(seen, wall_s), *_complaints(seen)])


def _summary(seen: Sequence[Seen], wall_s: float) -> Iterator[str]:
    late = sorted(one.late_s for one in seen)
    walls, gone = [one.wall_s for one in seen], [one.gone_s for one in seen]
    yield (
        f"{len(seen)} runs of {len({one.case.fault for one in seen})} kinds in {wall_s:.0f} s,"
        f" {sum(one.struck for one in seen)} struck before the end:"
        f" {_count(seen, 'connections')} with connections 2 s after the end,"
        f" {_count(seen, 'sockets,')} over the socket cap, {_count(seen, 'backends for')} over the"
        f" backend cap, {_count(seen, 'secret')} with a secret in an output,"
        f" {_count(seen, 'ended after')} past the deadline + 2 s."
    )
    if len(seen) > 1:
        yield (
            f"Wall p50 {quantiles(walls)[1]:.1f}, p95 {quantiles(walls, n=20)[18]:.1f}, max"
            f" {max(walls):.1f} s; gone after p95 {quantiles(gone, n=20)[18]:.2f}, max"
            f" {max(gone):.2f} s."
        )
        yield (
            f"Past the deadline, as the witness saw it: {_spread(late)}; the caller knew at most"
            f" {max(one.told_s - one.wall_s for one in seen):.2f} s later; the machine stood still"
            f" for up to {max(one.stalled_s for one in seen):.2f} s."
        )


def _spread(late: Sequence[float]) -> str:
    """Say how many processes were gone by when; `late` is in order."""
    bounds = (0.0, 0.5, 1.0, 1.5, 1.6, 1.75, 2.0)
    by = ", ".join(f"{sum(one <= most for one in late)} by {most:g} s" for most in bounds)
    return f"{by}, last {late[-1]:.2f} s of {len(late)}"


def _count(seen: Sequence[Seen], word: str) -> int:
    return sum(any(word in complaint for complaint in one.complaints) for one in seen)


def _complaints(seen: Sequence[Seen]) -> Iterator[str]:
    for one in seen:
        for complaint in one.complaints:
            case = one.case
            yield (
                f"NOT KEPT: {complaint}; {json.dumps(asdict(case))}. Again: python -m"
                f" tests.faults.battery --seed {case.seed} --first {case.index} --runs 1"
            )


if __name__ == "__main__":
    sys.exit(main())
