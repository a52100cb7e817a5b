"""The live check: the real library against a real server here, beside what was simulated.

A running check belongs to the session that started it and ends with it. Neither a check nor
its result is ever cached.
"""

from dataclasses import dataclass

import streamlit as st

from pools.live.check import LiveCheck, start
from pools.live.plan import plan
from pools.live.problems import LiveCheckFailed, Problem
from pools.live.report import LiveReport
from pools.live.slots import Busy
from pools.setting import InvalidSettings
from sim.query import to_query
from sim.scenario import Scenario
from ui import charts, state
from ui.panels import live_words as words
from ui.plot.chart import show

_JOB = "_live"
REDRAW_S = 0.4
CANCEL_WAIT_S = 3.0


@dataclass(slots=True)
class Job:
    """One check this session has asked for, and for which settings.

    `refusal` says why it never started. `outcome` is there once it is over and measured.
    """

    query: str
    check: LiveCheck | None = None
    refusal: str = ""
    outcome: words.Outcome | None = None

    @property
    def is_running(self) -> bool:
        """Whether processes of it are still there."""
        return self.check is not None and not self.check.is_over


@dataclass(slots=True)
class Held:
    """The check that a session holds, so that it ends with the session."""

    check: LiveCheck | None = None

    def stop(self) -> None:
        """End the check."""
        if self.check is not None:
            self.check.cancel()


def _release(held: Held) -> None:
    held.stop()


@st.cache_resource(scope="session", on_release=_release, show_spinner=False)
def _held() -> Held:
    """Make this session's holder: on_release is how Streamlit tells that a session is gone."""
    return Held()


def live(scenario: Scenario) -> None:
    """Show the live check: before, while and after it runs."""
    st.header("Live check", anchor=False)
    job: Job | None = state.recall(_JOB)
    every = REDRAW_S if job and job.is_running else None
    st.fragment(_panel, run_every=every, key="live")(scenario)


def finished(scenario: Scenario) -> LiveReport | None:
    """Return what a finished check of this scenario measured in this session, or None."""
    job: Job | None = state.recall(_JOB)
    is_one = job is not None and job.outcome is not None and job.query == to_query(scenario)
    return job.outcome.report if job is not None and job.outcome is not None and is_one else None


def _panel(scenario: Scenario) -> None:
    job: Job | None = state.recall(_JOB)
    with st.container(border=True, key="live-check"):
        if job and job.is_running and job.check:
            _progress(job.check)
            return
        if job and job.check and job.check.report and job.outcome is None:
            job.outcome = words.outcome_of(job.check.report)
            st.rerun()
        _invitation(scenario)
        if job:
            _ending(job, scenario)


def _invitation(scenario: Scenario) -> None:
    try:
        planned = plan(scenario)
    except InvalidSettings as refused:
        st.caption(f"Not possible with these settings: {refused}")
        return
    except LiveCheckFailed as failed:
        st.caption(words.problem_line(failed.problem))
        return
    st.markdown(words.before(planned))
    if planned.notes:
        with st.expander(f"What differs from the settings: {len(planned.notes)}"):
            st.markdown("\n".join(f"- {note}" for note in planned.notes))
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Run live check", key="live-run"):
            _start(scenario)
        st.caption("A check against your own database (DSN) is not offered yet.")


def _start(scenario: Scenario) -> None:
    job = Job(to_query(scenario))
    state.remember(_JOB, job)
    try:
        job.check = _held().check = start(scenario, session=state.session_id())
    except LiveCheckFailed as failed:
        job.refusal = str(failed.problem)
    except Busy as refused:
        job.refusal = str(refused)
    st.rerun()


def _progress(check: LiveCheck) -> None:
    for step in check.steps:
        line = words.step_line(step)
        match step.state:
            case "waiting":
                st.expander(line, type="step")
            case "done":
                st.status(line, state="complete", type="step")
            case "failed":
                st.status(line, state="error", type="step")
            case _:
                st.status(line, state="running", type="step")
    st.progress(min(1.0, check.fraction), text=words.progress_line(check))
    if st.button("Cancel", key="live-cancel"):
        check.cancel()
        check.wait(CANCEL_WAIT_S)
        st.rerun()


def _ending(job: Job, scenario: Scenario) -> None:
    check, problem = job.check, job.check.problem if job.check else None
    if job.refusal:
        st.error(job.refusal, title="The live check did not start")
    elif problem:
        st.error(words.problem_line(problem), title=problem.title)
        _said(problem)
    elif check and check.state == "cancelled":
        st.info("Cancelled. Its server and its connections are gone.")
    elif job.outcome:
        _result(job.outcome, changed=job.query != to_query(scenario))


def _said(problem: Problem) -> None:
    """Show what the server itself said as plain text: it may hold links, images, markup."""
    if problem.server_text:
        with st.expander("What the server said"):
            st.code(problem.server_text, language=None, wrap_lines=True)


def _result(outcome: words.Outcome, *, changed: bool) -> None:
    st.markdown(f"**{outcome.runs.sentence}**")
    if changed:
        st.warning("Settings have changed since. This result is for the settings it ran with.")
    warnings = tuple(outcome.report.warnings())
    for warning in warnings:
        st.warning(warning)
    grid = st.grid(3, min_column_width=280)
    with grid.cell(column_span=2):
        runs = outcome.runs
        curves = (runs.simulated, runs.measured, runs.replayed)
        figure = charts.comparison(*(each.survival for each in curves))
        show(figure, key="comparison")
    with grid.cell():
        st.table(words.compared(outcome))
        st.table(words.calibration(outcome.report))
    notes = (note for note in outcome.report.notes if note not in warnings)
    for note in (words.REPLAYED, words.served(outcome), *notes):
        st.caption(note)
    st.text(words.ran_with(outcome))
