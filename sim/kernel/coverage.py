"""Which scenarios the kernel plays, and why not the others.

Every setting not listed here must stand at its default: one that is new is thereby left to the
SimPy engine until somebody teaches it to the kernel.
"""

from collections.abc import Mapping

from sim.query import KIND, all_settings, to_values
from sim.scenario import Scenario

_COMMON = (
    # drawn before the run begins, whatever the pool
    "pattern, rate, ramp_rate, day_peak, burst_factor, burst_s, burst_share, spike_at_s,"
    " spike_requests, hold_ms, hold_cv, hold_distribution, hold_given, hold_p50_ms, hold_p99_ms,"
    " hold_max_ms, hold_values, hosts, users, think_ms,"
    # the stage
    " rtt_ms, connect_ms, connect_cpu_ms, cores, cpu_fraction, contention, other_cores, serial,"
    " crosstalk, max_connections, reserved, other_connections, replicas, workers, loop_cpu_ms,"
    " overhead_ms, entry_ms, handover_ms,"
    # the run
    " duration_s, warm_up_s, warm_connections, replications, seed"
)
_POOLS: Mapping[str, str] = {
    "sqlalchemy": (
        "pool_size, max_overflow, pool_timeout, pool_recycle, pool_pre_ping, pool_use_lifo"
    ),
    "sqlalchemy-null": "",
    "asyncpg": (
        "max_size, min_size, init_size, acquire_timeout, max_queries,"
        " max_inactive_connection_lifetime, version"
    ),
    "aiohttp": ("limit, limit_per_host, keepalive_timeout, force_close, connect_timeout, version"),
}


def uncovered(scenario: Scenario) -> str:
    """Return why the kernel leaves a scenario to the SimPy engine; empty if it plays it."""
    kind = scenario.pool.name
    if kind not in _POOLS:
        return f"the kernel does not play kind {kind}"
    if scenario.pool.serves == "http" and scenario.workload.hosts > 1:
        return f"the kernel plays one host, not hosts={scenario.workload.hosts}"
    known = {KIND.query, *f"{_COMMON}, {_POOLS[kind]}".split(", ")}
    values, made = to_values(scenario.without_goal), all_settings(kind)
    for name in sorted(set(values) - known):
        if values[name] != made[name].default:
            return f"the kernel does not play {name}={made[name].spell(values[name])}"
    return ""


def kinds_covered() -> tuple[str, ...]:
    """Return the kinds of pool that the kernel plays."""
    return tuple(_POOLS)
