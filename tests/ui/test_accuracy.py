"""The accuracy page, from the page."""

from tests.ui.test_page import opened, said
from ui.panels import accuracy


def test_the_accuracy_page_is_one_press_away() -> None:
    page = opened(duration_s="2", warm_up_s="0.5")
    assert "Workloads identical" not in said(page)
    page.button(key="accuracy").click().run(timeout=60)
    assert not page.exception
    assert "Workloads identical" in said(page)


def test_it_has_no_link_that_leads_nowhere() -> None:
    assert "](" not in accuracy.text()
    assert "2 microseconds" in accuracy.text()
