"""Random workloads played by the simulation and by the library, and what follows from it.

A workload is named by its family ("asyncpg", "asyncpg-loops", ...) and its seed. Many are
played in worker processes; one that fails can be replayed by its name and shrunk to the few
events that it needs to fail.
"""

import dataclasses
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import pools.twin.play
import sim.play
from pools.trace import Trace
from sim.script import Script
from tests.conformance import http_workloads, psycopg_workloads, workloads
from tests.conformance.compare import differences

DRAWERS: Mapping[str, Callable[[workloads.Dice], Script]] = (
    workloads.DRAWERS | http_workloads.DRAWERS | psycopg_workloads.DRAWERS
)
FAMILIES = tuple(DRAWERS)
CHUNK = 25


@dataclass(frozen=True)
class Played:
    """A workload, what the library made of it, and where the simulation differs."""

    family: str
    seed: int
    script: Script
    real: Trace
    differences: tuple[str, ...]

    def __str__(self) -> str:
        command = f"python -m tests.conformance --kind {self.family} --seed {self.seed} --count 1"
        return "\n    ".join([f"{command} --shrink", *self.differences[:8]])


def draw(family: str, seed: int) -> Script:
    """Draw the workload of that name."""
    return DRAWERS[family](workloads.Dice(random.Random(f"{family} {seed}")))


def play(family: str, seed: int) -> Played:
    """Play one workload on both sides."""
    script = as_installed(draw(family, seed))
    real = pools.twin.play.play(script)
    return Played(family, seed, script, real, tuple(check(script, real)))


def as_installed(script: Script) -> Script:
    """Return the script for the library that is installed, if its kind models several versions."""
    version = pools.twin.play.adapter_of(script.pool.name).version()
    if version is None:
        return script
    if script.pool.name == "asyncpg" and version == "0.31":
        return _before_floor(script)
    return dataclasses.replace(script, pool=dataclasses.replace(script.pool, version=version))


def _before_floor(script: Script) -> Script:
    """Return the script for asyncpg before 0.32, which knows no init_size.

    It has either kills or cancellations. When a connection died while its query was being
    cancelled, release() waited for its whole timeout, or for ever, and then terminated whatever
    connection the holder had by that time.
    """
    pool = dataclasses.replace(script.pool, version="0.31", init_size=-1)
    if script.seed % 2:
        return dataclasses.replace(script, pool=pool, kills=())
    asks = tuple(dataclasses.replace(ask, cancel_s=None) for ask in script.asks)
    return dataclasses.replace(script, pool=pool, asks=asks)


def check(script: Script, real: Trace) -> list[str]:
    """Play a workload with the simulation and compare. An exception is a difference too."""
    try:
        simulated = sim.play.play(script)
    except Exception as error:  # noqa: BLE001  whatever a wrong model does
        return [f"simulation failed: {error!r}"]
    return differences(simulated, real)


def play_many(family: str, seeds: Iterable[int]) -> Iterator[Played]:
    """Play many workloads, in as many processes as there are processors."""
    context = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        names = ((family, seed) for seed in seeds)
        yield from pool.map(_play, names, chunksize=CHUNK)


def fresh_seed() -> int:
    """Return a seed that no run has had before."""
    return time.time_ns() // 1_000_000


def shrink(script: Script, fails: Callable[[Script], bool]) -> Script:
    """Leave out asks, loops, kills and outages for as long as the script still fails."""
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in _smaller(script):
            if fails(smaller):
                script, shrunk = smaller, True
                break
    return script


def disagrees(script: Script) -> bool:
    """Whether simulation and library differ on a script."""
    return bool(check(script, pools.twin.play.play(script)))


def _play(name: tuple[str, int]) -> Played:
    return play(*name)


def _smaller(script: Script) -> Iterator[Script]:
    for name in ("asks", "loops", "kills", "outages"):
        for kept in _without_some(getattr(script, name)):
            yield dataclasses.replace(script, **{name: kept})
    for at, ask in enumerate(script.asks):
        if ask.cancel_s is not None:
            calm = dataclasses.replace(ask, cancel_s=None)
            asks = (*script.asks[:at], calm, *script.asks[at + 1 :])
            yield dataclasses.replace(script, asks=asks)


def _without_some(rows: Sequence[object]) -> Iterator[tuple[object, ...]]:
    size = len(rows) // 2
    while size:
        for start in range(0, len(rows), size):
            yield (*rows[:start], *rows[start + size :])
        size //= 2
    if len(rows) == 1:
        yield ()


def both(script: Script) -> Trace:
    """Play a script on both sides, which must agree, and return the library's trace."""
    real = pools.twin.play.play(script)
    found = check(script, real)
    if found:
        raise AssertionError("\n".join(found))
    return real
