"""Two traces of one script, compared request by request and connection by connection."""

import math
from collections.abc import Iterator
from itertools import zip_longest

from pools.trace import Outcome, Trace

TOLERANCE_S = 2e-6
REQUEST_TIMES = ("asked_s", "granted_s", "released_s", "returned_s")
CONNECTION_TIMES = ("opening_s", "opened_s", "closed_s")


def differences(simulated: Trace, real: Trace) -> list[str]:
    """Say in a line each where the simulation (first) and the library (second) differ."""
    found = []
    if simulated.truncated != real.truncated:
        found.append(f"truncated: {simulated.truncated!r}, {real.truncated!r}")
    found += _rows("request", _requests(simulated), _requests(real))
    found += _rows("connection", _connections(simulated), _connections(real))
    return found


def identical_requests(simulated: Trace, real: Trace) -> int:
    """Count the requests that went the same way: outcome, connection, all times."""
    pairs = zip(_requests(simulated), _requests(real), strict=False)
    return sum(not list(_unlike(mine, other)) for mine, other in pairs)


def _requests(trace: Trace) -> Iterator[dict[str, object]]:
    for row, outcome in enumerate(trace.outcome):
        times = {name: getattr(trace, name)[row] for name in REQUEST_TIMES}
        yield {"outcome": Outcome(outcome).name, "connection": trace.connection[row], **times}


def _connections(trace: Trace) -> Iterator[dict[str, object]]:
    for row in range(len(trace.opening_s)):
        yield {name: getattr(trace, name)[row] for name in CONNECTION_TIMES}


def _rows(
    what: str, mine: Iterator[dict[str, object]], others: Iterator[dict[str, object]]
) -> Iterator[str]:
    for row, (one, other) in enumerate(zip_longest(mine, others)):
        if one is None or other is None:
            yield f"{what} {row}: {one} != {other}"
        else:
            for name in _unlike(one, other):
                yield f"{what} {row} {name}: {_shown(one[name])} != {_shown(other[name])}"


def _unlike(one: dict[str, object], other: dict[str, object]) -> Iterator[str]:
    return (name for name, value in one.items() if not _same(value, other[name]))


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE_S or (math.isnan(one) and math.isnan(other))
    return one == other


def _shown(value: object) -> str:
    return f"{value:.7f}" if isinstance(value, float) else str(value)
