"""What a check measures apart from its Trace, and how a Trace travels as JSON."""

import dataclasses
import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pools.live.lags import Lags
from pools.trace import Trace


@dataclass(frozen=True, slots=True)
class Cost:
    """A median over `n` single measurements, in seconds."""

    median_s: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Costs measured without load, and `lags` near it. None: not measured for this kind."""

    connect: Cost
    rtt: Cost
    pre_ping: Cost | None = None
    reset: Cost | None = None
    lags: Lags | None = None

    def in_ms(self) -> dict[str, float]:
        """Return what was measured in ms, to be shown."""
        costs: dict[str, Cost | None] = {
            "connect_ms": self.connect,
            "round_trip_ms": self.rtt,
            "pre_ping_ms": self.pre_ping,
            "reset_ms": self.reset,
        }
        medians = {name: round(cost.median_s * 1e3, 3) for name, cost in costs.items() if cost}
        return medians | (self.lags.in_ms() if self.lags else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` wrote."""
        lags = data.get("lags")
        medians: dict[str, Any] = {
            name: cost and Cost(**cost) for name, cost in data.items() if name != "lags"
        }
        return cls(**medians, lags=lags and Lags(**lags))


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What stood behind the pool."""

    product: str
    version: str
    provider: str
    max_connections: int | None = None
    connections_most: int | None = None


def trace_as_json(trace: Trace) -> dict[str, Any]:
    """Return a Trace as lists; "never" (nan) becomes null."""
    columns: dict[str, Any] = {"truncated": trace.truncated}
    for field in dataclasses.fields(trace):
        column = getattr(trace, field.name)
        if isinstance(column, array):
            columns[field.name] = [None if math.isnan(value) else value for value in column]
    return columns


def trace_from_json(data: Mapping[str, Any]) -> Trace:
    """Read what `trace_as_json` wrote."""
    trace = Trace(truncated=str(data["truncated"]))
    for field in dataclasses.fields(trace):
        column = getattr(trace, field.name)
        if isinstance(column, array):
            column.extend([math.nan if value is None else value for value in data[field.name]])
    return trace
