"""The numbers of a replication, read from the kernel's tables in one pass."""

import numpy as np

from sim.kernel.compiled import compiled, entry
from sim.kernel.setup import Tables
from sim.kernel.state import (
    ACQUIRE_TIMEOUT,
    CONNECT_REFUSED,
    NUMBERS,
    OK,
    Row,
    State,
)
from sim.kernel.summary import Array, Summary, times_of
from sim.kernel.tables import link_at, traced_at
from sim.scenario import Scenario


def summary_of(scenario: Scenario, tables: Tables, truncated: str) -> Summary:
    """Return what sim.kernel.summary.summarise returns, without copying any column."""
    waits_s, latencies_s = tables.waits, tables.latencies
    found = np.zeros(1, NUMBERS)
    count(tables.run, found, waits_s, latencies_s, scenario.warm_up_s, scenario.duration_s)
    seen, capacity = found[0], scenario.capacity
    in_use = float(seen["held_s"]) / (scenario.duration_s - scenario.warm_up_s)
    return Summary(
        requests=int(seen["requests"]),
        completed=int(seen["completed"]),
        wait_s=times_of(waits_s[: int(seen["waits"])], int(seen["at_once"])),
        latency_s=times_of(latencies_s[: int(seen["completed"])]),
        timeouts=int(seen["timeouts"]),
        refused=int(seen["refused"]),
        in_use_mean=in_use,
        utilisation=in_use / capacity if capacity else np.nan,
        connections_opened=int(seen["opened"]),
        truncated=truncated,
    )


@entry
def count(
    state: State, found: Row, waits_s: Array, latencies_s: Array, from_s: float, to_s: float
) -> None:
    """Fill in waits above zero, latencies and counts of what was asked in that time."""
    s, seen = state[0], found[0]
    requests = waits = at_once = completed = timeouts = refused = 0
    held_s = 0.0
    for row in range(s.asked):
        traced = traced_at(s, row)
        asked_s, granted_s, released_s = traced.asked_s, traced.granted_s, traced.released_s
        is_granted = granted_s == granted_s  # noqa: PLR0124  not nan
        if is_granted:
            held_s += _within(granted_s, traced.returned_s, from_s, to_s)
        if asked_s < from_s or asked_s >= to_s:
            continue
        requests += 1
        wait_s = (granted_s if is_granted else released_s) - asked_s
        waits_s[waits] = wait_s
        waits += wait_s > 0.0
        at_once += wait_s == 0.0
        latencies_s[completed] = released_s - asked_s
        outcome = traced.outcome
        if outcome == OK:
            completed += 1
        else:
            timeouts += outcome == ACQUIRE_TIMEOUT
            refused += outcome == CONNECT_REFUSED
    seen.requests, seen.waits, seen.at_once, seen.completed = requests, waits, at_once, completed
    seen.timeouts, seen.refused, seen.held_s = timeouts, refused, held_s
    seen.opened = _opened(s, from_s, to_s)


@compiled
def _within(granted_s: float, returned_s: float, from_s: float, to_s: float) -> float:
    """Return how long a connection was held in that time; nan is never returned."""
    began_s = max(from_s, granted_s)
    ended_s = min(to_s, returned_s)
    return ended_s - began_s if ended_s > began_s else 0.0


@compiled
def _opened(s: State, from_s: float, to_s: float) -> int:
    """Count the connections opened in that time; those open from the start began at nan."""
    opened = 0
    for row in range(s.links):
        link = link_at(s, row)
        opened += link.opening_s >= 0.0 and from_s <= link.opened_s < to_s
    return opened
