"""What the page answers with: at once from one replication, then from all of them."""

import time
from collections.abc import Callable

import streamlit as st

from sim.query import to_query
from sim.recorded import Recording
from sim.result import SimulationResult
from sim.run import answers
from sim.scenario import Scenario
from ui import state


class Answer:
    """The answer to a scenario: the whole one if some session has it, else a first one."""

    def __init__(self, scenario: Scenario, recording: Recording | None = None) -> None:
        """Look the answer up, or simulate the first replication."""
        scenario = scenario.without_goal
        self._query = to_query(scenario)
        self._coming = answers(scenario, state.still_wanted, recording)
        self._is_whole = True
        try:
            self.result = _kept(self._query, _nobody_has_it)
        except LookupError:
            self.result = next(self._coming)
            self._is_whole = False

    def improved(self) -> bool:
        """Simulate what is missing, once the page shows what there is. Return if that was any."""
        if self._is_whole:
            return False
        _let_the_browser_draw()
        *_, self.result = self.result, *self._coming
        keep(self._query, self.result)
        self._is_whole = True
        return True


def keep(query: str, result: SimulationResult) -> None:
    """Let this be the whole answer to a scenario, for every session."""
    _kept.clear(query, _nobody_has_it)
    _kept(query, lambda: result)


# The key is the query: a Scenario's hash in Streamlit loses the class of its pool.
@st.cache_data(max_entries=500, show_spinner=False)
def _kept(query: str, _find: Callable[[], SimulationResult]) -> SimulationResult:  # noqa: ARG001
    return _find()


def _nobody_has_it() -> SimulationResult:
    raise LookupError


def _let_the_browser_draw() -> None:
    for _ in range(15):
        time.sleep(0.01)
        state.still_wanted()
