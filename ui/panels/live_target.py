"""Whom a live check runs against: the built-in server, or one that a person names.

What is typed here is in no address and no cache. A password is held as a Secret in this
session's memory until it is forgotten or the session ends; its field is emptied at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pools.live.diagnose.activity import Activity
from pools.live.policy import Policy, policy_of
from pools.live.preflight import Facts, PostgresFacts
from pools.live.reading import (
    Form,
    InvalidTarget,
    http_from_url,
    postgres_from_dsn,
    postgres_from_form,
)
from pools.live.secret import Secret
from pools.live.target import Own, serves, warning
from sim.scenario import Scenario
from ui import state
from ui.panels import live_target_words as words
from ui.words import plain

_KNOWN, _TURN = "_live_known", "_live_turn"
BUILT_IN = "Built-in server"
OWN = {"database": "Your PostgreSQL", "http": "Your HTTP endpoint"}
KEPT: Mapping[str, Any] = {"autocomplete": "off", "persist_state": "session"}
TLS_CHOICES = {
    "": "verified, unless the host is this machine",
    "verify-full": "verified",
    "require": "encrypted, certificate not checked",
    "disable": "none",
}


@dataclass(slots=True)
class Known:
    """A server that this session named, what a look found about it and who was connected."""

    target: Own
    facts: Facts | None = None
    activity: Activity | None = None


def policy() -> Policy:
    """Return what checks may connect to here: a page that others can reach is `shared`."""
    return policy_of(bound_to=st.get_option("server.address") or "0.0.0.0")  # noqa: S104  says so


def known(scenario: Scenario) -> Known | None:
    """Return the server that this session named for this kind of pool, if it is chosen."""
    found: Known | None = state.recall(_KNOWN)
    return found if found and serves(found.target) == scenario.pool.serves else None


def forget() -> None:
    """Drop the server, its secret included."""
    state.remember(_KNOWN, None)
    _empty_fields()


def chooser(scenario: Scenario) -> bool:
    """Let a person choose the target; returns whether it is one of their own."""
    own = OWN[scenario.pool.serves]
    chosen = st.segmented_control(
        "Against",
        [BUILT_IN, own],
        default=BUILT_IN,
        required=True,
        key=f"live-against-{scenario.pool.serves}",
        persist_state="session",
    )
    st.caption(policy().in_words)
    return chosen == own


def form(scenario: Scenario) -> Own | None:
    """Show the fields of an own server; return it when it was sent and reads well."""
    turn = int(state.recall(_TURN) or 0)
    try:
        sent = _http(turn) if scenario.pool.serves == "http" else _postgres(turn)
    except InvalidTarget as wrong:
        st.error("\n".join(f"- {mistake}" for mistake in wrong.mistakes), title="Please correct")
        return None
    if sent is not None:
        state.remember(_KNOWN, Known(sent))
        _empty_fields()
    return sent


def found(one: Known) -> None:
    """Say what a look found, and what a check will use and leave free."""
    if warned := warning(one.target):
        st.warning(warned)
    if one.facts is None:
        return
    st.markdown(words.room(one.facts))
    with st.expander(f"What the look at {plain(one.target.name)} found"):
        st.table(words.facts(one.facts))


def is_confirmed(one: Known) -> bool:
    """Ask for a confirmation where a role could take even the reserved slots."""
    if not isinstance(one.facts, PostgresFacts) or not one.facts.takes_reserved:
        return True
    return st.checkbox(words.SUPERUSER, key="live-superuser")


def _postgres(turn: int) -> Own | None:
    with st.form("live-postgres", border=False):
        with st.expander("By DSN", key="live-by-dsn"):
            dsn = _secret(
                "DSN", f"live-dsn-{turn}", "postgresql://user:password@host:5432/database"
            )
        left, right = st.columns(2)
        host = left.text_input("Host", key="live-host", **KEPT)
        port = right.text_input("Port", value="5432", key="live-port", **KEPT)
        user = left.text_input("User", key="live-user", **KEPT)
        with right:
            password = _secret("Password", f"live-password-{turn}", "")
        database = left.text_input("Database", key="live-database", **KEPT)
        mode = right.selectbox(
            "TLS",
            list(TLS_CHOICES),
            format_func=TLS_CHOICES.__getitem__,
            key="live-tls",
            persist_state="session",
        )
        ca = _authority(turn)
        if not st.form_submit_button("Look at this server"):
            return None
    if dsn:
        return postgres_from_dsn(dsn, ca=ca)
    return postgres_from_form(
        Form((host or "").strip(), user or "", database or "", port or "", password, mode or "", ca)
    )


def _http(turn: int) -> Own | None:
    with st.form("live-http", border=False):
        url = _secret("URL", f"live-url-{turn}", "https://api.example.org/health")
        method = st.segmented_control("Method", ["GET", "HEAD"], default="GET", key="live-method")
        verify = st.checkbox("Check the certificate", value=True, key="live-verify")
        ca = _authority(turn)
        if not st.form_submit_button("Look at this endpoint"):
            return None
    return http_from_url(url, method=method or "GET", ca=ca, verify=verify)


def _secret(label: str, key: str, example: str) -> Secret:
    """Show a field whose text is not shown, not kept by the browser, not bound to the address."""
    typed = st.text_input(
        label, type="password", autocomplete="off", key=key, placeholder=example or None
    )
    return Secret(typed or "")


def _authority(turn: int) -> bytes:
    sent = st.file_uploader(
        "Certificates to trust (PEM), if not the system's", ["pem", "crt"], key=f"live-ca-{turn}"
    )
    return sent.getvalue() if sent is not None else b""


def _empty_fields() -> None:
    """Give the secret fields new names: Streamlit drops what the old ones held."""
    state.remember(_TURN, int(state.recall(_TURN) or 0) + 1)
