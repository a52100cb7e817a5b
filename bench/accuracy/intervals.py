"""Intervals: how often a 95 % interval holds the truth, and what common random numbers save.

The truth is M/M/c. Paths are played by the recursion of Kiefer and Wolfowitz (1955), which the
simulation equals request by request; what is counted and how is the product's own.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.page import table
from pools.trace import Trace
from sim.engine import simulate
from sim.estimate import Groups
from sim.query import parse
from sim.result import Estimate
from sim.scenario import Scenario
from sim.theory import wait_s_mean, wait_s_percentile
from sim.warm_up import settled_s
from sim.workload import draw

Array = NDArray[np.float64]
SEEDS = {12: 200, 60: 100}
REPLICATIONS = 10
HOLD_S = 0.02
POINTS = ((2, 0.5), (5, 0.8), (10, 0.8), (2, 0.9), (5, 0.9))
QUEUE = "kind=asyncpg&max_size={c}&min_size={c}&rate={rate:.9g}&hold_ms={hold:.9g}"
FREE = "rtt_ms=0&connect_ms=0&cpu_fraction=0&max_connections=10000&replications=10"
PAIRS = 60


@dataclass(frozen=True, slots=True)
class Path:
    """A replication of M/M/c: what the warm-up rule reads of it."""

    asked_s: Array
    granted_s: Array
    released_s: Array

    @property
    def wait_s(self) -> Array:
        """Waits in s, in order of asking."""
        return np.asarray(self.granted_s - self.asked_s)


def measure() -> dict[str, Any]:
    """Count how often intervals hold, then compare variances."""
    coverage = []
    for seconds, seeds in SEEDS.items():
        for c, rho in POINTS:
            coverage += _coverage(c, rho, seconds, seeds)
            print(f"{seconds} s, c = {c}, {rho:.0%}", flush=True)
    return {"coverage": coverage, "pairs": list(_pairs()), "control": list(_controls())}


def render(found: Mapping[str, Any]) -> str:
    """Return the section as Markdown."""
    head = ("c", "Use", "Run s", "Requests", "Of", "Given", "Right", "Right or silent", "Bias", "±")
    rows = (
        (
            row["c"],
            f"{row['rho']:.0%}",
            row["seconds"],
            f"{row['requests']:,}",
            row["of"],
            f"{row['given']:.0%}",
            "" if row["right"] is None else f"{row['right']:.1%}",
            f"{row['honest']:.1%}",
            "" if row["bias"] is None else f"{row['bias']:+.1%}",
            "" if row["half"] is None else f"{row['half']:.0%}",
        )
        for row in found["coverage"]
    )
    pairs = [(row["what"], f"{row['ratio']:.1f}") for row in found["pairs"]]
    control = [(row["what"], _times(row["ratio"])) for row in found["control"]]
    return _TEXT.format(
        coverage=table(head, rows, "rrrrlrrrrr"),
        pairs=table(("M/M/5, hold 20 ms", "Variance, apart / paired"), pairs, "lr"),
        control=table(("Scenario", "Variance, plain / controlled"), control, "lr"),
    )


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 1000.0 else "above 1,000 (the same queue)"


_TEXT = """## Intervals: how sure a number is

M/M/c with holds of 20 ms, ten replications, seeds 1 to 200 (runs of 12 s) and 1 to 100 (60 s). \
Given: how often there is a number at all; a percentile whose interval has no upper end is not \
given. Right: how often a 95 % interval that is given holds the exact value. Bias and half width \
(±) are of the values given, relative to the exact one.

{coverage}
Where few percentiles are given, those that are come from runs that were quiet by chance: right or \
silent is the share of runs that do not mislead.

### Common random numbers

Variance of the change of the mean wait between two scenarios, 60 replications of 12 s: with \
streams of their own, over with common ones. A ratio of 10 is the certainty of ten times the run.

{pairs}
### Control variates

The mean wait with the c-server recursion on the same arrivals and holds as its control, whose \
exact mean Erlang C knows; 60 replications of 12 s, the coefficient fitted to them.

