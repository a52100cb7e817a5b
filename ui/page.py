"""The page, top down: choose a pool and its load, see what happens, prove it, take the code.

Streamlit runs this file from top to bottom for each interaction. The page is a function of its
address: widgets are bound to it, one Scenario is made of them, and everything below is drawn
from that Scenario and its result.
"""

import streamlit as st

from pools.setting import InvalidSettings, Value
from sim.query import KIND
from sim.result import SimulationResult
from sim.scenario import Scenario
from sim.verdict import verdict
from ui import controls, state
from ui.answer import Answer
from ui.panels import advice, header, results
from ui.panels.budget import budget
from ui.panels.checklist import checklist
from ui.panels.code import code
from ui.panels.library import library
from ui.panels.live import live
from ui.panels.preset import preset
from ui.panels.review import review
from ui.panels.share import share
from ui.panels.sweep import sweep

ABOUT = """**Poolwise** simulates Python connection pools, checks them live and writes their code.
It runs on this machine and asks nothing of any other."""


def choose(goal: advice.Place) -> Scenario | InvalidSettings:
    """Draw the sidebar; return the scenario it describes, or what is wrong with it."""
    with st.sidebar:
        st.header("Pool", anchor=False)
        preset_place = st.container()
        kind = controls.kind_control()
        values: dict[str, Value] = {KIND.query: kind}
        controls.pool_controls(kind, values)
        st.header("Workload", anchor=False)
        controls.load_controls(kind, values)
        controls.other_controls(kind, values)
        advice.choose_goal(goal, kind, values)
        chosen = state.scenario_or_mistakes(kind, values)
        with preset_place:
            preset(chosen if isinstance(chosen, Scenario) else None)
    return chosen


def see(scenario: Scenario, result: SimulationResult) -> None:
    """Show the numbers, the charts and the code beside them; charts are sent first."""
    numbers, grid = st.container(), st.grid(5, min_column_width=150)
    time, take, wait, limits = (grid.cell(column_span=span) for span in (3, 2, 3, 2))
    with time:
        results.over_time(scenario, result)
    with wait:
        results.waits(result)
    with numbers:
        results.metrics(scenario, result)
    with take:
        code(scenario, result)
    with limits:
        budget(scenario)
        results.notes(scenario, result)


def main() -> None:
    """Draw the page: controls, then what they lead to."""
    st.set_page_config(
        page_title="Poolwise: Python connection pools",
        page_icon=str(header.MARK),
        layout="wide",
        initial_sidebar_state=340,
        menu_items={"About": ABOUT},
    )
    state.arrive()
    top = st.container(horizontal=True, vertical_alignment="center", key="top")
    notice, said = st.container(), st.container()
    goal = advice.place()
    body = st.container()
    chosen = choose(goal)
    with top:
        header.title()
    with notice:
        header.link_notice()
    if isinstance(chosen, InvalidSettings):
        with said:
            header.mistakes_box(chosen)
        return
    answer, run = Answer(chosen), chosen.without_goal
    with body:
        see(run, answer.result)
        sweep(chosen)
        library(run)
        live(run)
        review(chosen)
        checklist(run, answer.result)
    with said:
        header.verdict_box(verdict(run, answer.result))
    advice.advice(goal, chosen)
    with top:
        share(chosen)
    if answer.improved():
        st.rerun()


main()
