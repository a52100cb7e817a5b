"""The page, top down: choose a pool and its load, see what happens, prove it, take the code.

Streamlit runs this file from top to bottom for each interaction. The page is a function of its
address: widgets are bound to it, one Scenario is made of them, and everything below is drawn
from that Scenario and its result.
"""

import streamlit as st

from pools.setting import InvalidSettings, Value
from sim.query import KIND, parse, to_query
from sim.result import SimulationResult
from sim.run import run
from sim.scenario import Scenario
from sim.verdict import verdict
from ui import controls, state
from ui.panels import header, results
from ui.panels.budget import budget
from ui.panels.code import code
from ui.panels.library import library
from ui.panels.live import live
from ui.panels.preset import preset
from ui.panels.share import share

ABOUT = """**Poolwise** simulates Python connection pools, checks them live and writes their code.
It runs on this machine and asks nothing of any other."""


@st.cache_data(max_entries=500, show_spinner=False)
def simulated(query: str) -> SimulationResult:
    """Run a scenario, or return the answer that some session already has.

    The key is the query: a Scenario's hash in Streamlit loses the class of its pool.
    """
    return run(parse(query), tick=state.still_wanted)


def choose() -> Scenario | InvalidSettings:
    """Draw the sidebar; return the scenario it describes, or what is wrong with it."""
    st.header("Pool", anchor=False)
    preset_place = st.container()
    kind = controls.kind_control()
    values: dict[str, Value] = {KIND.query: kind}
    controls.pool_controls(kind, values)
    st.header("Workload", anchor=False)
    controls.load_controls(kind, values)
    controls.other_controls(kind, values)
    chosen = state.scenario_or_mistakes(kind, values)
    with preset_place:
        preset(chosen if isinstance(chosen, Scenario) else None)
    return chosen


def see(scenario: Scenario, result: SimulationResult) -> None:
    """Show the numbers, the charts and the code beside them."""
    results.metrics(scenario, result)
    grid = st.grid(5, min_column_width=150)
    with grid.cell(column_span=3):
        results.over_time(scenario, result)
    with grid.cell(column_span=2):
        code(scenario)
    with grid.cell(column_span=3):
        results.waits(result)
    with grid.cell(column_span=2):
        budget(scenario)
        results.notes(result)


def main() -> None:
    """Draw the page."""
    st.set_page_config(
        page_title="Poolwise: Python connection pools",
        page_icon=str(header.MARK),
        layout="wide",
        initial_sidebar_state=340,
        menu_items={"About": ABOUT},
    )
    state.arrive()
    top = st.container(horizontal=True, vertical_alignment="center", key="top")
    notice, said, body = st.container(), st.container(), st.container()
    with st.sidebar:
        chosen = choose()
    with top:
        header.title()
    with notice:
        header.link_notice()
    if isinstance(chosen, InvalidSettings):
        with said:
            header.mistakes_box(chosen)
        return
    with top:
        share(chosen)
    result = simulated(to_query(chosen))
    with said:
        header.verdict_box(verdict(chosen, result))
    with body:
        see(chosen, result)
        library(chosen)
        live(chosen)


main()
