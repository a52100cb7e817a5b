"""Everything a template sees: a scenario's values, each with its reason."""

import math
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from pools.codegen.options import Options
from pools.codegen.reason import SCENARIO, Reason, Value, by_rule
from pools.codegen.target import releases
from pools.codegen.thresholds import thresholds
from pools.codegen.timeouts import (
    CHOICE,
    CLIENT_MARGIN_S,
    server_settings,
    server_settings_ms,
    timeout_values,
    timeouts,
)
from pools.codegen.variables import variables
from pools.codegen.view import PoolView, View
from pools.kinds import KINDS, AsyncpgPool, Pool
from sim.result import SimulationResult
from sim.scenario import Scenario

# Beside the scenario's pool, the others must cost nothing until used and never hang.
ASYNCPG_BESIDE = AsyncpgPool(min_size=0, acquire_timeout=30.0)
COMPANIONS: Mapping[str, Pool] = {"asyncpg": ASYNCPG_BESIDE}
COMPANION = "a pool beside the scenario's: opens nothing until used, never hangs"
PARTS: Mapping[str, str] = {"sqlalchemy": "engine", "sqlalchemy-null": "engine"}
SURGE_SHARE = 0.25
PRE_STOP_S = 5
GRACE_S = 30
METRICS_PORT = 9100
LABEL_CHARS_MAX = 50


def context_for(
    scenario: Scenario, options: Options, result: SimulationResult | None, head: str
) -> dict[str, Any]:
    """Return what templates see, by name."""
    pool, made = scenario.pool, timeouts(scenario)
    return {
        "chosen": pool.name,
        "part": PARTS.get(pool.name, pool.name),
        "serves": pool.serves,
        "pool": PoolView(pool),
        "pools": _pools(pool),
        "timeouts": SimpleNamespace(
            **timeout_values(made),
            **server_settings_ms(made),
            server_settings=server_settings(made),
        ),
        "server": View(scenario.server),
        "fleet": _fleet(scenario),
        "rules": _rules(scenario, options.service, made.drain_s, made.command_s),
        "lines": SimpleNamespace(**thresholds(scenario, result)),
        "head": by_rule("head", head, "What the code is written for, and when.", CHOICE),
        "python": options.python_version,
        "series": _series(options, pool),
        "service": _named(options.service, options.service),
        "label": _named(_label(options.service), options.service),
        "variables": variables(pool, made),
        # What a target switches on before it includes a part.
        "own": {},
        "from_settings": False,
        "measured": False,
        "traced": False,
        "bouncer": False,
    }


def _pools(chosen: Pool) -> dict[str, PoolView]:
    """Return a pool for every kind: the chosen one, and companions for the others."""
    others = {
        name: PoolView(COMPANIONS.get(name) or kind(), source=COMPANION)
        for name, kind in KINDS.items()
    }
    return others | {chosen.name: PoolView(chosen)}


def _series(options: Options, pool: Pool) -> SimpleNamespace:
    named = {name.replace("-", "_"): options.release(name, pool).series for name in releases()}
    return SimpleNamespace(**named)


def _fleet(scenario: Scenario) -> SimpleNamespace:
    """Return the fleet's values; `surge` is how many replicas a rolling deploy adds."""
    seen = View(scenario.fleet)
    surge = math.ceil(SURGE_SHARE * scenario.fleet.replicas)
    return SimpleNamespace(
        replicas=seen.replicas,
        workers=seen.workers,
        other_connections=seen.other_connections,
        surge=by_rule(
            "surge",
            surge,
            f"{SURGE_SHARE:.0%} of the replicas, rounded up: old and new pods overlap.",
            "Kubernetes, Deployment: maxSurge defaults to 25 %",
        ),
        capacity=Value(
            scenario.pool.capacity,
            Reason("capacity", SCENARIO, "The most connections of one pool.", "the scenario"),
        ),
        # Sizes of a budget that holds: the pools of all replicas, those of a deploy too.
        total=None
        if scenario.pool.capacity is None
        else scenario.pool.capacity * scenario.fleet.workers * (scenario.fleet.replicas + surge)
        + scenario.fleet.other_connections,
        slots=scenario.server.slots,
    )


