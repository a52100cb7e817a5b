"""What each request will do, drawn before it begins, from streams that nothing else uses.

Request n has the same holds, cancellation, leaks and jitter whatever the pool is set to, and
whatever befell the requests before it (common random numbers).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.classes import RequestClass
from sim.scenario import Scenario
from sim.workload import Streams

Array = NDArray[np.float64]
BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Plan:
    """One request: for each checkout what it holds, awaits and whether it leaks, in seconds.

    `cancel_s` is when its client cancels, counted from asking (inf: never); `jitter` has one
    number between 0 and 1 for each retry.
    """

    hold_s: tuple[float, ...]
    await_s: tuple[float, ...]
    leaks: tuple[bool, ...]
    nested: bool
    cancel_s: float
    jitter: NDArray[np.float64]


def plans(scenario: Scenario, streams: Streams, hold_s: Array | None = None) -> Iterator[Plan]:
    """Yield the plans of requests in order of asking, for ever or as many as `hold_s`.

    `hold_s` are the holds of the first checkouts, where they are known already.
    """
    if hold_s is not None:
        yield from _block(scenario, streams, hold_s)
        return
    shape = scenario.workload.holds
    while True:
        yield from _block(scenario, streams, shape.draw(BLOCK, streams.holds))


def _block(scenario: Scenario, streams: Streams, first_s: Array) -> Iterator[Plan]:
    load, client, count = scenario.workload, scenario.client, len(first_s)
    classes = load.request_classes
    picked = _picked(classes, streams.kinds.random(count))
    most = max(one.checkouts for one in classes)
    shape, scale_s = load.holds, load.shape_s_mean
    holds = [first_s, *(shape.draw(count, streams.more_holds) for _ in range(most - 1))]
    awaits = [shape.draw(count, streams.awaits) for _ in range(most if load.awaits else 0)]
    cancels = np.where(
        streams.cancels.random(count) < client.cancel_share,
        streams.cancel_times.exponential(1.0, count) * client.cancel_after_s,
        math.inf,
    )
    leaks = streams.leaks.random((count, most)) < client.leak_share
    jitters = streams.jitter.random((count, client.retries))
    for row, (number, cancel_s) in enumerate(zip(picked, cancels.tolist(), strict=True)):
        one = classes[number]
        times = range(one.checkouts)
        yield Plan(
            hold_s=tuple(float(holds[k][row]) * (one.hold_s / scale_s) for k in times),
            await_s=tuple(
                float(awaits[k][row]) * (one.await_s / scale_s) if one.await_s else 0.0
                for k in times
            ),
            leaks=tuple(leaks[row, : one.checkouts].tolist()),
            nested=one.nested,
            cancel_s=cancel_s,
            jitter=jitters[row],
        )


def _picked(classes: tuple[RequestClass, ...], drawn: Array) -> list[int]:
    edges = np.cumsum([one.share for one in classes])[:-1]
    picked: list[int] = np.searchsorted(edges, drawn, side="right").tolist()
    return picked
