"""The fleet's budget: what all pools together may open, against what the server allows."""

import streamlit as st

from sim.scenario import Scenario
from ui.words import count


def budget(scenario: Scenario) -> None:
    """Say in words whether the fleet fits the server's max_connections."""
    st.header("Connection budget", anchor=False)
    if scenario.pool.serves != "database":
        st.markdown(_http(scenario))
        return
    level, sentence = sentence_of(scenario)
    st.markdown(_sum(scenario))
    if level == "fits":
        st.caption(sentence)
    else:
        st.warning(sentence)


def sentence_of(scenario: Scenario) -> tuple[str, str]:
    """Return `fits` or `over`, and the sentence with the numbers."""
    allowed = scenario.server.max_connections
    wanted = needed(scenario)
    if wanted is None:
        return "over", (
            f"This pool has no limit, so nothing keeps the fleet within max_connections"
            f" ({allowed})."
        )
    if wanted > allowed:
        return "over", (
            f"That is {wanted - allowed} more than max_connections ({allowed}): under load the"
            " server refuses what is above. Make pools smaller, or raise max_connections."
        )
    return "fits", f"Within max_connections ({allowed}), {allowed - wanted} to spare."


def needed(scenario: Scenario) -> int | None:
    """Return the most connections the server may be asked for, or None without a limit."""
    capacity = scenario.capacity
    if capacity is None:
        return None
    return capacity + scenario.fleet.other_connections + scenario.server.reserved


def _sum(scenario: Scenario) -> str:
    fleet, each = scenario.fleet, scenario.pool.capacity
    of_each = "no limit" if each is None else count(each, "connection")
    wanted = needed(scenario)
    total = "" if wanted is None else f" = **{wanted}** of {scenario.server.max_connections}"
    return (
        f"{count(fleet.replicas, 'replica')} × {count(fleet.workers, 'worker')} × {of_each}"
        f" + {fleet.other_connections} others + {scenario.server.reserved} reserved{total}"
    )


def _http(scenario: Scenario) -> str:
    fleet, each = scenario.fleet, scenario.pool.capacity
    of_each = "no limit" if each is None else count(each, "connection")
    total = "" if scenario.capacity is None else f" = **{scenario.capacity}** in use at most"
    return (
        f"{count(fleet.replicas, 'replica')} × {count(fleet.workers, 'worker')} × {of_each}{total}."
        " Idle connections come on top; the hosts' own limits are not simulated."
    )
