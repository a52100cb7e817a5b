"""Make an answer surer: replications are added until the p99 wait is known well, watched.

Nothing is added unless the button is pressed. What was found becomes the page's answer to these
settings. A click anywhere ends it, as Cancel does.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sim.kernel.ready import trace_of
from sim.precise import Budget, Reached, Target, half_ratio, steps
from sim.query import to_query
from sim.result import SimulationResult
from sim.scenario import Scenario
from ui import state
from ui.answer import keep
from ui.panels import results
from ui.words import count, share

_ASKED = "_surer"
TARGET = Target(of="p99", ratio=0.05)
BUDGET = Budget(wall_s=20.0)


def offer(scenario: Scenario, result: SimulationResult) -> DeltaGenerator:
    """Offer to add replications, where more would make the p99 wait surer; return the place."""
    place = st.empty()
    half = half_ratio(result.wait_s.p99)
    is_known = half is not None and half <= TARGET.ratio
    has_no_more = scenario.workload.pattern == "recorded" or result.requests == 0
    if is_known or has_no_more or result.growth_per_s.value is not None:
        return place
    place.button(
        f"Make p99 sure within {share(TARGET.ratio)}",
        key="surer",
        type="tertiary",
        icon=":material/add_notes:",
        help=f"{_known(result)}. Adds replications for up to {BUDGET.wall_s:g} s.",
        on_click=state.remember,
        args=(_ASKED, to_query(scenario)),
    )
    return place


def add_if_asked(scenario: Scenario, numbers: DeltaGenerator, place: DeltaGenerator) -> bool:
    """Add replications if that was asked for these settings, the numbers changing as they come.

    Progress and Cancel stand in `place`. Return whether there is a surer answer now.
    """
    query = to_query(scenario)
    is_asked = state.recall(_ASKED) == query
    state.remember(_ASKED, None)
    if not is_asked:
        return False
    with place.container():
        progress = st.progress(0.0, text="Adding replications")
        st.button("Cancel", key="surer-cancel")
    for reached in steps(scenario, TARGET, BUDGET, state.still_wanted, trace_of):
        with numbers.container():
            results.metrics(scenario, reached.result)
        done = count(reached.result.replications, "replication")
        progress.progress(_share_done(reached), text=f"{_known(reached.result)} after {done}")
        keep(query, reached.result)
    return True


def _share_done(reached: Reached) -> float:
    """Return how much of the work is done: an interval shrinks with the square root of it."""
    return min(1.0, (TARGET.ratio / reached.half_ratio) ** 2) if reached.half_ratio else 0.0


def _known(result: SimulationResult) -> str:
    half = half_ratio(result.wait_s.p99)
    return "p99 is not known yet" if half is None else f"p99 is known within {share(half)}"
