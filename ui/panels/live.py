"""The live check: the real library against a real server, beside what was simulated.

A running check belongs to the session that started it and ends with it. Neither a check nor
its result is ever cached. Nothing starts without a press of a button in this session.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import streamlit as st

from pools.live.check import LiveCheck, Step, look, start, start_own
from pools.live.check import diagnose as ask_who_is_connected
from pools.live.plan import plan
from pools.live.preflight import PostgresFacts
from pools.live.problems import LiveCheckFailed, Problem
from pools.live.report import LiveReport
from pools.live.target import OwnPostgres
from pools.setting import InvalidSettings
from sim.query import to_query
from sim.scenario import Scenario
from ui import charts, held, state
from ui.panels import diagnose, live_adopt, live_target
from ui.panels import live_words as words
from ui.panels.live_target import Known
from ui.plot.chart import show
from ui.words import plain

_JOB = "_live"
REDRAW_S = 0.4
CANCEL_WAIT_S = 3.0


@dataclass(slots=True)
class Job:
    """One check this session has asked for, and for which settings.

    `refusal` says why it never started. `outcome` is there once it is over and measured.
    `known` is the server that a person named, if it is against that; a look has no query.
    """

    query: str
    check: LiveCheck | None = None
    refusal: str = ""
    outcome: words.Outcome | None = None
    known: Known | None = None

    @property
    def is_running(self) -> bool:
        """Whether processes of it are still there."""
        return self.check is not None and not self.check.is_over


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
        own = live_target.chooser(scenario)
        known = live_target.known(scenario) if own else None
        if known and job and job.check and job.known is known and job.check.facts:
            known.facts = job.check.facts
            known.activity = job.check.activity or known.activity
        if own and (known is None or known.facts is None):
            _introduction(scenario, known)
        else:
            _invitation(scenario, known)
        if job:
            _ending(job, scenario, known)


def _introduction(scenario: Scenario, known: Known | None) -> None:
    """Have a person name a server, and look at it before anything else."""
    if live_target.form(scenario) is not None:
        named = live_target.known(scenario)
        if named is not None:
            _begin(Job("", known=named), lambda: _look(named))
    if known is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(f"Look at {plain(known.target.name)} again", key="live-look"):
                _begin(Job("", known=known), lambda: _look(known))
            _forgetting()


def _forgetting() -> None:
    if st.button("Forget this server", key="live-forget", on_click=live_target.forget):
        st.rerun()


def _invitation(scenario: Scenario, known: Known | None) -> None:
    if known is not None:
        live_target.found(known)
        if known.activity is not None and isinstance(known.facts, PostgresFacts):
            diagnose.section(known.activity, known.facts, scenario)
    _offer(scenario, known)
    if known is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Look again", key="live-look"):
                _begin(Job("", known=known), lambda: _look(known))
            _forgetting()


def _offer(scenario: Scenario, known: Known | None) -> None:
    try:
        planned = plan(scenario, known.facts if known else None)
    except InvalidSettings as refused:
        st.caption(f"Not possible with these settings: {refused}")
        return
    except LiveCheckFailed as failed:
        st.caption(words.problem_line(failed.problem))
        return
    st.markdown(words.before(planned, plain(known.target.name) if known else ""))
    if planned.notes:
        with st.expander(f"What differs from the settings: {len(planned.notes)}"):
            st.markdown("\n".join(f"- {note}" for note in planned.notes))
    confirmed = live_target.is_confirmed(known) if known else True
    if st.button("Run live check", key="live-run", disabled=not confirmed):
        _begin(Job(to_query(scenario), known=known), lambda: _check(scenario, known, confirmed))


def _check(scenario: Scenario, known: Known | None, confirmed: bool) -> LiveCheck:
    session, allowed = state.session_id(), live_target.policy()
    if known is None or known.facts is None:
        return start(scenario, session=session, allowed=allowed)
    return start_own(
        scenario,
        known.target,
        known.facts,
        superuser_confirmed=confirmed,
        session=session,
        allowed=allowed,
    )


def _look(known: Known) -> LiveCheck:
    session, allowed = state.session_id(), live_target.policy()
    if isinstance(known.target, OwnPostgres):
        return ask_who_is_connected(known.target, session=session, allowed=allowed)
    return look(known.target, session=session, allowed=allowed)


def _begin(job: Job, begin: Callable[[], LiveCheck]) -> None:
    state.remember(_JOB, job)
    try:
        job.check = held.hold(_JOB, begin())
    except LiveCheckFailed as failed:
        job.refusal = str(failed.problem)
    st.rerun()


def _progress(check: LiveCheck) -> None:
    _timeline(check.steps)
    st.progress(min(1.0, check.fraction), text=words.progress_line(check))
    if st.button("Cancel", key="live-cancel"):
        check.cancel()
        check.wait(CANCEL_WAIT_S)
        st.rerun()


def _timeline(steps: Iterable[Step]) -> None:
    """Show steps one below the other, connected."""
    for step in steps:
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


def _ending(job: Job, scenario: Scenario, known: Known | None) -> None:
    check, problem = job.check, job.check.problem if job.check else None
    if job.refusal:
        st.error(job.refusal, title="The live check did not start")
    elif problem:
        st.error(words.problem_line(problem), title=problem.title)
        _said(problem)
    elif check and check.state == "cancelled":
        st.info("Cancelled. Its server and its connections are gone.")
    elif job.outcome:
        if check:
            _timeline([*check.steps, words.compare_step(job.outcome)])
        _result(job.outcome, changed=job.query != to_query(scenario))
        live_adopt.adopt_costs(scenario, job.outcome.report)
    if not job.refusal and not problem:
        live_adopt.adopt_holds(scenario, known)


def _said(problem: Problem) -> None:
    """Show what the server itself said as plain text: it may hold links, images, markup."""
    if problem.server_text:
        with st.expander("What the server said"):
            st.code(problem.server_text, language=None, wrap_lines=True)


def _verdict(outcome: words.Outcome) -> None:
    """Say whether the model fits; what judges nothing is no failure."""
    match outcome.fit.fits:
        case True:
            st.success(outcome.fit.sentence, title=words.FITS)
        case False:
            st.error(outcome.fit.sentence, title=words.DOES_NOT_FIT)
        case None:
            st.warning(outcome.fit.sentence, title=words.JUDGES_NOTHING)


def _result(outcome: words.Outcome, *, changed: bool) -> None:
    _verdict(outcome)
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
