"""Find the settings: a goal, one press, and the cheapest settings that meet it, with proof.

Nothing is searched unless the button is pressed. A search belongs to the session that asked for
it and ends with the session. While the panel is closed and no goal is set it draws nothing.
"""

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sim.advise import Recommendation
from sim.scenario import Goal, Scenario
from ui import controls, held, state
from ui.advising import Advising
from ui.panels import advice_words as words
from ui.words import plain

_JOB = "_advice"
_OPEN = "_advice_open"
_SEEN = "_advice_seen"
REDRAW_S = 0.4
CANCEL_WAIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Place:
    """The panel's place on the page, and whether anybody looks at it."""

    box: DeltaGenerator
    is_open: bool


def place() -> Place:
    """Make the panel's place: open if the link came with a goal."""
    if state.recall(_OPEN) is None:
        state.remember(_OPEN, state.has_goal())
    box = st.expander(
        "Find the settings that meet a goal",
        expanded=bool(state.recall(_OPEN)),
        key="advice",
        on_change="rerun",
    )
    return Place(box, bool(box.open))


def choose_goal(where: Place, chosen: controls.Choices) -> None:
    """Draw the goal's controls, if anybody looks or a goal is set."""
    if where.is_open or chosen.has_set(controls.names_of(Goal)):
        with where.box:
            controls.goal_controls(chosen)


def advice(where: Place, scenario: Scenario) -> None:
    """Show the search: before, while and after it runs."""
    if not where.is_open:
        return
    job: Advising | None = state.recall(_JOB)
    every = REDRAW_S if job and not job.is_over else None
    with where.box:
        st.fragment(_panel, run_every=every, key="advice-panel")(scenario)


def _panel(scenario: Scenario) -> None:
    job: Advising | None = state.recall(_JOB)
    if job and not job.is_over:
        _progress(job)
        return
    if job and state.recall(_SEEN) is not job:
        state.remember(_SEEN, job)
        st.rerun()  # the whole page: only so does the fragment stop redrawing itself
    if not scenario.goal.is_asked:
        _suggestion(scenario)
        return
    st.markdown(plain(words.wanted(scenario)))
    if st.button("Find the settings", key="advice-find", type="primary"):
        _start(scenario)
    if job:
        _ending(job, scenario)


def _suggestion(scenario: Scenario) -> None:
    st.markdown(words.EMPTY)
    goal = words.suggested(scenario)
    wanted = replace(scenario, goal=goal)
    label = f"Begin with p99 wait of {goal.wait_s_p99_max * 1000:g} ms and 0.1 % failing"
    st.button(label, key="advice-suggest", on_click=state.apply, args=(wanted, controls.spelt))


def _start(scenario: Scenario) -> None:
    held.end(_JOB)
    search = held.hold(_JOB, Advising(scenario))
    state.remember(_JOB, search)
    search.start()
    st.rerun()


def _progress(search: Advising) -> None:
    waiting = "Waiting for another search to end"
    tried = tuple(search.tried)
    text = waiting if search.state == "waiting" else words.progress_line(tried)
    st.progress(words.progress(tried), text=plain(text))
    if st.button("Cancel", key="advice-cancel"):
        search.cancel()
        search.wait(CANCEL_WAIT_S)
        st.rerun()


def _ending(search: Advising, scenario: Scenario) -> None:
    if search.problem:
        st.error(plain(search.problem), title="The search ended without an answer")
    elif search.state == "cancelled":
        st.info("Cancelled. Nothing has changed.")
    elif search.advice is not None:
        _result(search.advice, scenario)


def _result(found: Recommendation, scenario: Scenario) -> None:
    if scenario not in (found.asked, found.scenario):
        st.warning("Settings have changed since. This answer is for the settings asked about.")
    if found.proof is None:
        _impossible(found)
    else:
        _answer(found, scenario)
    with st.expander(f"The evidence: {len(found.rows)} settings tried", key="advice-evidence"):
        st.table(words.evidence(found))
        st.caption(
            "Held: connections of the whole fleet at most; idle: while nothing is asked. Shares"
            " have 95 % bounds on each side. All settings met the same requests."
        )


def _answer(found: Recommendation, scenario: Scenario) -> None:
    st.success("  \n".join(map(plain, words.proof(found))), title=words.headline(found))
    if scenario == found.scenario:
        st.caption("These settings are in force.")
    else:
        st.button(
            "Use these",
            key="advice-use",
            on_click=state.apply,
            args=(found.scenario, controls.spelt),
        )
    st.markdown("**Why each value**")
    st.table(words.reasons(found))
    st.markdown("**What rules of thumb would have said**, in connections of each pool")
    st.table(words.rules_of_thumb(found))


def _impossible(found: Recommendation) -> None:
    st.warning(plain(found.why_not), title=words.headline(found))
    if not found.levers:
        st.markdown("Nothing that was tried outside the pool would do either.")
        return
    st.markdown("**What would do**")
    for number, lever in enumerate(found.levers):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(lever.sentence), width="stretch")
            st.button(
                f"Try {lever.name}",
                key=f"advice-lever-{number}",
                on_click=state.apply,
                args=(lever.scenario, controls.spelt),
            )
