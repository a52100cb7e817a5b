"""Random scenarios of every kind that take milliseconds: few requests, few pools."""

from dataclasses import replace
from unittest import mock

from hypothesis import reject
from hypothesis import strategies as st

from pools.setting import InvalidSettings, Value, settings_of
from pools.trace import Trace
from sim.engine import simulate
from sim.failures import Failures
from sim.limits import AFTER_S
from sim.pooler import Pooler
from sim.scenario import Scenario
from tests.pools.schedules import small_pools
from tests.strategies import kinds, scenarios

REQUESTS_MAX = 1_500
BUSY: dict[str, tuple[Value, ...]] = {
    "hold_ms": (1.0, 20.0, 100.0, 300.0),
    "hold_cv": (0.0, 1.0, 3.0),
    "think_ms": (0.0, 20.0),
    "hosts": (1, 2),
    "rtt_ms": (0.0, 0.5, 20.0),
    "connect_ms": (0.0, 5.0, 100.0),
    "cores": (1, 4),
    "cpu_fraction": (0.0, 0.25, 1.0),
    "max_connections": (5, 12, 100),
    "reserved": (0, 3),
    "other_connections": (0, 1),
    "warm_connections": (0, 3),
}
PATIENT: dict[str, tuple[Value, ...]] = {
    "await_ms": (0.0,),
    "classes": ("",),
    "client_timeout_ms": (0.0,),
    "retries": (0,),
    "cancel_share": (0.0,),
    "leak_share": (0.0,),
}
IMPATIENT: dict[str, tuple[Value, ...]] = {
    "classes": ("", "1:20", "2:10,1:2x20+30", "1:3n5", "1:2n20,1:5"),
    "client_timeout_ms": (0.0, 1.0, 30.0, 200.0),
    "retries": (0, 1, 3),
    "cancel_share": (0.0, 0.5),
    "leak_share": (0.0, 0.01),
}


@st.composite
def small_scenarios(
    draw: st.DrawFn, kind: str | None = None, is_plain: bool | None = None
) -> Scenario:
    """Draw any valid scenario without failures: up to 1500 requests in all, up to six pools.

    Half of them have small pools and a load that fills them; the others are as wide as their
    settings allow. `is_plain` says whether clients are patient and take one connection each
    (None: either).
    """
    kind = kind or draw(kinds())
    fixed: dict[str, Value] = {
        "replicas": draw(st.integers(1, 2)),
        "workers": draw(st.integers(1, 3)),
        "replications": draw(st.integers(1, 3)),
        "duration_s": draw(st.sampled_from([0.5, 1.0, 10.0])),
        "warm_up_s": draw(st.sampled_from([0.0, 0.25])),
        "spike_at_s": 0.25,
        "spike_requests": draw(st.integers(1, 100)),
        "rate": draw(st.sampled_from([3.0, 30.0, 100.0, 300.0])),
        "users": draw(st.integers(1, 40)),
        "ramp_rate": draw(st.sampled_from([0.5, 300.0])),
        "burst_factor": draw(st.sampled_from([1.0, 5.0])),
    }
    off = (*settings_of(Failures).values(), *settings_of(Pooler).values())
    fixed |= {known.query: known.default for known in off}
    if is_plain is None:
        is_plain = draw(st.booleans())
    clients = IMPATIENT if not is_plain else PATIENT
    fixed |= {name: draw(st.sampled_from(choices)) for name, choices in clients.items()}
    if not is_plain and not fixed["classes"]:
        fixed["await_ms"] = draw(st.sampled_from([1.0, 50.0]))
    busy = draw(st.booleans())
    if busy:
        fixed |= {name: draw(st.sampled_from(choices)) for name, choices in BUSY.items()}
    with mock.patch("sim.scenario.REQUESTS_MAX", REQUESTS_MAX):
        scenario = draw(scenarios(kind, **fixed))
    if not busy:
        return scenario
    try:
        return replace(scenario, pool=draw(small_pools(kind)))
    except InvalidSettings:  # a pool that refuses at once, under users who ask again at once
        return reject()


@st.composite
def failing_scenarios(draw: st.DrawFn, kind: str | None = None) -> Scenario:
    """Draw a small scenario of patient clients in which anything else may go wrong."""
    scenario = draw(small_scenarios(kind, is_plain=True))
    at_s = st.floats(0.0, 0.9 * scenario.duration_s)
    length_s = st.sampled_from([0.0, 0.01, 0.3, 2.0])
    failures = draw(
        st.builds(
            Failures,
            restart_at_s=at_s,
            restart_s=length_s,
            pgbouncer_restart_at_s=at_s,
            pgbouncer_restart_s=length_s,
            deploy_at_s=at_s,
            deploy_s=length_s,
            slow_at_s=at_s,
            slow_s=length_s,
            slow_factor=st.sampled_from([1.0, 3.0, 50.0]),
            delay_at_s=at_s,
            delay_s=length_s,
            delay_extra_s=st.sampled_from([0.01, 1.0]),
            kills_per_s=st.sampled_from([0.0, 1.0, 30.0]),
            idle_cut_s=st.sampled_from([0.0, 0.05, 0.3]),
            unanswered_s=st.sampled_from([0.0, 1.0, 900.0]),
        )
    )
    pooler = draw(
        st.builds(
            Pooler,
            pgbouncer=st.booleans(),
            pool_mode=st.sampled_from(["transaction", "session"]),
            default_pool_size=st.integers(1, 10),
            max_client_conn=st.sampled_from([3, 100]),
            query_wait_timeout=st.sampled_from([0.0, 0.1, 120.0]),
        )
    )
    return replace(scenario, failures=failures, pooler=pooler)


def simulate_small(scenario: Scenario, replication: int = 0) -> Trace:
    """Simulate with the same bound on requests, for users who fail and ask again at once."""
    with mock.patch("sim.engine.REQUESTS_MAX", REQUESTS_MAX * scenario.replications):
        return simulate(scenario, replication)


def ends_in_time(trace: Trace) -> bool:
    """Whether all is over before the world that can lose connections stops waiting."""
    return not any(at_s >= AFTER_S for at_s in (*trace.returned_s, *trace.released_s))
