"""What a live check measured, taken over into the settings with one press."""

from dataclasses import replace

import streamlit as st

from pools.live.durations import InvalidDurations, durations
from pools.live.preflight import PostgresFacts, Spread
from pools.live.report import LiveReport
from pools.setting import settings_of
from sim.scenario import Scenario
from sim.worker import Worker
from ui import controls, state
from ui.panels.live_target import Known
from ui.words import duration, number

UNITS = {"ms": 1e-3, "s": 1.0}
COSTS = frozenset({"rtt_s", "connect_s", "overhead_s", "entry_s", "handover_s"})
HOLD_S_LOW, HOLD_S_HIGH, CV_HIGH = 0.0001, 60.0, 5.0


def with_costs(scenario: Scenario, report: LiveReport) -> Scenario:
    """Return a scenario with the round trip, connect time and overhead that were measured."""
    measured = report.calibrated
    server = replace(
        scenario.server, rtt_s=measured.server.rtt_s, connect_s=measured.server.connect_s
    )
    known = measured.worker != Worker()
    return replace(scenario, server=server, worker=measured.worker if known else scenario.worker)


def is_adopted(scenario: Scenario, wanted: Scenario) -> bool:
    """Whether a scenario holds the costs wanted, as exactly as its widgets can."""
    pairs = ((scenario.server, wanted.server), (scenario.worker, wanted.worker))
    return all(
        abs(getattr(have, name) - getattr(want, name)) <= (known.step or 0.0) * known.scale
        for have, want in pairs
        for name, known in settings_of(type(want)).items()
        if name in COSTS
    )


def with_holds(scenario: Scenario, spread: Spread) -> Scenario:
    """Return a scenario whose holds last as long as was measured, within their bounds."""
    load = replace(
        scenario.workload,
        hold_distribution="auto",
        hold_given="mean",
        hold_s_mean=round(min(max(spread.mean_s, HOLD_S_LOW), HOLD_S_HIGH), 7),
        hold_cv=round(min(spread.cv, CV_HIGH), 2),
    )
    return replace(scenario, workload=load)


def adopt_costs(scenario: Scenario, report: LiveReport) -> None:
    """Offer to take the costs over."""
    wanted = with_costs(scenario, report)
    server = wanted.server
    label = f"Adopt measured costs: round trip {duration(server.rtt_s)}"
    label += f", connect {duration(server.connect_s)}"
    if is_adopted(scenario, wanted):
        st.caption("The settings hold the measured costs.")
    elif st.button(label, key="live-adopt", on_click=state.apply, args=(wanted, controls.spelt)):
        st.rerun()


def adopt_holds(scenario: Scenario, one: Known | None) -> None:
    """Offer hold times from the server's own statistics, or from a file."""
    if one and isinstance(one.facts, PostgresFacts) and one.facts.statements:
        _offer(scenario, one.facts.statements, "of pg_stat_statements", "live-adopt-statements")
    with st.expander("Hold times from a file of durations", key="live-durations"):
        unit = st.segmented_control("Unit", list(UNITS), default="ms", key="live-durations-unit")
        sent = st.file_uploader("One duration a line, or a CSV", ["csv", "txt"], key="live-csv")
        if sent is None:
            return
        try:
            spread = durations(sent.getvalue(), unit_s=UNITS[unit or "ms"])
        except InvalidDurations as wrong:
            st.error(str(wrong))
        else:
            _offer(scenario, spread, "of the file", "live-adopt-durations")


def _offer(scenario: Scenario, spread: Spread, of_what: str, key: str) -> None:
    wanted = with_holds(scenario, spread)
    label = f"Use the times {of_what} as holds: mean {duration(spread.mean_s)}"
    label += f", cv {number(spread.cv)}, of {spread.n}"
    if wanted != scenario and st.button(
        label, key=key, on_click=state.apply, args=(wanted, controls.spelt)
    ):
        st.rerun()
