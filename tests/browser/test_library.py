"""Asking the real library from the page, in a real browser: answer, overlay, cancel."""

import re

import psutil
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.acts import chart, drawn, settle, slider, visit
from tests.browser.serving import Application

QUICK = "kind=asyncpg&duration_s=10&warm_up_s=1&rate=300&replications=2"
# Long enough for its progress to be seen.
SEEN = "kind=asyncpg&duration_s=40&warm_up_s=1&rate=300&replications=2"
LONG = "kind=sqlalchemy-null&duration_s=60&rate=50&replications=2"
END_MS = 90_000
GONE_S_MAX = 30.0
SAME = re.compile(r"([\d,]+) of \1 requests: same connection, same time")


def panel_of(page: Page) -> Locator:
    return page.locator(".st-key-library-panel")


def ask(page: Page) -> None:
    panel_of(page).get_by_role("button", name="Ask the library").click()


def askers(server: psutil.Process) -> list[psutil.Process]:
    """Return the server's processes that ask a library."""
    return [child for child in server.children() if "pools.twin.child" in child.cmdline()]


def test_asking_shows_progress_then_agreement_and_lays_the_library_over_the_simulation(
    page: Page, base: str
) -> None:
    visit(page, f"{base}/?{SEEN}")
    ask(page)
    panel = panel_of(page)
    expect(panel.get_by_role("progressbar")).to_be_visible()
    expect(panel).to_contain_text(SAME, timeout=END_MS)
    expect(panel).to_contain_text(re.compile(r"Asked asyncpg \d+\.\d+"))
    for key, half in (("library-waits", 1), ("library-over-time", 3)):
        expect(chart(page, key).locator(".main-svg").first).to_be_visible()
        lines = drawn(page, key)
        assert lines[:half] == lines[half:]
        assert any(any(line) for line in lines)
        paths = chart(page, key).locator(".scatterlayer path.js-line")
        expect(paths).to_have_count(2 * half)
    cells = panel.get_by_test_id("stTable").get_by_role("cell").all_inner_texts()
    assert cells
    slider(page, "max_size").press("ArrowRight")
    expect(panel).to_contain_text("Settings have changed since")


def test_asking_works_with_the_keyboard_alone(page: Page, base: str) -> None:
    visit(page, f"{base}/?{QUICK}")
    panel_of(page).get_by_role("button", name="Ask the library").focus()
    page.keyboard.press("Enter")
    expect(panel_of(page)).to_contain_text(SAME, timeout=END_MS)


def test_asking_can_be_cancelled_and_settings_can_be_changed_meanwhile(
    page: Page, base: str, application: Application
) -> None:
    server = psutil.Process(application.pid)
    visit(page, f"{base}/?{LONG}")
    ask(page)
    panel = panel_of(page)
    expect(panel).to_contain_text(re.compile(r"[1-9][\d,]* of [\d,]+ requests asked"))
    slider(page, "rate").press("ArrowRight")
    expect(page).to_have_url(re.compile("rate=(?!50&)"))
    assert len(askers(server)) == 1
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_contain_text("Cancelled")
    assert askers(server) == []
    settle(page)
    ask(page)
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_contain_text("Cancelled")


def test_closing_the_tab_ends_the_question(
    context: BrowserContext, application: Application
) -> None:
    server = psutil.Process(application.pid)
    page = context.new_page()
    visit(page, f"{application.address}/?{LONG}")
    ask(page)
    expect(panel_of(page).get_by_role("button", name="Cancel")).to_be_visible()
    [asker] = askers(server)
    page.close()
    _, alive = psutil.wait_procs([asker], timeout=GONE_S_MAX)
    assert alive == []
