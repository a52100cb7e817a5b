"""Random workloads for psycopg's pool, drawn from a seed; all by `async with`, which commits.

The connections under the pool are stand-ins, so what they do on their own (a CancelRequest
that cannot be delivered) is left out: workloads with cancellations have no outages.
"""

import dataclasses
from collections.abc import Callable, Mapping

from pools.kinds.psycopg import PsycopgPool
from sim.script import Ask, Loop, Script
from tests.conformance import workloads
from tests.conformance.workloads import Dice, Scene


def draw_psycopg(dice: Dice) -> Script:
    slow = dice.chance(0.4)
    scene = workloads._scene(dice, slow=slow)
    script = workloads._script(dice, scene, _pool(dice, scene, slow=slow), timeouts=True)
    cancels = any(ask.cancel_s is not None for ask in script.asks)
    asks = tuple(_committed(ask) for ask in script.asks)
    return dataclasses.replace(script, asks=asks, outages=() if cancels else script.outages)


def draw_psycopg_loops(dice: Dice) -> Script:
    """Draw looping callers without a pause; one refused at once would ask again for ever."""
    scene = workloads._scene(dice)
    pool = dataclasses.replace(_pool(dice, scene, slow=False), max_waiting=0)
    script = workloads._loops(dice, scene, pool)
    return dataclasses.replace(script, loops=tuple(map(_committed_loop, script.loops)))


DRAWERS: Mapping[str, Callable[[Dice], Script]] = {
    "psycopg": draw_psycopg,
    "psycopg-loops": draw_psycopg_loops,
}


def _pool(dice: Dice, scene: Scene, *, slow: bool) -> PsycopgPool:
    most = scene.capacity
    least = dice.rng.randint(0, most)
    soon_s = dice.between(0.3, 30.0) * scene.hold_s
    return PsycopgPool(
        min_size=least,
        max_size=dice.pick(most, most, most, 0 if least else most),
        timeout=max(0.0501, dice.about(dice.between(0.3, 30.0) * scene.hold_s)),
        max_waiting=dice.pick(0, 0, 0, dice.rng.randint(1, 5)),
        max_lifetime=dice.pick(3600.0, max(0.101, dice.about(soon_s))),
        max_idle=dice.pick(600.0, max(1.001, dice.about(soon_s))),
        reconnect_timeout=dice.pick(300.0, dice.about(dice.between(0.1, 10.0))),
        num_workers=dice.pick(3, 3, 1, 2),
        check=dice.chance(0.4),
        reset=dice.chance(0.25),
    )


def _committed(ask: Ask) -> Ask:
    use = dataclasses.replace(ask.use, explicit=False, commits=True)
    return dataclasses.replace(ask, use=use)


def _committed_loop(loop: Loop) -> Loop:
    uses = tuple(dataclasses.replace(use, explicit=False, commits=True) for use in loop.uses)
    return dataclasses.replace(loop, uses=uses)
