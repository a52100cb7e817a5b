"""How fast the twin is: checkouts per second of the real library's code in virtual time.

One process, one core. A checkout is acquire, one query, release with what the library does on
both; beside it the same script played by the simulation. `--turns N` (default 20) turns of 50
looping callers on a pool of 10, `--rounds N` (default 5). Each round plays both in turn and
ratios are taken within a round, in processor time, so that a busy machine counts little.
`python -m bench.twin > docs/speed-twin.md` writes the page.
"""

import argparse
import gc
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import pools.twin.play
import sim.play
from pools.kinds import KINDS, Pool
from pools.trace import Outcome, Trace
from pools.twin.play import ADAPTERS, adapter_of
from sim.query import parse
from sim.script import Costs, Loop, Script, Use, exact

CALLERS = 50
SIZE = 10
SIZES = {
    "sqlalchemy": "pool_size=10&max_overflow=0&pool_timeout=300",
    "psycopg": "min_size=10&max_size=10",
    "aiohttp": "limit=10",
    "httpx": "pool_connections=10&max_keepalive_connections=10",
}

HEAD = """# How fast the twin is

`python -m bench.twin > docs/speed-twin.md` makes this page.

A checkout is acquire, one query and release, with all that the library does on each: the real
library's code in virtual time ([ask-the-library.md](ask-the-library.md)), and beside it the
simulation of the same script, message by message. {callers} callers, {turns} turns each, on a
pool of {size} (NullPool: a connection for each checkout); medians of {rounds} rounds, processor
time on one core. The last column is how many times as fast the simulation is, within a round.
Measured while other work shared the caches, so absolute numbers are too low.
"""

FOOT = """
SQLAlchemy adds its greenlets and a transaction to each checkout, NullPool a login. httpcore gives
a free connection to every request that waits for its host; all but one find it taken, wait again
and look through the whole queue (`httpcore/_async/connection_pool.py`,
`_assign_requests_to_connections`), so with 40 callers waiting it is slow in reality, too."""


def script_of(pool: Pool, turns: int) -> Script:
    """Let the callers loop; each turn holds about 5 ms, 1 ms of it computed."""
    loops = tuple(
        Loop(
            exact(number * 1e-5),
            (Use(0.0, exact(0.004 + number * 1e-6), exact(0.001)),),
            (exact(0.002),),
            turns=turns,
        )
        for number in range(CALLERS)
    )
    jitter = tuple(exact(number * 1e-8) for number in range(97))
    return Script(pool, Costs(exact(0.00025), exact(0.005), jitter, cores=64), loops=loops)


def main() -> None:
    """Print a page with a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.twin", description=__doc__)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(HEAD.format(callers=CALLERS, size=SIZE, **vars(given)))
    print(f"{platform.machine()}, Python {platform.python_version()}.\n")
    print("| kind | library | twin, checkouts/s | simulation, checkouts/s | × twin [rounds] |")
    print("| --- | --- | --- | --- | --- |")
    for kind in (name for name in KINDS if name in ADAPTERS):
        print(row(kind, given.turns, given.rounds), flush=True)
    print(FOOT)


def row(kind: str, turns: int, rounds: int) -> str:
    """Play one kind on both sides, in turn, and return its row."""
    pool = parse(f"kind={kind}&{SIZES.get(kind, '')}").pool
    if pool.capacity not in {SIZE, None}:
        raise ValueError(f"{kind} must have {SIZE} connections, got {pool.capacity}: see SIZES")
    script = script_of(pool, turns)
    plays = (pools.twin.play.play, sim.play.play)
    times = [tuple(seconds(play, script) for play in plays) for _ in range(rounds)]
    twin_s, simulation_s = (statistics.median(column) for column in zip(*times, strict=True))
    ratios = [twin_s / simulation_s for twin_s, simulation_s in times]
    count = CALLERS * turns
    libraries = ", ".join(f"{name} {version(name)}" for name in adapter_of(kind).libraries)
    return (
        f"| {kind} | {libraries} | {count / twin_s:,.0f} | {count / simulation_s:,.0f}"
        f" | {statistics.median(ratios):.0f} [{min(ratios):.0f} to {max(ratios):.0f}] |"
    )


def seconds(play: Callable[[Script], Trace], script: Script) -> float:
    """Return the processor time of one run. Raises RuntimeError if a checkout failed."""
    gc.collect()
    began_s = time.process_time()
    trace = play(script)
    took_s = time.process_time() - began_s
    if set(trace.outcome) != {Outcome.OK}:
        raise RuntimeError(f"every checkout must succeed, got {set(trace.outcome)}")
    return took_s


if __name__ == "__main__":
    main()
