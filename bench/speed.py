"""How fast the simulation is, beside a plain SimPy model and Ciw, in one process.

Each round runs every engine once on the same arrivals, in turn, so that a busy machine is busy
for all of them; ratios are taken within a round. `--rounds N` (default 9).
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable

import ciw
import numpy as np

from bench.naive import naive
from sim.engine import simulate
from sim.measure import measure
from sim.query import parse
from sim.run import window_of
from sim.scenario import Scenario
from sim.workload import Arrivals, draw

LOAD = (
    "pool_size=5&max_overflow=5&pool_timeout=0.25&rate=500&hold_ms=16&connect_ms=5"
    "&duration_s=60&warm_up_s=0&replications=1"
)
SCENARIOS = {
    "one pool": LOAD + "&cpu_fraction=0&rtt_ms=0",
    "one pool, shared cores, round trips": LOAD + "&cpu_fraction=0.25&rtt_ms=0.5",
    "four workers, event loops, pools, shared cores, round trips": LOAD
    + "&cpu_fraction=0.25&rtt_ms=0.5&workers=4&loop_cpu_ms=0.52",
}
Engine = Callable[[Scenario, Arrivals], float]


def run_ours(scenario: Scenario, arrivals: Arrivals) -> float:
    """Simulate and measure all that the page shows. Return the mean wait in seconds."""
    trace = simulate(scenario, arrivals=arrivals)
    result = measure([trace], window_of(scenario), scenario.capacity)
    return result.wait_s.mean.value or 0.0


def run_ours_unmeasured(scenario: Scenario, arrivals: Arrivals) -> float:
    """Simulate, and keep the trace. Return the mean wait in seconds."""
    trace = simulate(scenario, arrivals=arrivals)
    granted, released = np.asarray(trace.granted_s), np.asarray(trace.released_s)
    ends = np.where(np.isnan(granted), released, granted)
    return float((ends - np.asarray(trace.asked_s)).mean())


def run_naive(scenario: Scenario, arrivals: Arrivals) -> float:
    """Run the plain SimPy model with its percentiles. Return the mean wait in seconds."""
    return naive(scenario, arrivals).summary()["mean"]


def run_ciw(scenario: Scenario, _: Arrivals) -> float:
    """Run Ciw's queue with impatient customers: no connects, its own random numbers."""
    load, pool = scenario.workload, scenario.pool
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(load.rate_per_s)],
        service_distributions=[ciw.dists.Exponential(1.0 / load.hold_s_mean)],
        number_of_servers=[pool.capacity],
        reneging_time_distributions=[ciw.dists.Deterministic(pool.wait_s_max)],
    )
    ciw.seed(scenario.seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(scenario.duration_s)
    waits = [record.waiting_time for record in simulation.get_all_records()]
    return sum(waits) / len(waits)


def main() -> None:
    """Print a table for each scenario."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    for title, query in SCENARIOS.items():
        engines: dict[str, Engine] = {
            "Poolwise, trace only": run_ours_unmeasured,
            "Poolwise, with all numbers": run_ours,
            "plain SimPy, with percentiles": run_naive,
        }
        if "cores" not in title:
            engines["Ciw, with reneging"] = run_ciw
        print(table(title, parse(query), engines, rounds), flush=True)


def table(title: str, scenario: Scenario, engines: dict[str, Engine], rounds: int) -> str:
    """Run the engines in turn and return a Markdown table of medians and ratios."""
    arrivals = draw(scenario)
    times: dict[str, list[float]] = {name: [] for name in engines}
    waits = {name: engine(scenario, arrivals) for name, engine in engines.items()}
    for _ in range(rounds):
        for name, engine in engines.items():
            times[name].append(seconds(engine, scenario, arrivals))
    slowest = times["plain SimPy, with percentiles"]
    count = len(arrivals.asked_s)
    lines = [
        f"### {title}: {count} requests, {rounds} rounds\n",
        "| engine | median s | best s | requests/s | × plain SimPy [rounds] | mean wait ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, taken in times.items():
        ratios = [other / own for other, own in zip(slowest, taken, strict=True)]
        median_s = statistics.median(taken)
        lines.append(
            f"| {name} | {median_s:.3f} | {min(taken):.3f} | {count / median_s / 1e3:.0f} k |"
            f" {statistics.median(ratios):.1f} [{min(ratios):.1f} to {max(ratios):.1f}] |"
            f" {1e3 * waits[name]:.3f} |"
        )
    return "\n".join([*lines, ""])


def seconds(engine: Engine, scenario: Scenario, arrivals: Arrivals) -> float:
    """Time one run, garbage of the others collected before."""
    gc.collect()
    began_s = time.perf_counter()
    engine(scenario, arrivals)
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
