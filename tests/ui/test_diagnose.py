"""The section "What is using its connections": plain text, a table, what may not be seen."""

from streamlit.testing.v1 import AppTest

from pools.live.diagnose.activity import Activity, Session
from pools.live.diagnose.diagnosis import diagnose
from pools.live.preflight import PostgresFacts
from ui.panels.diagnose import rows

EVIL = "![x](http://evil.example) :red[shop]"
SESSIONS = (
    Session(EVIL, "app", "shop", "idle in transaction", None, None, 300.0, 300.0, 900.0),
    Session("jobs", "other", "shop"),
)
FACTS = PostgresFacts("18", 100, 3, 2, -1, 1, -1, 2, False, False, False)


def _page() -> None:
    from pools.live.diagnose.activity import Activity
    from sim.query import parse
    from tests.ui.test_diagnose import FACTS, SESSIONS
    from ui.panels.diagnose import section

    section(Activity(SESSIONS, sees_all=False), FACTS, parse("kind=asyncpg"))


def test_names_from_the_server_are_never_markdown() -> None:
    page = AppTest.from_function(_page).run(timeout=30)
    assert not page.exception
    assert any(EVIL in text.value for text in page.text)
    assert not [one for one in (*page.markdown, *page.caption) if EVIL in one.value]
    assert "GRANT pg_monitor" in " ".join(text.value for text in page.text)


def test_the_table_has_a_row_for_each_application() -> None:
    shown = rows(diagnose(Activity(SESSIONS, sees_all=False), FACTS))
    assert {row["application"]: row["hidden"] for row in shown} == {EVIL: 0, "jobs": 1}
    assert all(value is not None for row in shown for value in row.values())
