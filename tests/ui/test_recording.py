"""Recorded arrivals on the page: what to do without a file, and what a file leads to."""

from streamlit.testing.v1 import AppTest

from tests.ui.test_page import opened, said
from ui.panels.recording import EMPTY

ROWS = "asked_s,hold_ms\n" + "".join(f"{k / 40},10\n" for k in range(100)) + "x,1\n"


def uploaded(page: AppTest, content: str) -> AppTest:
    box = page.get("file_uploader")[0]
    box.set_value([("arrivals.csv", content.encode(), "text/csv")])
    return page.run()


def test_without_a_file_the_page_says_what_to_do_and_with_one_it_answers() -> None:
    page = opened(pattern="recorded", recording="0123456789ab")
    assert EMPTY in [box.value for box in page.info]
    assert "digest 0123456789ab" in said(page)
    assert not page.metric
    uploaded(page, ROWS)
    assert not page.exception
    assert page.metric
    assert "100 requests over 2.48 s, with holds" in said(page)
    assert "row 102: asked must be a number" in said(page)
    assert "The address means another file" in said(page)


def test_a_file_that_cannot_be_played_is_refused_in_words() -> None:
    page = uploaded(opened(pattern="recorded"), "time\n1\n")
    assert not page.exception
    assert "must have a column asked" in said(page)
    assert EMPTY in [box.value for box in page.info]
