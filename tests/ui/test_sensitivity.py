"""What the wait hangs on, from the page."""

from streamlit.testing.v1 import AppTest

from tests.ui.test_page import opened, said

SMALL = {"duration_s": "3", "warm_up_s": "0.5", "replications": "4", "pool_size": "3"}
BUSY = {"max_overflow": "0", "rate": "120"}
PATIENCE_S = 90.0


def ranked() -> AppTest:
    page = opened(**SMALL, **BUSY)
    page.session_state["sensitivity"] = True
    page.run(timeout=PATIENCE_S)
    page.button(key="sensitivity-run").click().run(timeout=PATIENCE_S)
    assert not page.exception
    return page


def test_nothing_is_ranked_until_asked() -> None:
    assert "strongest lever" not in said(opened(**SMALL, **BUSY))


def test_the_strongest_lever_of_a_busy_pool_is_its_load() -> None:
    page = ranked()
    assert "The strongest lever: " in said(page)
    settings = page.table[-1].value["setting"].tolist()
    assert settings.index("hold_ms") < 4
    assert "rate" in settings
    assert "seed" not in settings


def test_a_ranking_says_that_settings_have_changed() -> None:
    page = ranked()
    page.select_slider(key="rate").set_value(100.0).run(timeout=PATIENCE_S)
    assert any("Settings have changed since" in one.value for one in page.warning)
