"""How fast the kernel is: beside the engine and plain SimPy, in a sweep, and as load grows.

Processor time of one core, which a busy machine disturbs least; ratios are taken within a round.
The sweep is also timed by the clock, on all cores. `--rounds N` (default 7).
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench.naive import naive
from bench.speed import SCENARIOS, run_ours
from sim.kernel.batch import cores, summaries
from sim.kernel.demand import Demand
from sim.kernel.simulate import played, summed_up
from sim.query import parse
from sim.scenario import Scenario
from sim.workload import Arrivals, draw

REPLICATIONS = 10
IN_A_ROW = 10
Engine = Callable[[Scenario, Arrivals], float]
BASE = (
    "pool_timeout=0.25&hold_ms=16&connect_ms=5&cpu_fraction=0.25"
    "&rtt_ms=0.5&cores=64&max_connections=10000&warm_up_s=0&replications=1"
)
SMALL = "pool_size=5&max_overflow=5"
GROWTH = {
    "30 000 requests, rate 500 /s, pool 5 + 5": SMALL + "&rate=500&duration_s=60",
    "rate × 4, pool × 4": "rate=2000&duration_s=15&pool_size=20&max_overflow=20",
    "rate × 16, pool × 16": "rate=8000&duration_s=3.75&pool_size=80&max_overflow=80",
    "pool × 16, most of it idle": "rate=500&duration_s=60&pool_size=80&max_overflow=80",
    "fleet of 4 pools": SMALL + "&rate=2000&duration_s=15&workers=4",
    "fleet of 64 pools": SMALL + "&rate=8000&duration_s=3.75&workers=16&replicas=4",
    "duration × 4": SMALL + "&rate=500&duration_s=240",
    "overload: rate × 1.5, a third times out": SMALL + "&rate=750&duration_s=40",
    "event loops, lags": SMALL
    + "&rate=500&duration_s=60&loop_cpu_ms=0.52&entry_ms=0.06&handover_ms=0.055",
}


def kernel(scenario: Scenario, arrivals: Arrivals) -> float:
    """Simulate by the kernel, with the numbers of a replication. Return the mean wait in s."""
    return summed_up(scenario, 0, Demand.of(arrivals)).wait_s.mean


def kernel_trace(scenario: Scenario, arrivals: Arrivals) -> float:
    """Simulate by the kernel, and look at nothing."""
    with played(scenario, 0, Demand.of(arrivals)) as tables:
        return float(tables.run[0]["now"])


def plain(scenario: Scenario, arrivals: Arrivals) -> float:
    """Run the plain SimPy model with its percentiles. Return the mean wait in seconds."""
    return naive(scenario, arrivals).summary()["mean"]


def processor_s(engine: Engine, scenario: Scenario) -> float:
    """Return the processor time of a run, garbage of the others collected before.

    Of the kernel, the mean of a few in a row, as a sweep plays them.
    """
    arrivals = draw(scenario)
    gc.collect()
    runs = 1 if engine in (plain, run_ours) else IN_A_ROW
    began_s = time.process_time()
    for _ in range(runs):
        engine(scenario, arrivals)
    return (time.process_time() - began_s) / runs


def beside(rounds: int) -> Iterator[str]:
    """Compare the kernel with both SimPy models, on one core."""
    yield (
        "| scenario | plain SimPy s | engine s | kernel s | without numbers s"
        " | kernel × plain [rounds] | without numbers |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for title, query in SCENARIOS.items():
        scenario = parse(query)
        kernel(scenario, draw(scenario))
        times = [
            [processor_s(engine, scenario) for engine in (plain, run_ours, kernel, kernel_trace)]
            for _ in range(rounds)
        ]
        slow, ours, fast, bare = (statistics.median(column) for column in zip(*times, strict=True))
        ratios = [one[0] / one[2] for one in times]
        without = [one[0] / one[3] for one in times]
        yield (
            f"| {title} | {slow:.3f} | {ours:.3f} | {fast:.4f} | {bare:.4f}"
            f" | {statistics.median(ratios):.0f} [{min(ratios):.0f} to {max(ratios):.0f}]"
            f" | {statistics.median(without):.0f} [{min(without):.0f} to {max(without):.0f}] |"
        )


def sweep(rounds: int) -> str:
    """Play 60 configurations, 10 replications of each, 30 000 requests in each of those."""
    base = parse(SCENARIOS["one pool"])
    scenarios = [
        replace(base, pool=replace(base.pool, pool_size=size, max_overflow=overflow))
        for size in range(6, 21)
        for overflow in (0, 2, 5, 10)
    ]
    pairs = [(one, number) for number in range(REPLICATIONS) for one in scenarios]
    took_s, computed_s = [], []
    for _ in range(rounds):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        requests = sum(one.requests for one in summaries(pairs))
        took_s.append(time.perf_counter() - began_s)
        computed_s.append(time.process_time() - began_cpu_s)
    return (
        f"{len(scenarios)} configurations x {REPLICATIONS} replications, {requests} requests,"
        f" with percentiles, {rounds} times: median {statistics.median(took_s):.2f} s,"
        f" best {min(took_s):.2f} s on {cores()} cores,"
        f" median {statistics.median(computed_s):.2f} s of processor time"
    )


def growth(rounds: int) -> Iterator[str]:
    """Tell how cost grows with rate, pool size, fleet and duration."""
    yield "| scenario | requests | engine ms | kernel ms | kernel, µs a request |"
    yield "| --- | --- | --- | --- | --- |"
    for title, query in GROWTH.items():
        scenario = parse(f"{BASE}&{query}")
        count = len(draw(scenario).asked_s)
        ours = min(processor_s(run_ours, scenario) for _ in range(3))
        fast = min(processor_s(kernel, scenario) for _ in range(rounds))
        yield (
            f"| {title} | {count} | {1e3 * ours:.0f} | {1e3 * fast:.1f}"
            f" | {1e6 * fast / count:.2f} |"
        )


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.kernel", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for line in beside(rounds):
        print(line, flush=True)
    print(f"\n{sweep(rounds)}\n", flush=True)
    for line in growth(rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
