"""The page, top down: choose a pool and its load, see what happens, prove it, take the code.

Streamlit runs this file from top to bottom for each interaction. The page is a function of its
address: widgets are bound to it, one Scenario is made of them, and everything below is drawn
from that Scenario and its result.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pools.setting import InvalidSettings
from sim.recorded import Recording
from sim.result import SimulationResult
from sim.scenario import Scenario
from sim.verdict import verdict
from ui import controls, state
from ui.answer import Answer
from ui.panels import advice, compare, header, results
from ui.panels.accuracy import accuracy
from ui.panels.budget import budget
from ui.panels.checklist import checklist
from ui.panels.code import code
from ui.panels.library import library
from ui.panels.live import live
from ui.panels.preset import preset
from ui.panels.recording import recorded, say_empty
from ui.panels.review import review
from ui.panels.sensitivity import sensitivity
from ui.panels.share import share
from ui.panels.surer import add_if_asked, offer
from ui.panels.sweep import sweep


def choose(goal: advice.Place) -> tuple[Scenario | InvalidSettings, Recording | None]:
    """Draw the sidebar; return the scenario it describes, or what is wrong with it."""
    with st.sidebar:
        st.header("Pool", anchor=False)
        preset_place = st.container()
        choices = controls.kind_control()
        controls.pool_controls(choices)
        st.header("Workload", anchor=False)
        controls.load_controls(choices)
        recording_place = st.container()
        controls.other_controls(choices)
        advice.choose_goal(goal, choices)
        chosen = state.scenario_or_mistakes(choices.kind, choices.values)
        with preset_place:
            preset(chosen if isinstance(chosen, Scenario) else None)
        if isinstance(chosen, InvalidSettings):
            return chosen, None
        with recording_place:
            return recorded(chosen)


def see(scenario: Scenario, result: SimulationResult) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Show numbers, charts and code, charts first; return where numbers are, and the offer."""
    numbers, grid = st.empty(), st.grid(5, min_column_width=150)
    time, take, wait, limits = (grid.cell(column_span=span) for span in (3, 2, 3, 2))
    with time:
        results.over_time(scenario, result)
    with wait:
        results.waits(result)
    with numbers.container():
        results.metrics(scenario, result)
    with take:
        code(scenario, result)
    with limits:
        budget(scenario)
        results.notes(scenario, result)
        return numbers, offer(scenario, result)


def main() -> None:
    """Draw the page: controls, then what they lead to."""
    header.configure()
    state.arrive()
    top = st.container(horizontal=True, vertical_alignment="center", key="top")
    notice, said = st.container(), st.container()
    goal = advice.place()
    body = st.container()
    chosen, recording = choose(goal)
    with top:
        header.title()
    with notice:
        header.link_notice()
    if isinstance(chosen, InvalidSettings):
        with said:
            header.mistakes_box(chosen)
        return
    is_recorded = chosen.workload.pattern == "recorded"
    if is_recorded and recording is None:
        with said:
            say_empty()
        return
    answer, run = Answer(chosen, recording), chosen.without_goal
    with body:
        compare.comparison(run)
        places = see(run, answer.result)
        if not is_recorded:  # what these play is drawn from the address
            sensitivity(run)
            sweep(chosen)
            library(run)
        live(run)
        review(chosen)
        checklist(run, answer.result)
    with said:
        header.verdict_box(verdict(run, answer.result))
    if not is_recorded:
        advice.advice(goal, chosen)
    with top:
        accuracy()
        compare.pin_button(chosen)
        share(chosen)
    if answer.improved() or add_if_asked(run, *places):
        st.rerun()


main()
