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
class CallsResult:
    """What clients wanted, where one of their requests may be several checkouts or attempts.

    `latency_s` is that of calls that got their answer, pauses between attempts included.
    """

    calls: int
    failed_ratio: Estimate
    attempts_mean: Estimate
    latency_s: Distribution


@dataclass(frozen=True, slots=True)
class Overload:
    """Share of calls (0..1) that failed before something broke, and long after it was over."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """All numbers of a scenario, counted over the requests asked after the warm-up.

    Counts add up all replications; rates and ratios are per replication.
    `counted_from_s` is where the run had settled. `growth_per_s` has a value only if the queue
    grows for as long as load comes: by how many requests each second; waits then have neither
    mean nor percentiles. `utilisation` is in-use time over capacity (None value if the pool
    has no limit).
    `errors` counts requests that ended badly, by kind; `timeouts` are those among them that
    waited too long. `calls` is what clients wanted, None where each asks once for one checkout;
    `outlasting` is how many of those still fail when what broke is over, if many. `truncated`
    says which limits cut the run short, if any did. `notes` say what limits these numbers, in
    sentences.
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
    calls: CallsResult | None = None
    outlasting: Overload | None = None
    truncated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def waits_for_ever(self) -> int:
        """Return how many requests would never be served, not just not before a limit."""
        is_cut = any(one.startswith("stopped at") for one in self.truncated)
        return 0 if is_cut else self.errors.get("unfinished", 0)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON-able picture; every estimate `x` has its interval in `x_ci95`."""
        return _as_json(self)


def _as_json(one: Any) -> dict[str, Any]:  # noqa: ANN401  a result, or a part of one
    shown: dict[str, Any] = {}
    for name in one.__slots__:
        value = getattr(one, name)
        if isinstance(value, Distribution):
            shown[name] = value.as_json()
        elif isinstance(value, Estimate):
            shown[name] = value.value
            shown[f"{name}_ci95"] = None if value.low is None else [value.low, value.high]
        elif isinstance(value, CallsResult | Overload):
            shown[name] = _as_json(value)
        elif isinstance(value, Timeline | Survival):
            shown[name] = {key: list(points) for key, points in asdict(value).items()}
        elif isinstance(value, Mapping):
            shown[name] = dict(value)
        else:
            shown[name] = list(value) if isinstance(value, tuple) else value
    return shown
