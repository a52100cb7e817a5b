"""The page answers from one replication, then from all, and keeps what it found."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from sim.result import SimulationResult
from tests.ui.test_page import opened, said
from ui import answer


@pytest.fixture
def first_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the page at its first answer."""
    monkeypatch.setattr(answer.Answer, "improved", lambda _self: False)


@pytest.mark.usefixtures("first_only")
def test_first_answer_says_that_more_is_under_way() -> None:
    page = opened(seed="71", replications="6")
    assert "counted in 1 replication, 5 more under way" in said(page)
    assert len(page.metric) == 5


def test_page_ends_with_the_answer_from_all_replications() -> None:
    page = opened(seed="72", replications="6")
    assert "counted in 6 replications." in said(page)
    assert "under way" not in said(page)


def test_an_answer_found_once_is_there_at_once_in_every_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = opened(seed="73", replications="3")

    def nobody(*_: object, **__: object) -> Iterator[SimulationResult]:
        raise AssertionError("simulated again")
        yield

    monkeypatch.setattr(answer, "answers", nobody)
    again: AppTest = opened(seed="73", replications="3")
    assert [one.value for one in again.metric] == [one.value for one in before.metric]
