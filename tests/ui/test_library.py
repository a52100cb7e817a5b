"""Asking the real library from the page: real processes, no browser."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

import pools.twin.play
from pools.kinds import KINDS
from pools.twin import worker
from pools.twin.ask import ask
from pools.twin.worker import Answer, Run
from sim.query import parse
from sim.result import Survival, Timeline
from tests.ui.test_page import opened, said
from ui import charts
from ui.panels import library_words as words

ROOT = Path(__file__).parents[2]
QUICK = {"kind": "asyncpg", "duration_s": "3", "warm_up_s": "0.5", "rate": "60"}
LONG = {"kind": "sqlalchemy-null", "duration_s": "60", "rate": "50", "replications": "2"}
PATIENCE_S = 90.0


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    """No test leaves a question behind."""
    yield
    for child in workers():
        child.kill()
        child.wait(PATIENCE_S)


def workers() -> list[psutil.Process]:
    """Return the processes of this one that ask a library."""
    found = []
    for child in psutil.Process().children():
        try:
            if "pools.twin.child" in child.cmdline():
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def press(page: AppTest, key: str) -> None:
    page.button(key=key).click().run(timeout=PATIENCE_S)
    assert not page.exception


def until_over(page: AppTest) -> None:
    """Draw the page again until the question is over."""
    end = time.monotonic() + PATIENCE_S
    while has_button(page, "library-cancel") and time.monotonic() < end:
        page.run(timeout=PATIENCE_S)
    assert not page.exception


def has_button(page: AppTest, key: str) -> bool:
    return any(one.key == key for one in page.button)


def test_nothing_is_asked_until_the_button_is_pressed() -> None:
    page = opened(**QUICK)
    assert "installed asyncpg pool" in said(page)
    assert "first of 2 replications" in said(page)
    page.select_slider(key="max_size").set_value(12).run()
    assert workers() == []
    assert has_button(page, "library-ask")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if worker.has_twin(kind)])
def test_the_answer_says_agreement_versions_and_waits(kind: str) -> None:
    query = QUICK | {"kind": kind}
    page = opened(**query)
    press(page, "library-ask")
    until_over(page)
    report = ask(parse("&".join(f"{k}={v}" for k, v in (query | {"replications": "2"}).items())))
    assert f"{report.requests:,} of {report.requests:,} requests: same connection" in said(page)
    assert all(f"{name} {version}" in said(page) for name, version in report.versions.items())
    [table] = [one.value for one in page.table if "library" in one.value.columns]
    assert list(table["wait"]) == ["p50", "p95", "p99", "max"]
    assert list(table["simulation"]) == list(table["library"])
    assert len(page.get("bidi_component")) >= 6  # two charts more


def test_a_pool_that_cannot_be_made_is_said_and_draws_nothing() -> None:
    """asyncpg's create_pool fails when the server has no room for min_size."""
    page = opened(**QUICK, min_size="5", max_connections="3", reserved="1")
    press(page, "library-ask")
    until_over(page)
    assert "No request was asked" in said(page)
    assert "the pool was not ready" in said(page)
    assert not [one for one in page.table if "library" in one.value.columns]


def test_an_answer_is_marked_when_the_settings_have_changed() -> None:
    page = opened(**QUICK)
    press(page, "library-ask")
    until_over(page)
    assert "Settings have changed since" not in said(page)
    page.select_slider(key="max_size").set_value(12).run()
    assert "Settings have changed since" in said(page)
    assert "same connection, same time" in said(page)
    page.select_slider(key="max_size").set_value(10).run()
    assert "Settings have changed since" not in said(page)


def test_a_question_can_be_cancelled_and_asked_again() -> None:
    page = opened(**LONG)
    press(page, "library-ask")
    assert len(workers()) == 1
    press(page, "library-cancel")
    assert workers() == []
    assert any("Cancelled" in str(one.value) for one in page.info)
    press(page, "library-ask")
    assert has_button(page, "library-cancel")


def test_a_question_that_fails_says_why() -> None:
    page = opened(**LONG)
    press(page, "library-ask")
    [child] = workers()
    child.kill()
    until_over(page)
    assert "ended too early (status -9)" in said(page)
    assert has_button(page, "library-ask")


def test_a_server_that_is_busy_says_so() -> None:
    long = parse("kind=sqlalchemy-null&rate=50&duration_s=600&replications=1")
    asked = [worker.start(long) for _ in range(worker.AT_ONCE_MAX)]
    try:
        page = opened(**QUICK)
        press(page, "library-ask")
        assert "already being asked" in said(page)
    finally:
        for one in asked:
            one.cancel()
            assert one.wait(PATIENCE_S)


def test_a_kind_whose_library_cannot_be_asked_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(pools.twin.play.ADAPTERS, "asyncpg")
    page = opened(**QUICK)
    assert "its library cannot be asked yet" in said(page)
    assert not has_button(page, "library-ask")


def answer_of(one: Run, other: Run, **changed: object) -> Answer:
    plain = {"requests": 4312, "identical_requests": 4312, "difference": "", "notes": ()}
    return Answer(**(plain | {"versions": {}, "simulated": one, "library": other} | changed))


LINE = Timeline((0.5, 1.5), (1.0, 2.0), (1.0, 0.0), (0.0, 0.0), (0.0, 3.0))
NO_WAITS = dict.fromkeys(words.ROWS)
SOME = Run(4312, {"p50": 0.001, "p95": 0.002, "p99": 0.003, "max": 0.004},
           Survival((0.0, 0.004), (0.5, 0.0)), LINE)  # fmt: skip


def test_agreement_is_a_sentence_with_both_counts() -> None:
    assert words.agreement(answer_of(SOME, SOME)) == (
        "4,312 of 4,312 requests: same connection, same time."
    )
    other = answer_of(SOME, SOME, identical_requests=4310, difference="Request 7 …")
    assert words.agreement(other).startswith("4,310 of 4,312 requests")
    nobody = answer_of(SOME, SOME, requests=0, identical_requests=0)
    assert "No request" in words.agreement(nobody)


def test_a_percentile_of_too_few_requests_is_left_out() -> None:
    few = Run(3, NO_WAITS, Survival((), ()), LINE)
    columns = words.compared(answer_of(SOME, few))
    assert columns["simulation"] == ["1 ms", "2 ms", "3 ms", "4 ms"]
    assert columns["library"] == ["–"] * 4
    assert words.counted(answer_of(SOME, few)).startswith("4,312 and 3 of them")


def test_the_librarys_line_lies_on_the_simulations_band() -> None:
    waits = charts.asked_waits(SOME.survival, SOME.survival)
    assert [trace["name"] for trace in waits.traces] == ["simulation", "library"]
    assert waits.traces[0]["line"]["width"] > waits.traces[1]["line"]["width"]
    figure = charts.asked_over_time(LINE, LINE, warm_up_s=0.5)
    bands, lines = figure.traces[:3], figure.traces[3:]
    assert [trace["name"] for trace in bands] == ["in use", "open", "waiting"]
    assert [trace["y"] for trace in lines] == [trace["y"] for trace in bands]
    assert bands[1]["y"] == [2.0, 2.0]
    assert [trace["showlegend"] for trace in lines] == [True, False, False]
    assert bands[2]["yaxis"] == lines[2]["yaxis"] == "y2"
    assert figure.layout["xaxis"]["range"] == [0.0, 2.0]
    assert "at most 3 and 3 requests waiting" in figure.label
