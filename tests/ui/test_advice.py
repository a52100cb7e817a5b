"""Finding the settings from the page: real searches in their threads, no browser."""

import threading
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from sim.query import parse, to_query
from tests.ui.test_page import opened, said
from ui import advising
from ui.advising import Advising

ROOT = Path(__file__).parents[2]
QUICK = {"kind": "asyncpg", "duration_s": "3", "warm_up_s": "0.5", "rate": "60"}
GOAL = {"goal_wait_ms": "20"}
LONG = {"kind": "asyncpg", "rate": "3000", "hold_ms": "20", "cores": "64", "goal_wait_ms": "1"}
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def press(page: AppTest, key: str) -> None:
    page.button(key=key).click().run(timeout=PATIENCE_S)
    assert not page.exception


def has_button(page: AppTest, key: str) -> bool:
    return any(one.key == key for one in page.button)


def until_over(page: AppTest) -> None:
    """Draw the page again until the search is over."""
    end = time.monotonic() + PATIENCE_S
    while has_button(page, "advice-cancel") and time.monotonic() < end:
        page.run(timeout=PATIENCE_S)
    assert not page.exception


def searching() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "advice"]


def keys_of(page: AppTest) -> set[str]:
    return {str(one.key) for group in (page.number_input, page.toggle) for one in group}


def test_a_closed_panel_draws_nothing_and_a_goal_in_the_link_opens_it() -> None:
    closed = opened(**QUICK)
    assert not any(key.startswith("goal") for key in keys_of(closed))
    assert not has_button(closed, "advice-find")
    page = opened(**QUICK, **GOAL)
    assert {"goal_wait_ms", "goal_timeouts", "goal_burst", "goal_budget"} <= keys_of(page)
    assert has_button(page, "advice-find")
    assert searching() == []


def test_the_answer_comes_with_proof_evidence_reasons_and_rules_of_thumb_and_is_applied() -> None:
    page = opened(**QUICK, **GOAL)
    assert "99 in 100 requests wait at most 20 ms" in said(page)
    press(page, "advice-find")
    until_over(page)
    assert ["here is the proof" in one.proto.title for one in page.success] == [False, True]
    assert "next cheaper one" in said(page)
    columns = [set(one.value.columns) for one in page.table]
    assert {"Setting", "Value", "Why", "Source"} in columns
    assert {"Rule", "Says", "Error", "Why", "Source"} in columns
    [evidence] = [one.value for one in page.table if "Held" in one.value.columns]
    assert sum(row.startswith("→") for row in evidence["Settings"]) == 1
    press(page, "advice-use")
    address = {name: "".join(page.query_params[name]) for name in page.query_params}
    assert address["goal_wait_ms"] == "20.0"
    assert int(address["max_size"]) < 10
    assert page.session_state["max_size"] == int(address["max_size"])
    assert "These settings are in force" in said(page)
    page.select_slider(key="max_size").set_value(12).run()
    assert "Settings have changed since" in said(page)


def test_without_a_goal_the_panel_suggests_one() -> None:
    page = opened(**QUICK, **GOAL)
    page.number_input(key="goal_wait_ms").set_value(0.0).run()
    assert not has_button(page, "advice-find")
    press(page, "advice-suggest")
    assert page.number_input(key="goal_wait_ms").value == 10.0
    assert has_button(page, "advice-find")


def test_a_search_can_be_cancelled_and_begun_again() -> None:
    page = opened(**LONG)
    press(page, "advice-find")
    assert has_button(page, "advice-cancel")
    press(page, "advice-cancel")
    assert "Cancelled" in "".join(str(one.value) for one in page.info)
    assert searching() == []
    press(page, "advice-find")
    press(page, "advice-cancel")
    assert searching() == []


def test_where_nothing_will_do_the_page_says_so_and_offers_what_would() -> None:
    page = opened(**QUICK, **GOAL, goal_replica_loss="true")
    press(page, "advice-find")
    until_over(page)
    assert "at least 2 replicas" in said(page)
    press(page, "advice-lever-0")
    assert page.session_state["replicas"] == 2


def test_a_preset_keeps_the_goal() -> None:
    page = opened(**QUICK, **GOAL)
    page.menu_button(key="preset").click("asyncpg service").run(timeout=PATIENCE_S)
    assert page.session_state["goal_wait_ms"] == 20.0
    assert page.menu_button(key="preset").label == "Preset: asyncpg service"


def test_searches_beyond_the_limit_wait_for_their_turn_and_can_be_cancelled() -> None:
    long = parse("&".join(f"{name}={value}" for name, value in LONG.items()))
    searches = [Advising(long) for _ in range(advising.AT_ONCE_MAX + 1)]
    try:
        for one in searches:
            one.start()
        assert searches[-1].state == "waiting"
        searches[-1].cancel()
        assert searches[-1].wait(PATIENCE_S)
        assert searches[-1].state == "cancelled"
    finally:
        for one in searches:
            one.cancel()
    assert all(one.wait(PATIENCE_S) for one in searches)


def test_a_search_asks_for_the_scenario_it_was_given() -> None:
    asked = parse(f"goal_wait_ms=20&rate=40&{'duration_s=3&warm_up_s=0.5'}")
    search = Advising(asked)
    search.start()
    assert search.wait(PATIENCE_S)
    assert search.advice is not None
    assert to_query(search.advice.asked) == to_query(asked)
