"""Making an answer surer from the page."""

from streamlit.testing.v1 import AppTest

from tests.ui.test_page import opened, said

UNSURE = {"duration_s": "4", "replications": "10", "pool_size": "3", "max_overflow": "0"}
LOADED = {"rate": "120", "seed": "1"}
PATIENCE_S = 90.0


def offered(page: AppTest) -> bool:
    return "surer" in {str(button.key) for button in page.button}


def counted(page: AppTest) -> int:
    """Return how many replications the page's numbers are from."""
    [line] = [one.value for one in page.caption if " counted in " in one.value]
    return int(line.partition(" counted in ")[2].split()[0].replace(",", ""))


def test_an_unsure_p99_is_made_surer_and_stays_so() -> None:
    page = opened(**UNSURE, **LOADED)
    assert counted(page) == 10
    page.button(key="surer").click().run(timeout=PATIENCE_S)
    assert not page.exception
    found = counted(page)
    assert found > 10
    assert "Half of the interval of the p99 wait is" in said(page)
    page.run(timeout=PATIENCE_S)
    assert counted(page) == found, "the surer answer is the page's answer from now on"
    assert counted(opened(**UNSURE, **LOADED)) == found, "also for another session"


def test_what_was_asked_of_other_settings_is_not_done_for_these() -> None:
    page = opened(**UNSURE, rate="119")
    page.session_state["_surer"] = "rate=1"
    page.run(timeout=PATIENCE_S)
    assert counted(page) == 10


def test_nothing_is_offered_where_more_replications_would_tell_nothing() -> None:
    nobody_waits = {"kind": "asyncpg", "min_size": "50", "max_size": "50", "rtt_ms": "0"}
    assert not offered(opened(**nobody_waits, duration_s="4"))
    assert not offered(opened(**UNSURE, rate="400"))  # the queue grows
