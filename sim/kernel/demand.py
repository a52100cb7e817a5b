"""What is asked in one replication, drawn as the engine draws it."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sim.scenario import REQUESTS_MAX, Scenario
from sim.workload import Arrivals, Streams, draw, endless_holds, endless_thinks

Array = NDArray[np.float64]
_ROWS_MIN = 1024


@dataclass(frozen=True, slots=True)
class Demand:
    """Requests in the order in which they come. Of users, only holds and pauses are drawn.

    The kernel reads the columns where they lie: without gaps.
    """

    asked_s: Array
    hold_s: Array
    pool: NDArray[np.int64]
    thinks_s: Array

    @classmethod
    def of(cls, arrivals: Arrivals) -> "Demand":
        """Return given requests."""
        asked_s, hold_s = arrivals.asked_s, arrivals.hold_s
        return cls(
            np.ascontiguousarray(asked_s, np.float64),
            np.ascontiguousarray(hold_s, np.float64),
            np.ascontiguousarray(arrivals.pool, np.int64),
            np.empty(0),
        )


def draw_demand(scenario: Scenario, replication: int, factor: int = 1) -> Demand:
    """Draw what is asked; of users, `factor` times what they are expected to ask."""
    if not scenario.workload.is_closed:
        return Demand.of(draw(scenario, replication))
    load, streams = scenario.workload, Streams(scenario.seed, replication)
    most = REQUESTS_MAX // scenario.replications
    wanted = factor * (int(1.2 * scenario.requests_expected) + load.users + _ROWS_MIN)
    count = min(most, wanted)
    return Demand(
        asked_s=np.empty(0),
        hold_s=np.fromiter(islice(endless_holds(load, streams.holds), count), float, count),
        pool=np.empty(0, np.int64),
        thinks_s=np.fromiter(
            islice(endless_thinks(load, streams.thinks), count + load.users),
            float,
            count + load.users,
        ),
    )
