"""What a live check hands back: one Trace, what it cost, on what, and what limits it.

No secret can be in it: it is made from measured numbers and our own sentences alone.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from pools.live.facts import Calibration, ServerFacts, trace_as_json, trace_from_json
from pools.live.plan import HOLD_S_MAX, Plan
from pools.trace import Trace
from sim.query import parse, to_query
from sim.scenario import Scenario
from sim.worker import Worker

CLIENT_CPU_MAX = 0.85
LAG_P99_S_MAX = 0.010
PACED_S_MAX = 0.1
PLAIN = ("versions", "taken_at", "client_cpu", "late_s", "others", "hold_s_max", "paced_s")
CONNECT_ROUND_TRIPS = {"database": 5, "http": 1}


@dataclass(frozen=True, slots=True)
class LiveReport:
    """One finished live check.

    `scenario` is what was run, within the caps that `notes` name; `client_cpu` is the share
    of one core the load generator used; `late_s` how long after its scheduled instant it
    started each request; `others` counts unexpected exceptions by class; no hold was asked to be
    longer than `hold_s_max`; `paced_s` is how long connects waited for this check's own limit.
    """

    scenario: Scenario
    trace: Trace
    server: ServerFacts
    calibration: Calibration
    versions: Mapping[str, str]
    taken_at: str
    notes: tuple[str, ...]
    client_cpu: float
    late_s: tuple[float, ...]
    others: Mapping[str, int]
    hold_s_max: float = HOLD_S_MAX
    paced_s: float = 0.0

    @property
    def lag_s(self) -> Mapping[str, float]:
        """How late requests started: p50, p99 and max, in seconds."""
        ordered = sorted(self.late_s) or [0.0]
        last = len(ordered) - 1
        return {"p50": ordered[last // 2], "p99": ordered[last * 99 // 100], "max": ordered[last]}

    @property
    def client_was_saturated(self) -> bool:
        """Whether the client itself was too busy or too late to judge a pool."""
        return self.client_cpu > CLIENT_CPU_MAX or self.lag_s["p99"] > LAG_P99_S_MAX

    @property
    def calibrated(self) -> Scenario:
        """The scenario with what was measured: round trip, connect, overhead, entry, handover."""
        trips = CONNECT_ROUND_TRIPS[self.scenario.pool.serves]
        rtt_s = self.calibration.rtt.median_s
        connect_s = max(0.0, self.calibration.connect.median_s - trips * rtt_s)
        server = dataclasses.replace(
            self.scenario.server, rtt_s=round(rtt_s, 6), connect_s=round(connect_s, 6)
        )
        return dataclasses.replace(self.scenario, server=server, worker=self._worker(rtt_s))

    def _worker(self, rtt_s: float) -> Worker:
        """Return the lags near the load; holds have their round trips anyway."""
        lags = self.calibration.lags
        if lags is None:
            return self.scenario.worker
        overhead_s = lags.overhead_s - self.scenario.pool.hold_round_trips * rtt_s
        return Worker(
            overhead_s=round(max(0.0, overhead_s), 6),
            entry_s=round(max(0.0, lags.entry_s), 6),
            handover_s=round(max(0.0, lags.handover_s), 6),
        )

    def warnings(self) -> Iterator[str]:
        """Yield what makes these numbers worth less, in sentences."""
        if self.client_cpu > CLIENT_CPU_MAX:
            yield (
                f"The client used {self.client_cpu:.0%} of its core: it was saturated itself, so"
                " these waits do not judge the pool. Lower the rate."
            )
        if self.lag_s["p99"] > LAG_P99_S_MAX:
            yield (
                f"The client started 1 request in 100 more than {self.lag_s['p99'] * 1e3:.0f} ms"
                " late: this machine was busy, so these waits do not judge the pool."
            )
        if self.paced_s > PACED_S_MAX:
            yield (
                f"Connects waited {self.paced_s:.1f} s in all for this check's own limit of 10 a"
                " second; some of that is in the waits."
            )
        for name, count in self.others.items():
            yield f"{count} requests failed with {name}."

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` reads them back."""
        plain = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name in PLAIN
        }
        return plain | {
            "scenario": to_query(self.scenario),
            "trace": trace_as_json(self.trace),
            "server": dataclasses.asdict(self.server),
            "calibration": dataclasses.asdict(self.calibration),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        return cls(
            scenario=parse(data["scenario"]),
            trace=trace_from_json(data["trace"]),
            server=ServerFacts(**data["server"]),
            calibration=Calibration.from_json(data["calibration"]),
            versions=data["versions"],
            taken_at=data["taken_at"],
            notes=tuple(data["notes"]),
            client_cpu=data["client_cpu"],
            late_s=tuple(data["late_s"]),
            others=data["others"],
            hold_s_max=data["hold_s_max"],
            paced_s=data["paced_s"],
        )


def report_of(planned: Plan, result: Mapping[str, Any]) -> LiveReport:
    """Make the report of a plan from the result message of the child."""
    report = LiveReport(
        scenario=planned.scenario,
        trace=trace_from_json(result["trace"]),
        server=ServerFacts(**result["server"]),
        calibration=Calibration.from_json(result["calibration"]),
        versions=result["versions"],
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=planned.notes,
        client_cpu=result["client_cpu"],
        late_s=tuple(result["late_s"]),
        others=result["others"],
        hold_s_max=planned.hold_s_max,
        paced_s=result.get("paced_s", 0.0),
    )
    return dataclasses.replace(report, notes=(*report.notes, *report.warnings()))