def _rules(scenario: Scenario, service: str, drain_s: float, command_s: float) -> SimpleNamespace:
    """Return values that follow from a rule alone, and PgBouncer's."""
    hold_s = scenario.workload.held_s_mean
    grace_s = PRE_STOP_S + GRACE_S + math.ceil(drain_s) + 15
    said = {
        "hold_s_max": (
            float(f"{max(1.0, 10.0 * hold_s):.6g}"),
            "10 x the mean hold, at least 1 s: a connection held longer is worth a look.",
        ),
        "watch_s": (5.0, "Often enough to see a leak before the pool is empty."),
        "attempts": (3, "The first and two more; the third failure is no accident."),
        "retry_s": (10.0, "Attempts and pauses together: about a fail-over."),
        "metrics_port": (METRICS_PORT, "The first of one port for each worker process."),
        "pre_stop_s": (PRE_STOP_S, "Until load balancers have heard that the pod is going."),
        "grace_s": (GRACE_S, "How long uvicorn waits for requests in flight."),
        "termination_s": (
            grace_s,
            "The pause before the stop, requests in flight, work in flight, and closing.",
        ),
        "probe_s": (2, "Above the readiness check's own timeout of 1 s."),
        "budget_line": (
            max(1, math.floor(0.9 * (scenario.server.slots - scenario.fleet.other_connections))),
            "90 % of max_connections less reserved and others'.",
        ),
        "none": (0, "None: opened when needed."),
        "as_min_size": (None, "None: as min_size."),
        "margin_s": (CLIENT_MARGIN_S, "The server gives up first, so the connection survives."),
        "service_workers": (
            min(scenario.pool.capacity or 10, 100),
            "As many as the pool has connections; 10 if it has no limit.",
        ),
        "image": (f"{_label(service)}:latest", "The service's name; put your image in its place."),
        "analytics_size": (2, "Reports are few and long: two at a time, no overflow."),
        "analytics_s": (300.0, "Reports may take minutes; they have an engine of their own."),
    }
    made = {name: by_rule(name, plain, why, CHOICE) for name, (plain, why) in said.items()}
    made |= _dashboard(service, hold_s)
    made["asyncpg_start"] = _asyncpg_start(scenario.pool)
    return SimpleNamespace(**made, **_bouncer(scenario, command_s))


def _dashboard(service: str, hold_s: float) -> dict[str, Value]:
    uid = f"pools-{_label(service)}"[:40]
    return {
        "dashboard_uid": by_rule("uid", uid, "At most 40 characters.", "Grafana, dashboard JSON"),
        "dashboard_title": _named(f"Connection pools of {service}", service),
        "hold_s_mean": Value(
            hold_s, Reason("hold_s_mean", SCENARIO, "The scenario's mean hold.", "the scenario")
        ),
    }


def _asyncpg_start(pool: Pool) -> Value:
    """Return min_size as asyncpg meant it before 0.32: what is opened at start."""
    asked = pool if isinstance(pool, AsyncpgPool) else ASYNCPG_BESIDE
    start = asked.connections_at_start
    is_default = start == AsyncpgPool().min_size
    why = "Connections opened at start: init_size, or min_size if that is unset."
    source = "asyncpg 0.31, create_pool"
    return Value(start, Reason("min_size", SCENARIO, why, source, is_default=is_default))


def _bouncer(scenario: Scenario, command_s: float) -> dict[str, Value]:
    """Return PgBouncer's sizes: never more server connections than the database leaves."""
    fleet, server = scenario.fleet, scenario.server
    room = max(1, server.slots - fleet.other_connections)
    reserve = min(5, room - 1)
    wanted = scenario.capacity or room
    clients = wanted + math.ceil(SURGE_SHARE * fleet.replicas) * fleet.workers * (
        scenario.pool.capacity or room
    )
    wait_s = min(scenario.pool.wait_s_max or 30.0, command_s / 2.0)
    said = {
        "bouncer_pool_size": (
            max(1, min(wanted, room - reserve)),
            f"The fleet's {wanted} at most, within what max_connections leaves ({room}).",
        ),
        "bouncer_reserve": (reserve, "For callers that have waited 5 s."),
        "bouncer_most": (room, "max_connections less reserved and others'."),
        "bouncer_clients": (
            max(100, 2 * clients),
            "2 x the fleet's pools with a deploy's surge: a client costs 2 kB, not a process.",
        ),
        "bouncer_wait_s": (
            max(1, math.ceil(wait_s)),
            "The pool's own timeout, at most half of command_timeout: the error then says why.",
        ),
    }
    source = "PgBouncer 1.18 manual; " + CHOICE
    return {name: by_rule(name, plain, why, source) for name, (plain, why) in said.items()}


def _named(text: str, service: str) -> Value:
    return Value(text, Reason("service", SCENARIO, f"The service's name, {service!r}.", "chosen"))


def _label(service: str) -> str:
    """Return a name that Kubernetes and Compose accept: lower-case ASCII, digits, hyphens."""
    kept = re.sub(r"[^a-z0-9]+", "-", service.lower())[:LABEL_CHARS_MAX].strip("-")
    return kept if kept[:1].isalpha() else f"s-{kept}".strip("-")
