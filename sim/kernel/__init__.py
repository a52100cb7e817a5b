"""The kernel: the simulation once more, compiled, for numbers that need millions of requests.

    uncovered(scenario)   why the kernel leaves a scenario to SimPy; empty if it plays it
    simulate_arrays(...)  one replication, as a Trace equal to the engine's to the last bit
    summaries(pairs)      the numbers of many replications and scenarios, on all cores

`coverage` is light; `simulate` and `batch` import numba and, at first use, compile. Each compiled
function names the method it mirrors: where the two differ, the method is right.
"""
