"""Compare: a pinned scenario A beside the one on the page, B, under the same load.

A stands in the address as its shortest query, so a link holds both. Without a pin the panel
draws nothing and nothing is simulated for it.
"""

import streamlit as st

from sim.compare import Comparison, Played, compare, play
from sim.query import to_query
from sim.scenario import Scenario
from ui import charts, controls, state
from ui.panels import compare_words as words
from ui.plot.chart import show
from ui.words import count

_KEPT_MAX = 16


def pin_button(scenario: Scenario) -> None:
    """Offer to pin what is on the page, or to let A and B change places, or to stop."""
    pinned = state.pinned()
    if pinned is None:
        st.button(
            "Pin as A",
            key="pin",
            on_click=state.pin,
            args=(scenario,),
            help="Keep these settings as A, change some, and see how B differs.",
        )
        return
    st.button(
        "Swap A and B", key="swap", on_click=state.swap, args=(pinned, scenario, controls.spelt)
    )
    st.button("Unpin", key="unpin", on_click=state.unpin)


def comparison(scenario: Scenario) -> None:
    """Show how the page's scenario differs from the pinned one."""
    pinned = state.pinned()
    if pinned is None:
        return
    with st.container(border=True, key="compare-panel"):
        st.header("A, pinned, and B, on the page", anchor=False)
        if pinned.without_goal == scenario.without_goal:
            st.caption("A and B are the same. Change a setting, and this shows what it changes.")
            return
        _shown(_compared(to_query(pinned.without_goal), to_query(scenario), pinned, scenario))


def _shown(found: Comparison) -> None:
    sentence, others = words.headline(found)
    st.markdown(f"**{sentence}** {others}")
    grid = st.grid(5, min_column_width=150)
    numbers, settings = grid.cell(column_span=3), grid.cell(column_span=2)
    time, wait = grid.cell(column_span=3), grid.cell(column_span=2)
    with numbers:
        st.table(words.differences(found))
    with settings:
        st.table(words.settings(found))
    with time:
        figure = charts.compared_over_time(found.a.timeline, found.b.timeline, found.window.start_s)
        show(figure, key="compare-over-time")
    with wait:
        show(charts.compared_waits(found.a.survival, found.b.survival), key="compare-waits")
    st.caption(
        f"{count(found.replications, 'replication')} of each, with the same arrivals and holds"
        f" where the load is the same, counted from {found.window.start_s:g} to"
        f" {found.window.end_s:g} s. In brackets: 95 % intervals of the difference."
    )


# The key is the query: a Scenario's hash in Streamlit loses the class of its pool.
@st.cache_resource(max_entries=_KEPT_MAX, show_spinner=False)
def _played(query: str, _scenario: Scenario) -> Played:  # noqa: ARG001
    return play(_scenario, tick=state.still_wanted)


@st.cache_resource(max_entries=_KEPT_MAX, show_spinner=False)
def _compared(a: str, b: str, _pinned: Scenario, _scenario: Scenario) -> Comparison:
    return compare(_played(a, _pinned.without_goal), _played(b, _scenario.without_goal))
