"""Pin A, change, see B: the address holds both, and without a pin nothing is done."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from sim.difference import Difference
from sim.query import parse
from sim.result import Estimate
from tests.ui.test_page import opened, said
from ui.panels import compare
from ui.panels.compare_words import changed

ROOT = Path(__file__).parents[2]
QUICK = {"kind": "asyncpg", "duration_s": "3", "warm_up_s": "0.5", "rate": "300"}


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def press(page: AppTest, key: str) -> None:
    page.button(key=key).click().run()
    assert not page.exception


def has_button(page: AppTest, key: str) -> bool:
    return any(one.key == key for one in page.button)


def address(page: AppTest) -> dict[str, str]:
    return {name: "".join(page.query_params[name]) for name in page.query_params}


def test_without_a_pin_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("simulated without a pin")

    monkeypatch.setattr(compare, "play", nobody)
    page = opened(**QUICK)
    assert has_button(page, "pin")
    assert "A, pinned" not in [one.value for one in page.header]


def test_a_pin_stays_while_settings_change_and_the_difference_is_said() -> None:
    page = opened(**QUICK)
    press(page, "pin")
    assert parse(address(page)["pin"]).pool == parse("kind=asyncpg").pool
    assert "A and B are the same" in said(page)
    page.select_slider(key="max_size").set_value(14).run()
    assert not page.exception
    tables = {tuple(one.value.columns): one.value for one in page.table}
    numbers = tables["", "A", "B", "B − A"]
    assert {"Wait, p99", "Latency, mean", "Timeouts", "Throughput"} <= set(numbers[""])
    changes = tables["Setting", "A", "B"]
    assert list(changes["Setting"])[:1] == ["max_size (connections)"]
    assert "p99 wait" in said(page)
    assert "between" in said(page)


def test_swap_puts_a_on_the_page_and_b_into_the_pin() -> None:
    page = opened(**QUICK, max_size="14", pin="kind=asyncpg&rate=300&duration_s=3&warm_up_s=0.5")
    press(page, "swap")
    assert page.session_state["max_size"] == 10
    assert parse(address(page)["pin"]).pool.capacity == 14
    press(page, "swap")
    assert page.session_state["max_size"] == 14
    press(page, "unpin")
    assert "pin" not in address(page)
    assert has_button(page, "pin")


def test_a_pin_that_is_no_scenario_is_said_in_one_sentence_and_left_out() -> None:
    page = opened(**QUICK, pin="rate=banana")
    assert "pin is not a scenario to compare with: rate must be a number" in said(page)
    assert has_button(page, "pin")


def test_a_preset_keeps_the_pin() -> None:
    page = opened(**QUICK, pin="rate=100")
    page.menu_button(key="preset").click("asyncpg service").run(timeout=60)
    assert address(page)["pin"] == "rate=100"


def test_the_shared_link_holds_a_and_b() -> None:
    page = opened(**QUICK, pin="rate=100&pool_size=7")
    commands = [str(one.value) for one in page.code]
    assert any("pin=pool_size%3D7%26rate%3D100" in text for text in commands)


def test_a_difference_is_said_with_its_interval_and_whether_it_is_sure() -> None:
    def delta(value: float, low: float, high: float) -> str:
        return changed(Difference(0.1, 0.1 + value, Estimate(value, low, high)), "s")

    assert delta(-0.041, -0.047, -0.035) == "−41 ms, between −47 and −35"
    assert delta(0.001, -0.002, 0.004) == "+1 ms, between −2 and +4: no sure difference"
    assert delta(0.0, 0.0, 0.0) == "the same"
