"""`python -m tests.conformance --kind asyncpg --count 20000 --seed N`: simulation against library.

Plays random workloads with both, in one process a processor, and says how many went the same
way. A workload that did not is printed with the command that replays it; `--shrink` reduces
it to what it needs to fail.
"""

import argparse
import collections
import sys
import time

from pools.trace import Outcome
from tests.conformance.suite import FAMILIES, disagrees, fresh_seed, play_many, shrink


def main() -> int:
    """Return 0 if all workloads went the same way, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--kind", choices=FAMILIES, action="append", help="all if not given")
    parser.add_argument("--count", type=int, default=1000, help="workloads of each kind")
    parser.add_argument("--seed", type=int, help="of the first workload; fresh if not given")
    parser.add_argument("--shrink", action="store_true", help="shrink the first that fails")
    given = parser.parse_args()
    seed = fresh_seed() if given.seed is None else given.seed
    return int(sum(run(family, seed, given) for family in given.kind or FAMILIES) > 0)


def run(family: str, seed: int, given: argparse.Namespace) -> int:
    """Play the workloads of one family. Return how many did not go the same way."""
    began_s, outcomes, failed = time.perf_counter(), collections.Counter(), []
    for played in play_many(family, range(seed, seed + given.count)):
        outcomes.update(Outcome(outcome).name.lower() for outcome in played.real.outcome)
        if played.differences:
            failed.append(played)
            print(played, flush=True)
    took_s = time.perf_counter() - began_s
    told = ", ".join(f"{count} {name}" for name, count in outcomes.most_common())
    same = given.count - len(failed)
    print(f"{family}: {same} of {given.count} identical from seed {seed}, {took_s:.0f} s")
    print(f"    {told}", flush=True)
    if failed and given.shrink:
        print(shrink(failed[0].script, disagrees))
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
