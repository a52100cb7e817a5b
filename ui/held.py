"""What a session has started: each panel's job, ended by the next one or with the session."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import streamlit as st


class Cancellable(Protocol):
    """Something that runs until it is done or cancelled."""

    def cancel(self) -> None:
        """End it."""


Job = TypeVar("Job", bound=Cancellable)


@dataclass(slots=True)
class _Held:
    job: Cancellable | None = None


def _release(held: _Held) -> None:
    if held.job is not None:
        held.job.cancel()


@st.cache_resource(scope="session", on_release=_release, show_spinner=False)
def _held(panel: str) -> _Held:  # noqa: ARG001  one for each panel
    """Make this session's holder: on_release is how Streamlit tells that a session is gone."""
    return _Held()


def hold(panel: str, job: Job) -> Job:
    """Keep a panel's job, so that it ends with this session."""
    _held(panel).job = job
    return job


def end(panel: str) -> None:
    """End the job that this session holds for a panel, if any."""
    _release(_held(panel))
