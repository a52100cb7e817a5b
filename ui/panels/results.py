"""What the simulation says: five numbers with their uncertainty, and the charts."""

import streamlit as st

from sim.result import Estimate, SimulationResult
from sim.scenario import Scenario
from ui import charts
from ui.plot.chart import show
from ui.words import (
    NOTHING,
    count,
    duration,
    duration_interval,
    number,
    rate_interval,
    share,
    share_interval,
)


def metrics(scenario: Scenario, result: SimulationResult) -> None:
    """Show five numbers; under each its 95 % confidence interval."""
    with st.grid(5, min_column_width=150, gap="small"):
        if result.growth_per_s.value is None:
            _time("Wait, p99", result.wait_s.p99, "1 request in 100 waits longer for a connection.")
            _time("Wait, mean", result.wait_s.mean, "From asking for a connection to getting one.")
        else:
            _growth(result)
        _timeouts(result)
        _utilisation(scenario, result)
        _number(
            "Opened /s",
            number(result.opened_per_s.value or 0.0),
            rate_interval(result.opened_per_s),
            "Connections opened each second: each costs somebody the connect time.",
        )


def over_time(scenario: Scenario, result: SimulationResult) -> None:
    """Show connections and waiting requests over time."""
    st.header("Connections and waiting requests", anchor=False)
    show(charts.over_time(scenario, result), key="over-time")


def waits(result: SimulationResult) -> None:
    """Show how waits are distributed."""
    st.header("How long requests wait for a connection", anchor=False)
    show(charts.waits(result), key="waits")


def notes(scenario: Scenario, result: SimulationResult) -> None:
    """Show what limits these numbers."""
    for note in result.notes:
        st.caption(note)
    coming = scenario.replications - result.replications
    more = f", {coming} more under way" if coming > 0 else ""
    st.caption(
        f"{count(result.requests, 'request')} counted in"
        f" {count(result.replications, 'replication')}{more}."
        " Drag in a chart to zoom, double-click to see all of it again."
    )


def _time(label: str, one: Estimate, meaning: str) -> None:
    value = NOTHING if one.value is None else duration(one.value)
    under = "too few requests" if one.value is None else duration_interval(one)
    _number(label, value, under, meaning)


def _growth(result: SimulationResult) -> None:
    growth = result.growth_per_s
    meaning = "More requests come than are served: each second so many more wait."
    _number("Queue grows", f"{number(growth.value or 0.0)} /s", rate_interval(growth), meaning)
    longest = result.wait_s.max
    meaning = "The longest wait within this run. Of a growing queue, waits have no mean."
    _number("Wait, longest", duration(longest.value or 0.0), duration_interval(longest), meaning)


def _timeouts(result: SimulationResult) -> None:
    ratio = result.timeout_ratio
    value = NOTHING if ratio.value is None else share(ratio.value)
    meaning = f"Requests that got no connection in time: {count(result.timeouts, 'request')}."
    _number("Timeouts", value, share_interval(ratio), meaning)


def _utilisation(scenario: Scenario, result: SimulationResult) -> None:
    in_use = number(result.in_use_mean.value or 0.0)
    if scenario.capacity is None or result.utilisation.value is None:
        meaning = "Connections in use on average. This pool has no limit to compare with."
        _number("In use, mean", in_use, "no limit", meaning)
        return
    meaning = f"{in_use} of {scenario.capacity} connections in use on average."
    _number(
        "Utilisation", share(result.utilisation.value), share_interval(result.utilisation), meaning
    )


def _number(label: str, value: str, under: str, meaning: str) -> None:
    st.metric(
        label,
        value,
        delta=under,
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=f"{meaning} Below: its 95 % confidence interval.",
    )
