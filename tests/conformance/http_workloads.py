"""Random workloads for the connection pools of HTTP clients, drawn from a seed.

All times are multiples of 2**-30 s: sums of them are exact, so that a time that falls exactly on
a limit (an idle connection looked at one keepalive_timeout after it was put aside) does so on
both sides. Jitter keeps unrelated events apart, as elsewhere; timeouts above 5 s are
rounded up to whole seconds by aiohttp itself, which brings the ties that have to be right.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pools.kinds import AiohttpConnector, Pool
from pools.kinds.httpx import HttpxPool
from sim.script import Ask, Costs, Kill, Loop, Outage, Script, Use
from tests.conformance.workloads import Dice

GRAIN_S = 2.0**-30


@dataclass
class Scene:
    """The scales of one workload, in seconds; how many are lent at once, and of how many hosts."""

    hold_s: float
    latency_s: float
    connect_s: float
    capacity: int
    hosts: int

    @property
    def open_s(self) -> float:
        return 2.0 * self.latency_s + self.connect_s


def exact(seconds: float) -> float:
    """The nearest time that adds up exactly."""
    return round(seconds / GRAIN_S) * GRAIN_S


def draw_aiohttp(dice: Dice) -> Script:
    slow = dice.chance(0.4)
    scene = _scene(dice, slow=slow)
    keepalive_s = dice.pick(15.0, 0.0, 6.0, dice.between(0.1, 30.0) * scene.hold_s)
    force_close = dice.chance(0.1)
    pool = AiohttpConnector(
        limit=dice.pick(0, scene.capacity, scene.capacity, scene.capacity),
        limit_per_host=dice.pick(0, 0, 1, 2),
        keepalive_timeout=exact(min(3000.0, keepalive_s)),
        force_close=force_close,
        connect_timeout=_timeout(dice, scene, slow=slow) or 0.0,
    )
    return _script(dice, scene, pool, slow=slow, races=True)


def draw_httpx(dice: Dice) -> Script:
    slow = dice.chance(0.2)
    scene = _scene(dice, slow=slow)
    most = dice.pick(0, scene.capacity, scene.capacity, scene.capacity)
    expiry_s = dice.pick(5.0, 0.0, dice.between(0.1, 30.0) * scene.hold_s)
    pool = HttpxPool(
        max_connections=most,
        max_keepalive_connections=dice.pick(500, 500, dice.rng.randint(0, 4)),
        keepalive_expiry=exact(min(3000.0, expiry_s)),
        pool_timeout=_timeout(dice, scene, slow=slow) or 0.0,
        connect_timeout=_timeout(dice, scene, slow=slow) or 0.0,
    )
    return _script(dice, scene, pool, slow=slow)


def draw_aiohttp_loops(dice: Dice) -> Script:
    """Draw looping callers without a pause between requests."""
    scene = _scene(dice, slow=False)
    pool = AiohttpConnector(
        limit=dice.pick(0, scene.capacity, scene.capacity, scene.capacity),
        limit_per_host=dice.pick(0, 0, 1, 2),
        keepalive_timeout=dice.pick(15.0, 0.0),
        force_close=dice.chance(0.2),
        connect_timeout=dice.pick(0.0, 0.0, exact(dice.between(1.0, 10.0) * scene.hold_s)),
    )
    return _loops(dice, scene, pool)


def draw_httpx_loops(dice: Dice) -> Script:
    """Draw looping callers without a pause between requests."""
    scene = _scene(dice, slow=False)
    pool = HttpxPool(
        max_connections=scene.capacity,
        max_keepalive_connections=dice.pick(500, 500, dice.rng.randint(0, 4)),
        pool_timeout=dice.pick(0.0, 0.0, exact(dice.between(1.0, 10.0) * scene.hold_s)),
    )
    return _loops(dice, scene, pool)


DRAWERS: Mapping[str, Callable[[Dice], Script]] = {
    "aiohttp": draw_aiohttp,
    "aiohttp-loops": draw_aiohttp_loops,
    "httpx": draw_httpx,
    "httpx-loops": draw_httpx_loops,
}


def _scene(dice: Dice, *, slow: bool) -> Scene:
    hold_s = dice.between(0.5, 4.0) if slow else dice.between(0.005, 0.2)
    return Scene(
        hold_s=hold_s,
        latency_s=exact(hold_s * dice.between(0.005, 0.5)),
        connect_s=exact(hold_s * dice.between(0.01, 3.0 if slow else 1.0)),
        capacity=dice.rng.randint(1, 4),
        hosts=dice.pick(1, 2, 3, 5),
    )


def _script(dice: Dice, scene: Scene, pool: Pool, *, slow: bool, races: bool = False) -> Script:
    count = dice.rng.randint(18, 42)
    gap_s = (scene.hold_s + 2.0 * scene.latency_s) / scene.capacity / dice.between(0.3, 3.0)
    asks = _asks(dice, scene, count, gap_s, slow=slow, races=races)
    end_s = asks[-1].at_s
    return Script(
        pool,
        _costs(dice, scene),
        asks=asks,
        kills=_kills(dice, end_s),
        outages=_outages(dice, scene, end_s),
        clock_s=exact(dice.rng.uniform(500.0, 1500.0)),
        lead_s=exact(dice.rng.uniform(0.1, 1.0)),
        drain_s=exact(dice.pick(20.0, 50.0) * scene.hold_s),
        limit_s=exact(end_s + 2000.0),
        seed=dice.rng.getrandbits(32),
    )


def _loops(dice: Dice, scene: Scene, pool: Pool) -> Script:
    count = dice.rng.randint(2, 6)
    turns = dice.rng.randint(4, 12)
    pauses = dice.chance(0.2)
    loops = [
        Loop(
            at_s=exact(dice.around(scene.hold_s)),
            uses=tuple(_use(dice, scene, slow=False) for _ in range(turns)),
            thinks_s=(exact(dice.around(scene.hold_s)) if pauses and number == 0 else 0.0,),
            until_s=exact(20.0 * scene.hold_s),
        )
        for number in range(count)
    ]
    return Script(
        pool,
        _costs(dice, scene),
        loops=tuple(loops),
        clock_s=exact(dice.rng.uniform(500.0, 1500.0)),
        drain_s=exact(10.0 * scene.hold_s),
        limit_s=exact(200.0 * scene.hold_s + 100.0),
        seed=dice.rng.getrandbits(32),
    )


def _costs(dice: Dice, scene: Scene) -> Costs:
    return Costs(
        latency_s=scene.latency_s,
        connect_s=scene.connect_s,
        connect_jitter_s=tuple(exact(dice.jitter()) for _ in range(97)),
        cores=dice.rng.randint(1, 4),
        keep_alive_s=dice.pick(math.inf, math.inf, exact(dice.around(3.0 * scene.hold_s))),
    )


def _asks(
    dice: Dice, scene: Scene, count: int, gap_s: float, *, slow: bool, races: bool
) -> tuple[Ask, ...]:
    cancels = dice.pick(0.0, 0.1, 0.4)
    lulls = dice.pick(0.0, 0.1)
    rivals = dice.pick(0.0, 0.0, 0.3) if races else 0.0
    at_s = 0.0
    asks = []
    for _ in range(count):
        at_s += exact(dice.around(gap_s))
        if dice.chance(lulls):
            at_s += exact(dice.between(3.0, 100.0) * scene.hold_s)
        cancel_s = None
        if dice.chance(cancels):
            cancel_s = at_s + exact(dice.around(dice.pick(0.05, 0.5, 2.0) * scene.hold_s))
        # A rival is mostly one that asks soon after, so that it may still wait.
        rival = len(asks) + dice.pick(-1, 1, 2, 3) if dice.chance(rivals) else None
        asks.append(Ask(at_s, _use(dice, scene, slow=slow), cancel_s, rival=rival))
    return tuple(asks)


def _use(dice: Dice, scene: Scene, *, slow: bool) -> Use:
    return Use(
        hold_s=0.0,
        work_s=exact(dice.around(scene.hold_s)),
        compute_s=exact(dice.around(0.3 * scene.hold_s)) if dice.chance(0.3) else 0.0,
        host=dice.rng.randrange(scene.hosts),
        timeout_s=_timeout(dice, scene, slow=slow) if dice.chance(0.2) else None,
        closes=dice.chance(0.1),
        idempotent=dice.chance(0.7),
    )


def _timeout(dice: Dice, scene: Scene, *, slow: bool) -> float | None:
    """None, or a time; in slow workloads often one that is rounded up to a whole second."""
    if slow and dice.chance(0.5):
        return dice.pick(5.0, 5.5, 6.0, exact(dice.rng.uniform(4.0, 12.0)))
    span_s = dice.pick(None, scene.open_s, scene.hold_s, 10.0 * scene.hold_s)
    return None if span_s is None else exact(span_s * dice.between(0.2, 2.0))


def _kills(dice: Dice, end_s: float) -> tuple[Kill, ...]:
    count = dice.pick(0, 0, 1, 3, 8)
    return tuple(
        Kill(exact(dice.rng.uniform(0.0, 1.2 * end_s)), dice.rng.randrange(8)) for _ in range(count)
    )


def _outages(dice: Dice, scene: Scene, end_s: float) -> tuple[Outage, ...]:
    windows = []
    for _ in range(dice.pick(0, 0, 0, 1, 2)):
        from_s = exact(dice.rng.uniform(-2.0 * scene.open_s, end_s))
        until_s = exact(from_s + dice.around(dice.pick(0.1, 0.5) * end_s))
        after_s = dice.pick(None, exact(min(40.0, dice.around(3.0 * scene.open_s))))
        windows.append(Outage(from_s, until_s, after_s))
    return tuple(windows)
