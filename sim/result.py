"""What a run says: numbers with their uncertainty, and the curves for the charts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % confidence interval.

    `value` is None if there was nothing to measure; `low` and `high` are None if one
    replication alone cannot tell how sure the number is.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """Times in seconds. `max` is the largest seen; its interval spans the replications."""

    mean: Estimate
    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate
    max: Estimate

    def as_json(self) -> dict[str, Any]:
        """Return plain numbers, and `ci95` with [low, high] for each."""
        shown: dict[str, Any] = {}
        intervals: dict[str, Any] = {}
        for name in self.__slots__:
            one: Estimate = getattr(self, name)
            shown[name] = one.value
            intervals[name] = None if one.low is None else [one.low, one.high]
        return shown | {"ci95": intervals}


@dataclass(frozen=True, slots=True)
class Timeline:
    """Averages over short bins of one replication: connections by state, requests waiting.

    All tuples have the same length; `t_s` is the middle of each bin.
    """

    t_s: tuple[float, ...]
    in_use: tuple[float, ...]
    idle: tuple[float, ...]
    opening: tuple[float, ...]
    waiting: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Survival:
    """Share of requests (0..1) that wait longer than each time; seconds, ascending."""

    wait_s: tuple[float, ...]
    ratio: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """All numbers of a scenario, counted over the requests asked after the warm-up.

    Counts add up all replications; rates and ratios are per replication.
    `counted_from_s` is where the run had settled. `growth_per_s` has a value only if the queue
    grows for as long as load comes: by how many requests each second; waits then have neither
    mean nor percentiles. `utilisation` is in-use time over capacity (None value if the pool
    has no limit).
    `errors` counts requests that ended badly, by kind; `timeouts` are those among them that
    waited too long. `truncated` says which limits cut the run short, if any did. `notes` say what
    limits these numbers, in sentences.
    """

    requests: int
    completed: int
    throughput_per_s: Estimate
    wait_s: Distribution
    latency_s: Distribution
    timeouts: int
    timeout_ratio: Estimate
    errors: Mapping[str, int]
    utilisation: Estimate
    connections_opened: int
    opened_per_s: Estimate
    connections_max: int
    in_use_mean: Estimate
    waiting_mean: Estimate
    timeline: Timeline
    survival: Survival
    replications: int
    counted_from_s: float = 0.0
    growth_per_s: Estimate = Estimate(None)
    truncated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return a JSON-able picture; every estimate `x` has its interval in `x_ci95`."""
        shown: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, Distribution):
                shown[name] = value.as_json()
            elif isinstance(value, Estimate):
                shown[name] = value.value
                shown[f"{name}_ci95"] = None if value.low is None else [value.low, value.high]
            elif isinstance(value, Timeline | Survival):
                shown[name] = {key: list(points) for key, points in asdict(value).items()}
            elif isinstance(value, Mapping):
                shown[name] = dict(value)
            else:
                shown[name] = list(value) if isinstance(value, tuple) else value
        return shown
