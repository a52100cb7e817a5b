"""Paste yours in a real browser: paste, move the sliders, copy a fix; the secret stays."""

import re
from urllib.parse import unquote

from playwright.sync_api import Page, expect

from tests.browser.acts import code, settle, slider, visit

SECRET = "Zq9secret"
MODULE = f"""import asyncio
from sqlalchemy.ext.asyncio import create_async_engine

URL = "postgresql+asyncpg://app:{SECRET}@db.internal/orders"
engine = create_async_engine(
    URL,
    pool_size=17,
    max_overflow=3,
)
"""
QUICK = "duration_s=3&warm_up_s=0.5&replications=2"


def open_panel(page: Page, base: str) -> None:
    visit(page, f"{base}/?{QUICK}")
    page.get_by_text("Paste yours: find its settings and mistakes").click()
    expect(page.get_by_label("Your code, command line or DSN")).to_be_visible()


def test_pasted_code_moves_the_sliders_and_its_password_goes_nowhere(page: Page, base: str) -> None:
    open_panel(page, base)
    box = page.get_by_label("Your code, command line or DSN")
    box.fill(MODULE)
    box.press("Control+Enter")
    expect(page.get_by_text("Found 2 settings.")).to_be_visible()
    page.get_by_role("button", name="Move the sliders").click()
    expect(slider(page, "pool_size")).to_have_attribute("aria-valuetext", "17")
    expect(slider(page, "max_overflow")).to_have_attribute("aria-valuetext", "3")
    expect(code(page)).to_contain_text("pool_size=17")
    expect(page).to_have_url(re.compile("pool_size=17"))
    expect(page.get_by_text("The sliders stand at these settings.")).to_be_visible()
    assert SECRET not in unquote(page.url)
    expect(page.locator(".st-key-finding-0")).to_contain_text("Line 4")
    assert SECRET not in page.locator(".st-key-finding-0").inner_text()
    page.go_back()
    expect(slider(page, "pool_size")).to_have_attribute("aria-valuetext", "5")


def test_a_fix_is_copied_as_a_diff(page: Page, base: str) -> None:
    open_panel(page, base)
    box = page.get_by_label("Your code, command line or DSN")
    box.fill("import aiohttp\nc = aiohttp.TCPConnector(limit=33, ssl=False)\n")
    box.press("Control+Enter")
    page.get_by_role("button", name="Copy diff").click()
    settle(page)
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith("--- a/pasted\n+++ b/pasted\n")
    assert "+c = aiohttp.TCPConnector(limit=33)\n" in copied


def test_a_file_is_read_and_a_broken_one_gets_a_sentence(page: Page, base: str) -> None:
    open_panel(page, base)
    chooser = page.locator("[data-testid=stFileUploader] input[type=file]")
    chooser.set_input_files({"name": "db.py", "mimeType": "text/x-python", "buffer": b"def f(:\n"})
    expect(page.get_by_text("Line 1 is not valid Python")).to_be_visible()
    chooser.set_input_files(
        {"name": "web.sh", "mimeType": "text/plain", "buffer": b"uvicorn app:app --workers 3\n"}
    )
    expect(page.get_by_text("Found 1 setting.")).to_be_visible()


def test_the_checklist_is_downloaded_with_what_was_ticked(page: Page, base: str) -> None:
    visit(page, f"{base}/?{QUICK}")
    page.get_by_text("Checklist before production").click()
    done = page.get_by_text(re.compile(r"\d+ of \d+ done"))
    expect(done).to_be_visible()
    settle(page)
    before = done.inner_text()
    item = page.locator("[class*=st-key-check-]").first
    item.locator("label").first.click()
    expect(done).not_to_have_text(before)
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").last.click()
    assert download.value.suggested_filename == "checklist.md"
    text = download.value.path().read_text(encoding="utf-8")
    assert text.startswith("# Connection pool checklist")
    assert "said on the page" in text
