"""What is using a server's connections: by application, with what is odd in sentences.

Names come from the server's clients, so all of it is plain text: a data frame and st.text.
"""

import streamlit as st

from pools.live.diagnose.activity import Activity
from pools.live.diagnose.diagnosis import Application, Diagnosis, budget_of, diagnose
from pools.live.preflight import PostgresFacts
from sim.scenario import Scenario
from ui.words import NOTHING, duration

ALL_SEEN = "This role sees every session."
NOT_ALL_SEEN = "This role sees the state of its own sessions alone; those of others are hidden."


def section(activity: Activity, facts: PostgresFacts, scenario: Scenario) -> None:
    """Show who is connected, beside what the fleet of this scenario may hold."""
    found = diagnose(activity, facts, budget_of(scenario))
    with st.expander("What is using its connections", key="diagnose"):
        for finding in found.findings:
            st.text(finding)
        st.dataframe(rows(found), hide_index=True)
        st.caption(
            f"{found.in_use} of {found.slots} slots in use when it was asked."
            f" {ALL_SEEN if found.sees_all else NOT_ALL_SEEN} Nothing was ended."
        )


def rows(found: Diagnosis) -> list[dict[str, str | int]]:
    """Return a row for each application, those with most connections first."""
    return [_row(one) for one in found.applications]


def _row(one: Application) -> dict[str, str | int]:
    held_s = one.longest_transaction_s
    return {
        "application": one.name,
        "connections": one.connections,
        "active": one.active,
        "idle": one.idle,
        "idle in transaction": one.idle_in_transaction,
        "waiting for a lock": one.waiting_for_lock,
        "hidden": one.hidden,
        "longest transaction": NOTHING if held_s is None else duration(held_s),
    }