{control}
It pays as long as the wait is still that of a queue, and hardly once the cores decide. The \
product does not use it: it needs exponential holds, steady arrivals and a load below capacity; \
its intervals come from replications alone.
"""


def _coverage(c: int, rho: float, seconds: int, seeds: int) -> Iterator[dict[str, Any]]:
    rate = rho * c / HOLD_S
    exact = {"mean": wait_s_mean(rate, HOLD_S, c)} | {
        f"p{p}": wait_s_percentile(rate, HOLD_S, c, p) for p in (95, 99)
    }
    found: dict[str, list[Estimate]] = {name: [] for name in exact}
    for seed in range(1, seeds + 1):
        scenario = _scenario(c, rate, seconds, seed)
        paths = [path(scenario, c, number) for number in range(REPLICATIONS)]
        from_s = settled_s(scenario, paths)
        groups = Groups.of(one.wait_s[one.asked_s >= from_s] for one in paths)
        found["mean"].append(groups.mean())
        for percentile in (95, 99):
            found[f"p{percentile}"].append(groups.percentile(percentile))
    about = {"c": c, "rho": rho, "seconds": seconds, "requests": round(rate * seconds * 10)}
    for name, estimates in found.items():
        yield about | {"of": name} | _judged(estimates, exact[name])


def _judged(estimates: Sequence[Estimate], exact: float) -> dict[str, Any]:
    given = [one for one in estimates if one.value is not None]
    right = [(one.low or 0.0) <= exact <= (one.high or 0.0) for one in given]
    values = [one.value or 0.0 for one in given]
    halves = [((one.high or 0.0) - (one.low or 0.0)) / 2.0 for one in given]
    silent = len(estimates) - len(given)
    return {
        "given": len(given) / len(estimates),
        "right": float(np.mean(right)) if given else None,
        "honest": (sum(right) + silent) / len(estimates),
        "bias": float(np.mean(values)) / exact - 1.0 if given else None,
        "half": float(np.median(halves)) / exact if given else None,
    }


def _scenario(c: int, rate: float, seconds: int, seed: int) -> Scenario:
    query = QUEUE.format(c=c, rate=rate, hold=HOLD_S * 1e3)
    return parse(f"{query}&{FREE}&duration_s={seconds}&seed={seed}")


def path(scenario: Scenario, c: int, number: int) -> Path:
    """Play one replication by the recursion."""
    arrivals = draw(scenario, number)
    free_s, granted = [0.0] * c, []
    for asked_s, hold_s in zip(arrivals.asked_s.tolist(), arrivals.hold_s.tolist(), strict=True):
        start_s = max(asked_s, free_s[0])
        granted.append(start_s)
        heapreplace(free_s, start_s + hold_s)
    got = np.asarray(granted)
    return Path(arrivals.asked_s, got, got + arrivals.hold_s)


def _pairs() -> Iterator[dict[str, Any]]:
    """Yield what pairing saves for some changes of M/M/5 at 70 and 85 %."""
    for rho in (0.7, 0.85):
        rate = rho * 5 / HOLD_S
        base = _means(lambda seed, rate=rate: _scenario(5, rate, 12, seed), 5)
        changes: tuple[tuple[str, float, int], ...] = (
            ("5 connections to 6", 1.0, 6),
            ("rate 5 % lower", 0.95, 5),
        )
        for what, times, c in changes:
            other = _means(lambda seed, r=rate * times, c=c: _scenario(c, r, 12, seed), c)
            apart = float(base.var(ddof=1) + other.var(ddof=1))
            ratio = apart / float((other - base).var(ddof=1))
            yield {"what": f"{rho:.0%} use, {what}", "ratio": ratio}


def _means(made: Callable[[int], Scenario], c: int) -> Array:
    paths = [(made(1), path(made(1), c, number)) for number in range(PAIRS)]
    return np.asarray([one.wait_s[one.asked_s >= 2.0].mean() for _, one in paths])


def _controls() -> Iterator[dict[str, Any]]:
    """Yield what Erlang C as a control saves, from a plain queue to one with cores."""
    five = "kind=asyncpg&max_size=5&min_size=5"
    cases = (
        ("asyncpg, 5 connections at 80 %, no round trips", five, 0.0, 0.0),
        ("the same with round trips, a quarter computed on 4 cores", five, 0.25, 0.5),
        ("the same, all of it computed on 4 cores", five, 1.0, 0.5),
        ("SQLAlchemy 2 + 3 overflow, cold", "pool_size=2&max_overflow=3", 0.25, 0.5),
    )
    for what, pool, cpu, rtt in cases:
        query = f"{pool}&rate=195&hold_ms=20&cpu_fraction={cpu}&rtt_ms={rtt}&replications=10"
        scenario = parse(query)
        plain = np.asarray([_mean_wait(simulate(scenario, n)) for n in range(PAIRS)])
        paths = [path(scenario, 5, n) for n in range(PAIRS)]
        control = np.asarray([one.wait_s[one.asked_s >= 2.0].mean() for one in paths])
        related = float(np.corrcoef(plain, control)[0, 1])
        # What fitting the coefficient costs: (n - 2) / (n - 3). Lavenberg and Welch (1981).
        ratio = (PAIRS - 3) / (PAIRS - 2) / max(1e-9, 1.0 - related * related)
        yield {"what": what, "ratio": ratio if math.isfinite(ratio) else 1.0}


def _mean_wait(trace: Trace) -> float:
    asked = np.asarray(trace.asked_s)
    return float((np.asarray(trace.granted_s) - asked)[asked >= 2.0].mean())
