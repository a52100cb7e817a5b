"""What real_pools measures: one pool of one library under one load each, as a scenario.

`use` is the share of its time that a connection is held, the library's own part of the hold
included: the rate follows from it. Holds are long enough for the event loop of the client to
stay below a quarter of its core, because there the pool is to be judged and not the loop.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sim.query import parse
from sim.scenario import Scenario

DURATION_S, WARM_UP_S = 18.0, 2.0
PARAMETERS = {
    "asyncpg": "min_size={size}&max_size={size}",
    "sqlalchemy": "pool_size={size}&max_overflow={overflow}",
    "aiohttp": "limit={size}",
}
TIMEOUT = {"asyncpg": "acquire_timeout", "sqlalchemy": "pool_timeout", "aiohttp": "connect_timeout"}
OVERHEAD_MS = {"asyncpg": 1.1, "sqlalchemy": 1.6, "aiohttp": 1.2}
HOLD_MS = {1: 5.0, 2: 10.0, 5: 20.0, 10: 25.0, 15: 40.0, 20: 50.0, 64: 160.0}
NO_TIMEOUT_S = 0.0  # as the library has it, which is none or 30 s
SHORT_S, SHORTER_S = 0.3, 0.06
# pool, use, coefficient of variation of the hold, timeout
DATABASE = (
    (1, 0.3, 1.0, NO_TIMEOUT_S),
    (1, 0.6, 1.0, NO_TIMEOUT_S),
    (1, 0.8, 1.0, NO_TIMEOUT_S),
    (2, 0.3, 1.0, NO_TIMEOUT_S),
    (2, 0.6, 1.0, NO_TIMEOUT_S),
    (2, 0.8, 1.0, NO_TIMEOUT_S),
    (2, 0.9, 1.0, NO_TIMEOUT_S),
    (5, 0.5, 2.0, NO_TIMEOUT_S),
    (5, 0.7, 1.0, NO_TIMEOUT_S),
    (5, 0.8, 2.0, NO_TIMEOUT_S),
    (5, 0.9, 1.0, NO_TIMEOUT_S),
    (5, 1.1, 1.0, SHORT_S),
    (10, 0.5, 1.0, NO_TIMEOUT_S),
    (10, 0.8, 2.0, NO_TIMEOUT_S),
    (10, 0.8, 1.0, SHORTER_S),
    (10, 0.9, 1.0, NO_TIMEOUT_S),
    (10, 1.1, 1.0, SHORT_S),
    (20, 0.7, 1.0, NO_TIMEOUT_S),
    (20, 0.9, 1.0, NO_TIMEOUT_S),
    (64, 0.8, 1.0, NO_TIMEOUT_S),
    (64, 0.9, 1.0, NO_TIMEOUT_S),
    (64, 1.1, 1.0, SHORT_S),
)
HTTP = (
    (2, 0.8, 1.0, NO_TIMEOUT_S),
    (5, 0.6, 1.0, NO_TIMEOUT_S),
    (5, 0.8, 2.0, NO_TIMEOUT_S),
    (10, 0.6, 1.0, NO_TIMEOUT_S),
    (10, 0.8, 1.0, NO_TIMEOUT_S),
    (10, 0.9, 1.0, NO_TIMEOUT_S),
    (10, 1.0, 1.0, SHORTER_S),
    (20, 0.8, 1.0, NO_TIMEOUT_S),
)
CALIBRATED_AT = (1, 10, 64)
CALIBRATION_USE = 0.55
# The speed of a machine changes within minutes: so many runs are judged by one calibration.
PART = 8
# pool_size, max_overflow, use
OVERFLOW = ((1, 4, 0.6), (1, 4, 0.8), (2, 8, 0.6), (2, 8, 0.8), (5, 10, 0.6), (5, 10, 0.8))


@dataclass(frozen=True, slots=True)
class Case:
    """One run: its name, its scenario, and whether it judges or only calibrates."""

    name: str
    scenario: Scenario

    @property
    def kind(self) -> str:
        """The pool kind."""
        return self.scenario.pool.name


def parts(kind: str) -> Iterator[tuple[list[Case], list[Case]]]:
    """Yield the runs that give a library's constants, and those judged by them, in turns."""
    cases = list(judging(kind))
    for part, first in enumerate(range(0, len(cases), PART)):
        yield list(_calibrating(kind, part)), cases[first : first + PART]


def _calibrating(kind: str, part: int) -> Iterator[Case]:
    """Yield the runs of a library that give its constants, with pools small to large."""
    for turn, size in enumerate(CALIBRATED_AT):
        name = f"{kind} {size} calibration {part + 1}"
        seed = 901 + part * len(CALIBRATED_AT) + turn
        yield _case(name, kind, size, CALIBRATION_USE, seed=seed)


def judging(kind: str) -> Iterator[Case]:
    """Yield the runs of a library by which the simulation is judged; seeds are 1, 2, 3, ..."""
    for seed, (size, use, cv, timeout_s) in enumerate(HTTP if kind == "aiohttp" else DATABASE):
        spread = "" if cv == 1.0 else f" cv {cv:g}"
        within = "" if not timeout_s else f" within {timeout_s * 1e3:g} ms"
        name = f"{kind} {size} use {use:g}{spread}{within}"
        yield _case(name, kind, size, use, seed=seed + 1, cv=cv, timeout_s=timeout_s)
    for seed, (size, overflow, use) in enumerate(OVERFLOW if kind == "sqlalchemy" else ()):
        name = f"{kind} {size}+{overflow} use {use:g}"
        yield _case(name, kind, size, use, seed=seed + 101, overflow=overflow)


def _case(
    name: str,
    kind: str,
    size: int,
    use: float,
    *,
    seed: int,
    cv: float = 1.0,
    timeout_s: float = NO_TIMEOUT_S,
    overflow: int = 0,
) -> Case:
    capacity = size + overflow
    hold_ms = HOLD_MS[capacity]
    rate = use * capacity / (hold_ms + OVERHEAD_MS[kind]) * 1e3
    pool = PARAMETERS[kind].format(size=size, overflow=overflow)
    if timeout_s:
        pool += f"&{TIMEOUT[kind]}={timeout_s}"
    warm = 0 if overflow else size
    load = f"rate={rate:.1f}&hold_ms={hold_ms:g}&hold_cv={cv:g}&warm_connections={warm}"
    run = f"duration_s={DURATION_S:g}&warm_up_s={WARM_UP_S:g}&replications=1&seed={seed}"
    server = "rtt_ms=0&connect_ms=0&cpu_fraction=0&max_connections=200"
    return Case(name, parse(f"kind={kind}&{pool}&{load}&{run}&{server}"))
