"""Paste yours, without a browser: what is read, what is shown, and what never leaves the box."""

import logging

import pytest
from streamlit.testing.v1 import AppTest

from pools.review import all_rules
from tests.ui.test_page import code_of, opened, said
from ui.panels.review import EMPTY, FINDINGS_SHOWN_MAX, NOTHING

SECRET = "Zq9secret"
ENGINE = (
    "from sqlalchemy.ext.asyncio import create_async_engine\n"
    "engine = create_async_engine(URL, pool_size=17, max_overflow=M, pool_recycle=900)\n"
)
SSL = "import aiohttp\nc = aiohttp.TCPConnector(limit=33, ssl=False)\n"


def pasted(text: str, **query: str) -> AppTest:
    """Open the page, open the panel, paste."""
    page = opened(**query)
    page.session_state["review"] = True
    page.run()
    page.text_area(key="pasted").set_value(text).run()
    assert not page.exception
    return page


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_a_closed_panel_draws_nothing_but_its_title() -> None:
    page = opened()
    labels = {box.label for box in page.expander}
    assert {"Paste yours: find its settings and mistakes", "Checklist before production"} <= labels
    assert not page.text_area
    assert EMPTY not in said(page)


def test_an_empty_panel_says_what_it_takes_and_that_it_executes_nothing() -> None:
    page = pasted("  \n")
    assert EMPTY in said(page)
    assert "never executed" in EMPTY


def test_settings_are_counted_and_what_is_not_understood_is_asked() -> None:
    text = said(pasted(ENGINE)).replace("\\", "")
    assert "Found 2 settings, 1 not understood: max_overflow." in text
    assert "Which max_overflow? line 2: M is not in the text." in text.replace("**", "")


def test_the_button_moves_the_sliders_the_address_and_the_code() -> None:
    page = pasted(ENGINE, rate="90")
    page.button(key="review-apply").click().run()
    assert not page.exception
    assert page.session_state["pool_size"] == 17
    address = {name: "".join(page.query_params[name]) for name in page.query_params}
    assert address["pool_size"] == "17"
    assert address["pool_recycle"] == "900"
    assert float(address["rate"]) == 90
    assert "pool_size=17" in code_of(page)
    assert "The sliders stand at these settings." in said(page)
    assert "Move the sliders" not in labels(page)


def test_another_kind_is_chosen_by_the_button_too() -> None:
    page = pasted("import asyncpg\npool = asyncpg.create_pool(max_size=23, min_size=2)\n")
    page.button(key="review-apply").click().run()
    assert not page.exception
    assert page.session_state["kind"] == "asyncpg"
    assert "max_size=23" in code_of(page)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("gunicorn app:app -w 4 -k uvicorn.workers.UvicornWorker", "workers", 4),
        ("uvicorn app:app --workers 3", "workers", 3),
        (f"postgresql+asyncpg://u:{SECRET}@db/app?pool_size=8", "pool_size", 8),
    ],
)
def test_command_lines_and_dsn_parameters_move_sliders(line: str, name: str, value: int) -> None:
    page = pasted(line)
    page.button(key="review-apply").click().run()
    assert not page.exception
    assert page.session_state[name] == value


def test_settings_that_cannot_stand_together_are_named_instead_of_a_button() -> None:
    page = pasted("import asyncpg\npool = asyncpg.create_pool(max_size=3)\n")
    assert "min_size must be at most max_size" in said(page).replace("\\", "")
    assert "Move the sliders" not in labels(page)


def test_a_finding_has_line_reason_diff_and_copy_button() -> None:
    before = len(pasted("import aiohttp\n").get("bidi_component"))
    page = pasted(SSL, kind="aiohttp")
    text = said(page).replace("\\", "")
    assert "Line 2: `ssl=False` switches off certificate verification" in text
    assert "verifies no certificate" in text
    [diff] = [str(one.value) for one in page.code if one.language == "diff"]
    assert "-c = aiohttp.TCPConnector(limit=33, ssl=False)\n" in diff
    assert diff.endswith("+c = aiohttp.TCPConnector(limit=33)")
    assert len(page.get("bidi_component")) == before + 1


def test_costs_are_simulated_on_demand_and_said_to_be_old_after_a_change() -> None:
    page = pasted(ENGINE.replace("pool_recycle=900", ""), rtt_ms="1")
    assert "Here:" not in said(page)
    page.button(key="review-costs").click().run(timeout=110)
    assert not page.exception
    assert "Costs are simulated with the sliders as they stand." in said(page)
    assert "**Here:** Each restart of the database fails" in said(page)
    page.session_state["pool_size"] = 9
    page.run()
    assert "The costs below are for earlier settings." in said(page)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def f(:\n", "Line 1 is not valid Python"),
        ("print 'hello'\n", "This looks like Python 2"),
        ("a\0b", "null byte"),
        ("import aiohttp  # x\n" * 60_000, "must be at most 200,000 characters"),
        ('{"cells": [{"cell_type": "code", "source": [', "The notebook is not valid JSON"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(text: str, sentence: str) -> None:
    page = pasted(text)
    assert any(sentence in str(one.value).replace("\\", "") for one in page.warning)
    assert "Move the sliders" not in labels(page)


def test_text_that_speaks_of_no_pool_is_answered_so() -> None:
    page = pasted("import math\nprint(math.pi)\n")
    assert [info.value for info in page.info] == [NOTHING]


def test_many_findings_are_cut_and_counted() -> None:
    bad = "\n".join(text for rule in all_rules().values() for text in rule.bad)
    page = pasted(bad)
    assert len([c for c in page.caption if ", " in str(c.value) and "-" in str(c.value)]) >= 20
    assert "more; `python -m pools.review FILE` lists all." in said(page)
    assert FINDINGS_SHOWN_MAX == 20


def test_a_password_reaches_neither_address_nor_log_nor_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    text = (
        "import asyncpg\n"
        f'URL = "postgresql://app:{SECRET}@db.internal/app?password={SECRET}"\n'
        "pool = asyncpg.create_pool(URL, max_size=20, acquire_timeout=3)\n"
        f"engine = create_async_engine('postgresql://u:{SECRET}@h', pool_size=2, ssl=False\n"
    )
    for given in (text, text.rpartition("engine")[0], f"postgresql://u:{SECRET}@h/d?max_size=4"):
        page = pasted(given)
        if "Move the sliders" in labels(page):
            page.button(key="review-apply").click().run()
        shown = [*page.code, *page.markdown, *page.caption, *page.warning, *page.table, *page.info]
        assert SECRET not in "".join(str(one.value) for one in shown)
        assert SECRET not in str(page.query_params)
        assert SECRET not in repr(page.session_state["_review"])
    assert SECRET not in caplog.text


def test_the_checklist_ticks_what_is_shown_asks_the_rest_and_takes_answers() -> None:
    page = opened(kind="asyncpg")
    page.session_state["checklist"] = True
    page.run()
    assert not page.exception
    boxes = page.checkbox
    asked = [box for box in boxes if str(box.key).startswith("check-")]
    assert asked
    done = next(str(m.value) for m in page.markdown if " done**" in str(m.value))
    asked[0].check().run()
    after = next(str(m.value) for m in page.markdown if " done**" in str(m.value))
    assert int(after.strip("*").split()[0]) == int(done.strip("*").split()[0]) + 1
    [download] = [b for b in page.get("download_button") if b.proto.label == "Download"][-1:]
    assert download


def test_pasted_code_ticks_the_checklist() -> None:
    page = pasted(ENGINE)
    page.session_state["checklist"] = True
    page.run()
    assert "pasted, line 2" in said(page).replace("\\", "")
