"""Random workloads for database pools: everything a Script can say, drawn from a seed.

Every duration carries up to a microsecond of jitter, so that no two unrelated events fall
into the same instant; what does happen in one instant is caused within it. All times are
multiples of 2**-40 s, whose sums are exact.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pools.kinds import AsyncpgPool, Pool, SqlalchemyNull, SqlalchemyQueue
from sim.script import Ask, Costs, Kill, Loop, Outage, Script, Use, exact

JITTER_S = 1e-6
ASKS = (18, 42)


@dataclass
class Dice:
    """Random numbers with the shapes that workloads need."""

    rng: random.Random

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def around(self, mean_s: float) -> float:
        """An exponential time with jitter."""
        return exact(self.rng.expovariate(1.0 / mean_s)) + self.jitter()

    def about(self, value_s: float) -> float:
        """That time with jitter."""
        return exact(value_s) + self.jitter()

    def between(self, low: float, high: float) -> float:
        """A time whose logarithm is uniform."""
        return math.exp(self.rng.uniform(math.log(low), math.log(high)))

    def jitter(self) -> float:
        return exact(self.rng.uniform(0.0, JITTER_S))

    def pick(self, *choices: Any) -> Any:
        return self.rng.choice(choices)


@dataclass
class Scene:
    """The time scales of one workload: hold, round trip, connect, and how many are lent."""

    hold_s: float
    rtt_s: float
    connect_s: float
    capacity: int

    @property
    def open_s(self) -> float:
        return 5.0 * self.rtt_s + self.connect_s


def draw_asyncpg(dice: Dice) -> Script:
    scene = _scene(dice)
    size = scene.capacity
    least = dice.rng.randint(0, size)
    lifetime_s = dice.pick(0.0, 300.0, dice.about(dice.between(0.3, 30.0) * scene.hold_s))
    pool = AsyncpgPool(
        max_size=size,
        min_size=least,
        init_size=dice.pick(-1, dice.rng.randint(least, size)),
        max_queries=dice.pick(50_000, dice.rng.randint(1, 7)),
        max_inactive_connection_lifetime=lifetime_s,
        acquire_timeout=_timeout(dice, scene) or 0.0,
    )
    return _script(dice, scene, pool, timeouts=True)


def draw_sqlalchemy(dice: Dice) -> Script:
    slow = dice.chance(0.3)
    scene = _scene(dice, slow=slow)
    size = dice.pick(0, scene.capacity, scene.capacity)
    pool = SqlalchemyQueue(
        pool_size=size,
        max_overflow=dice.pick(-1, 0, 0, 1, 2, 3),
        pool_timeout=max(exact(0.051), dice.about(dice.between(0.3, 10.0) * scene.hold_s)),
        pool_recycle=dice.pick(-1, dice.rng.randint(1, 8)) if slow else dice.pick(-1, -1, 1),
        pool_pre_ping=dice.chance(0.5),
        pool_use_lifo=dice.chance(0.3),
    )
    return _script(dice, scene, pool, timeouts=False)


def draw_sqlalchemy_null(dice: Dice) -> Script:
    return _script(dice, _scene(dice), SqlalchemyNull(), timeouts=False)


def draw_asyncpg_loops(dice: Dice) -> Script:
    scene = _scene(dice)
    size = scene.capacity
    pool = AsyncpgPool(
        max_size=size,
        min_size=dice.rng.randint(0, size),
        max_queries=dice.pick(50_000, dice.rng.randint(1, 7)),
        acquire_timeout=dice.pick(0.0, 0.0, scene.open_s + dice.around(10.0 * scene.hold_s)),
    )
    return _loops(dice, scene, pool)


def draw_sqlalchemy_loops(dice: Dice) -> Script:
    scene = _scene(dice)
    pool = SqlalchemyQueue(
        pool_size=scene.capacity,
        max_overflow=dice.pick(0, 0, 1, 2),
        pool_timeout=max(exact(0.051), dice.about(dice.between(1.0, 100.0) * scene.hold_s)),
        pool_pre_ping=dice.chance(0.2),
        pool_use_lifo=dice.chance(0.3),
    )
    return _loops(dice, scene, pool)


def draw_sqlalchemy_null_loops(dice: Dice) -> Script:
    return _loops(dice, _scene(dice), SqlalchemyNull())


DRAWERS: Mapping[str, Callable[[Dice], Script]] = {
    "asyncpg": draw_asyncpg,
    "asyncpg-loops": draw_asyncpg_loops,
    "sqlalchemy": draw_sqlalchemy,
    "sqlalchemy-loops": draw_sqlalchemy_loops,
    "sqlalchemy-null": draw_sqlalchemy_null,
    "sqlalchemy-null-loops": draw_sqlalchemy_null_loops,
}


def _scene(dice: Dice, *, slow: bool = False) -> Scene:
    hold_s = dice.between(0.2, 3.0) if slow else dice.between(0.002, 0.2)
    rtt_s = min(0.7, hold_s * dice.between(0.01, 2.0))
    return Scene(hold_s, rtt_s, hold_s * dice.between(0.01, 1.0), dice.rng.randint(1, 4))


def _script(dice: Dice, scene: Scene, pool: Pool, *, timeouts: bool) -> Script:
    count = dice.rng.randint(*ASKS)
    gap_s = scene.hold_s / scene.capacity / dice.between(0.3, 3.0)
    asks = _asks(dice, scene, count, gap_s, timeouts)
    end_s = asks[-1].at_s
    slots = dice.pick(math.inf, math.inf, dice.rng.randint(1, scene.capacity + 2))
    return Script(
        pool,
        _costs(dice, scene, slots),
        asks=asks,
        kills=_kills(dice, end_s),
        outages=_outages(dice, scene, end_s),
        clock_s=exact(dice.rng.uniform(500.0, 1500.0)),
        lead_s=dice.about(3.0 * scene.open_s),
        drain_s=dice.about(20.0 * scene.hold_s),
        limit_s=end_s + 500.0,
        seed=dice.rng.getrandbits(32),
    )


def _loops(dice: Dice, scene: Scene, pool: Pool) -> Script:
    """Tasks that ask again in the very instant in which they return.

    Often all of them close explicitly, or all by `async with`, as code in one style does.
    """
    style = dice.pick(True, False, None)
    pauses = dice.chance(0.2)
    loops = tuple(
        Loop(
            at_s=dice.around(scene.hold_s),
            uses=tuple(_turn(dice, scene, style) for _ in range(dice.rng.randint(4, 12))),
            thinks_s=(dice.around(scene.hold_s),) if pauses and number == 0 else (0.0,),
            until_s=20.0 * scene.hold_s,
        )
        for number in range(dice.rng.randint(2, 3 * scene.capacity + 2))
    )
    return Script(
        pool,
        _costs(dice, scene),
        loops=loops,
        clock_s=exact(dice.rng.uniform(500.0, 1500.0)),
        lead_s=dice.about(3.0 * scene.open_s),
        drain_s=dice.about(20.0 * scene.hold_s),
        limit_s=2000.0,
        seed=dice.rng.getrandbits(32),
    )


def _turn(dice: Dice, scene: Scene, style: bool | None) -> Use:
    explicit = dice.chance(0.5) if style is None else style
    work_s = dice.around(0.5 * scene.hold_s) if dice.chance(0.5) else None
    hold_s = dice.around(scene.hold_s)
    return Use(hold_s, work_s, explicit=explicit, commits=dice.chance(0.6))


def _costs(dice: Dice, scene: Scene, slots: float = math.inf) -> Costs:
    return Costs(
        latency_s=exact(scene.rtt_s / 2.0),
        connect_s=exact(scene.connect_s),
        connect_jitter_s=tuple(dice.jitter() for _ in range(97)),
        slots=slots,
        cores=dice.rng.randint(1, 4),
    )


def _asks(dice: Dice, scene: Scene, count: int, gap_s: float, timeouts: bool) -> tuple[Ask, ...]:
    cancels = dice.pick(0.0, 0.1, 0.4)
    lulls = dice.pick(0.0, 0.1)
    bursts = dice.pick(0.0, 0.0, 0.3, 0.7)
    at_s = 0.0
    asks = []
    for _ in range(count):
        at_s += dice.around(0.2 * scene.rtt_s if dice.chance(bursts) else gap_s)
        if dice.chance(lulls):
            at_s += dice.about(dice.between(3.0, 300.0) * scene.hold_s)
        cancel_s = None
        if dice.chance(cancels):
            cancel_s = at_s + dice.around(dice.pick(0.2, 1.0, 3.0) * scene.hold_s)
        asks.append(Ask(at_s, _use(dice, scene, timeouts), cancel_s))
    return tuple(asks)


def _use(dice: Dice, scene: Scene, timeouts: bool) -> Use:
    asks = dice.chance(0.8)
    return Use(
        hold_s=dice.pick(0.0, dice.around(scene.hold_s)) if asks else dice.around(scene.hold_s),
        work_s=dice.around(0.5 * scene.hold_s) if asks else None,
        compute_s=dice.around(0.3 * scene.hold_s) if asks and dice.chance(0.4) else 0.0,
        timeout_s=_timeout(dice, scene) if timeouts and dice.chance(0.3) else None,
        explicit=dice.chance(0.3),
        commits=dice.chance(0.6),
    )


def _timeout(dice: Dice, scene: Scene) -> float | None:
    """None, or a time that may be shorter than a round trip, or long enough for all."""
    span_s = dice.pick(None, scene.rtt_s, scene.open_s, scene.hold_s, 10.0 * scene.hold_s)
    return None if span_s is None else dice.about(span_s * dice.between(0.2, 2.0))


def _kills(dice: Dice, end_s: float) -> tuple[Kill, ...]:
    count = dice.pick(0, 0, 1, 3, 8)
    times = [exact(dice.rng.uniform(0.0, 1.2 * end_s)) for _ in range(count)]
    return tuple(Kill(at_s, dice.rng.randrange(8)) for at_s in times)


def _outages(dice: Dice, scene: Scene, end_s: float) -> tuple[Outage, ...]:
    windows = []
    for _ in range(dice.pick(0, 0, 0, 1, 2)):
        from_s = exact(dice.rng.uniform(-2.0 * scene.open_s, end_s))
        until_s = from_s + dice.around(dice.pick(0.1, 0.5) * end_s)
        after_s = dice.pick(None, min(40.0, dice.around(3.0 * scene.open_s)))
        windows.append(Outage(from_s, until_s, after_s))
    return tuple(windows)
