"""Ask the real library: the installed one in virtual time, beside what was simulated.

Nothing is asked unless the button is pressed. A question belongs to the session that asked it
and its process ends with the session. Charts are built once, when the answer is there.
"""

from dataclasses import dataclass

import streamlit as st

from pools.twin.worker import Answer, Asking, Busy, has_twin, start
from sim.scenario import Scenario
from ui import charts, held, state
from ui.panels import library_words as words
from ui.plot.chart import show
from ui.plot.figure import Figure

_JOB = "_library"
REDRAW_S = 0.4
CANCEL_WAIT_S = 3.0


@dataclass(slots=True)
class Job:
    """One question of this session, and about which scenario.

    `refusal` says why it never started. `is_settled` once the page has taken note of its end;
    `figures` are waits and timeline of an answer.
    """

    scenario: Scenario
    asking: Asking | None = None
    refusal: str = ""
    is_settled: bool = False
    figures: tuple[Figure, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether its process is still there."""
        return self.asking is not None and not self.asking.is_over

    def settle(self) -> None:
        """Take note of the end: draw the answer, if there is one."""
        self.is_settled = True
        answer = self.asking.answer if self.asking else None
        if answer is not None and answer.requests:
            one, other = answer.simulated, answer.library
            self.figures = (
                charts.asked_waits(one.survival, other.survival),
                charts.asked_over_time(one.timeline, other.timeline, self.scenario.warm_up_s),
            )


def library(scenario: Scenario) -> None:
    """Show the question: before, while and after it is asked."""
    st.header("Ask the real library", anchor=False)
    job: Job | None = state.recall(_JOB)
    every = REDRAW_S if job and not job.is_settled else None
    st.fragment(_panel, run_every=every, key="library")(scenario)


def _panel(scenario: Scenario) -> None:
    job: Job | None = state.recall(_JOB)
    with st.container(border=True, key="library-panel"):
        if job and job.is_running and job.asking:
            _progress(job.asking)
            return
        if job and not job.is_settled:
            job.settle()
            st.rerun()  # the whole page: only so does the fragment stop redrawing itself
        _invitation(scenario)
        if job:
            _ending(job, scenario)


def _invitation(scenario: Scenario) -> None:
    if not has_twin(scenario.pool.name):
        st.caption(words.no_twin(scenario))
        return
    st.markdown(words.before(scenario))
    if st.button("Ask the library", key="library-ask"):
        _ask(scenario)


def _ask(scenario: Scenario) -> None:
    held.end(_JOB)
    job = Job(scenario)
    state.remember(_JOB, job)
    try:
        job.asking = held.hold(_JOB, start(scenario))
    except Busy as refused:
        job.refusal = str(refused)
    st.rerun()


def _progress(asking: Asking) -> None:
    fraction = asking.done / asking.expected if asking.expected else 0.0
    st.progress(min(1.0, fraction), text=words.progress_line(asking))
    if st.button("Cancel", key="library-cancel"):
        asking.cancel()
        asking.wait(CANCEL_WAIT_S)
        st.rerun()


def _ending(job: Job, scenario: Scenario) -> None:
    asking = job.asking
    if job.refusal:
        st.error(job.refusal, title="The library was not asked")
    elif asking and asking.problem:
        st.error(asking.problem, title="The library gave no answer")
    elif asking and asking.answer:
        _result(asking.answer, job, is_stale=job.scenario != scenario)
    elif asking and asking.state == "cancelled":
        st.info("Cancelled. Its process is gone.")


def _result(answer: Answer, job: Job, *, is_stale: bool) -> None:
    if is_stale:
        st.warning("Settings have changed since. This answer is for the settings asked about.")
    if answer.difference:
        st.warning(f"{answer.difference}", title=words.agreement(answer))
    else:
        st.markdown(f"**{words.agreement(answer)}**")
    if job.figures:
        grid = st.grid(5, min_column_width=150)
        waits, over_time = job.figures
        with grid.cell(column_span=3):
            show(over_time, key="library-over-time")
        with grid.cell(column_span=2):
            show(waits, key="library-waits")
            st.table(words.compared(answer))
    if answer.requests:
        st.caption(words.counted(answer))
    for note in answer.notes:
        st.caption(note)
    st.text(words.asked(answer, job.scenario))
