"""The live check's target, without a browser: what is typed, what is said, what is kept."""

import logging
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from pools.live.preflight import HttpFacts, PostgresFacts, Spread
from pools.live.secret import Secret
from sim.query import parse
from tests.live.test_reading import CANARY, SPOIL, SPOIL_URL
from tests.ui.test_page import opened, said
from ui.panels.live_adopt import is_adopted, with_holds
from ui.panels.live_target_words import facts, room

OWN = {"sqlalchemy": "Your PostgreSQL", "aiohttp": "Your HTTP endpoint"}


def chosen(kind: str) -> AppTest:
    """Open the page and choose a server of one's own."""
    page = opened(kind=kind)
    serves = "http" if kind == "aiohttp" else "database"
    page.segmented_control(key=f"live-against-{serves}").set_value(OWN[kind]).run()
    assert not page.exception
    return page


def sent(page: AppTest, key: str, text: str) -> AppTest:
    """Type into a secret field and send the form."""
    field = next(one for one in page.text_input if (one.key or "").startswith(key))
    field.set_value(text)
    next(one for one in page.button if one.label.startswith("Look at this")).click().run()
    return page


def test_the_policy_in_force_is_shown() -> None:
    assert "Policy " in said(opened())


def test_secret_fields_are_passwords_that_no_browser_completes_and_no_address_holds() -> None:
    for kind in OWN:
        page = chosen(kind)
        secret = [
            one
            for one in page.text_input
            if (one.key or "").startswith(("live-dsn", "live-url", "live-password"))
        ]
        assert secret
        for one in secret:
            assert one.proto.type == one.proto.Type.Value("PASSWORD")
            assert one.proto.autocomplete == "off"
        assert not any("live" in name for name in page.query_params)


@pytest.mark.parametrize(
    ("kind", "key", "spoilt"),
    [("sqlalchemy", "live-dsn", SPOIL), ("aiohttp", "live-url", SPOIL_URL)],
    ids=["DSN", "URL"],
)
def test_every_malformed_target_is_refused_on_the_page_without_its_secret(
    kind: str,
    key: str,
    spoilt: dict[str, Callable[[random.Random], str]],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    page = chosen(kind)
    for what, spoil in spoilt.items():
        sent(page, key, spoil(random.Random(1)))
        assert not page.exception
        [error] = [one.value for one in page.error]
        assert "must" in error or " has " in error, what
        shown = said(page) + error + str(dict(page.query_params))
        assert CANARY not in shown, what
    written = capfd.readouterr()
    assert CANARY not in caplog.text + written.out + written.err


def test_what_a_check_uses_and_leaves_free_is_said_in_numbers() -> None:
    found = PostgresFacts("16.4", 100, 3, 30, -1, 5, -1, 10, False, False, False)
    text = room(found)
    assert "30 of 100" in text
    assert "at most 16" in text
    assert "15 for the pool" in text
    assert "51 stay free" in text
    assert "Too few" in room(replace(found, in_use=95))
    table = facts(found)
    assert len(table["what"]) == len(table["found"]) > 8
    assert "200" in room(HttpFacts(200, Spread(0.02, 0.01, 10), 5))


def test_durations_become_holds_within_their_bounds() -> None:
    scenario = with_holds(parse("hold_ms=20"), Spread(0.0305, 0.061, 50))
    assert (scenario.workload.hold_s_mean, scenario.workload.hold_cv) == (0.0305, 2.0)
    assert with_holds(scenario, Spread(1e9, 0.0, 1)).workload.hold_s_mean == 60.0


def test_costs_count_as_adopted_once_the_settings_hold_them_as_exactly_as_widgets_can() -> None:
    wanted = parse("rtt_ms=2.187&connect_ms=44.812&overhead_ms=0.634&entry_ms=0.061")
    assert is_adopted(parse("rtt_ms=2.2&connect_ms=45&overhead_ms=0.6&entry_ms=0.06"), wanted)
    assert not is_adopted(parse("rtt_ms=2.2&connect_ms=5&overhead_ms=0.6"), wanted)


def test_a_secret_neither_prints_nor_pickles() -> None:
    import copy
    import pickle

    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]}"
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            act(secret)
