"""A live check as a command prints it: JSON for programs, a short table for people."""

import dataclasses
import json

from pools.live.compare import Comparison
from pools.live.fit import Fit
from pools.live.preflight import Facts, HttpFacts
from pools.live.report import LiveReport
from sim.query import to_query, to_values
from sim.result import Estimate

KEPT = ("taken_at", "server", "versions", "calibration", "client_cpu", "others", "notes")
DASH = "-"


def room(facts: Facts) -> str:
    """Say what a check will use of a server and what it leaves, before it starts."""
    if isinstance(facts, HttpFacts):
        return (
            f"It answers {facts.status} in {facts.answers.mean_s * 1e3:.3g} ms. A check asks at"
            " most 500 times, over at most 50 connections."
        )
    what = "a standby" if facts.is_standby else "not a standby"
    pooler = ", behind a pooler" if facts.is_pooled else ""
    return (
        f"PostgreSQL {facts.version}, {what}{pooler}: {facts.in_use} of {facts.max_connections}"
        f" connections in use, {facts.free_here} free for this role. A check uses at most"
        f" {facts.uses_most} of them ({facts.pool_most} for the pool, one to watch) and leaves at"
        f" least {facts.free - facts.uses_most} free."
    )


def as_json(report: LiveReport, compared: Comparison, fit: Fit) -> str:
    """Return everything, under the keys of the simulation."""
    data = report.as_json()
    return json.dumps(
        {
            "fits": fit.fits,
            "verdict": fit.sentence,
            "compared": [dataclasses.asdict(row) for row in fit.rows],
            "query": to_query(report.scenario),
            "scenario": to_values(report.scenario),
            "calibrated": to_query(report.calibrated),
            "measured": compared.measured.as_json(),
            "simulated": compared.simulated.as_json(),
            "replayed": compared.replayed.as_json(),
            "held_longer_s_mean": compared.held_longer_s_mean,
            "sentence": compared.sentence,
            "lag_s": dict(report.lag_s),
            **{name: data[name] for name in KEPT},
        },
        indent=2,
    )


def in_words(report: LiveReport, compared: Comparison, fit: Fit) -> str:
    """Return the verdict, a table and the costs."""
    runs = (compared.measured, compared.simulated, compared.replayed)
    rows: list[tuple[str, ...]] = [("", "measured", "simulated", "replayed")]
    rows += [
        (f"wait {name}, ms", *(_shown(getattr(run.wait_s, name), 1e3) for run in runs))
        for name in runs[0].wait_s.__slots__
    ]
    rows += [
        ("throughput, /s", *(_shown(run.throughput_per_s, 1.0) for run in runs)),
        ("utilisation, %", *(_shown(run.utilisation, 100.0) for run in runs)),
        ("timeouts", *(str(run.timeouts) for run in runs)),
        ("connections opened", *(str(run.connections_opened) for run in runs)),
    ]
    table = [f"{first:<20}" + "".join(f"{cell:>12}" for cell in rest) for first, *rest in rows]
    costs = ", ".join(
        f"{name.removesuffix('_ms').replace('_', ' ')} {value:.3g} ms"
        for name, value in report.calibration.in_ms().items()
    )
    server = f"{report.server.product} {report.server.version} ({report.server.provider})"
    said = (fit.sentence, compared.sentence)
    return "\n".join([*said, "", *table, "", f"{server}: {costs}", *report.notes])


def _shown(number: Estimate, scale: float) -> str:
    return DASH if number.value is None else f"{number.value * scale:.4g}"
