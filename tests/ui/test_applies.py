"""Which controls are drawn: those that matter, whatever is drawn before them."""

import pytest

from tests.ui.test_page import opened


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
