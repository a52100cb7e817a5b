"""Which controls are drawn: those that matter, whatever is drawn before them."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.test_page import fold, opened, said, unfolded


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ({"hold_given": "percentiles"}, {"hold_p50_ms", "hold_p99_ms"}, {"hold_ms", "hold_cv"}),
        ({"retries": "2"}, {"retry_budget", "retry_jitter"}, {"abandoned", "cancel_after_ms"}),
        (
            {"client_timeout_ms": "900", "cancel_share": "0.1"},
            {"abandoned", "cancel_after_ms"},
            set(),
        ),
        ({"classes": "1:20"}, {"classes"}, {"hold_ms", "await_ms"}),
        ({"pattern": "bursty"}, {"burst_factor", "burst_s"}, {"ramp_rate", "users"}),
    ],
)
def test_a_control_is_drawn_if_its_setting_has_an_effect(
    query: dict[str, str], shown: set[str], hidden: set[str]
) -> None:
    page = opened(**query)
    boxes = [*page.number_input, *page.select_slider, *page.text_input, *page.toggle]
    drawn = {box.key for box in boxes} | {group.key for group in page.button_group}
    assert shown <= drawn
    assert not hidden & drawn


FOLDED = {"cores", "max_connections", "replicas", "hold_distribution", "await_ms", "retries"}


def drawn_on(page: AppTest) -> set[str]:
    boxes = [*page.number_input, *page.select_slider, *page.text_input, *page.toggle]
    return {str(box.key) for box in [*boxes, *page.selectbox]}


def test_what_is_folded_away_is_drawn_once_somebody_looks() -> None:
    page = opened()
    assert not FOLDED & drawn_on(page)
    assert drawn_on(unfolded(page)) >= FOLDED


def test_what_a_link_sets_is_drawn_and_counts_though_it_is_folded_away() -> None:
    page = opened(replicas="4", max_connections="7")
    assert page.number_input(key="replicas").value == 4
    assert "56 more than max_connections (7)" in said(page)
    assert "cores" in drawn_on(page), "a part is drawn as a whole"
    assert "retries" not in drawn_on(page)


def test_what_was_set_stays_when_it_is_folded_away_again() -> None:
    page = unfolded(opened())
    page.number_input(key="replicas").set_value(4).run()
    fold(page, is_open=False)
    page.select_slider(key="rate").set_value(90.0).run()
    assert page.number_input(key="replicas").value == 4
    assert "retries" not in drawn_on(page)
