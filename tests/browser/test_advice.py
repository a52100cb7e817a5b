"""Goal, answer and comparison in a real browser: by hand and by keyboard, one step back."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.acts import chart, drawn, settle, sideways, slider, visit

QUICK = "kind=asyncpg&duration_s=3&warm_up_s=0.5"
GOAL = "goal_wait_ms=20"
END_MS = 90_000


def panel_of(page: Page) -> Locator:
    return page.locator(".st-key-advice")


def test_the_settings_found_are_used_with_one_press_and_taken_back_with_one_step(
    page: Page, base: str
) -> None:
    visit(page, f"{base}/?{QUICK}&rate=60&{GOAL}")
    panel = panel_of(page)
    find = panel.get_by_role("button", name="Find the settings")
    find.focus()
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("here is the proof", timeout=END_MS)
    expect(panel).to_contain_text("The next cheaper one")
    before = page.url
    panel.get_by_role("button", name="Use these").click()
    expect(panel).to_contain_text("These settings are in force")
    expect(page).to_have_url(re.compile(r"max_size=\d"))
    assert sideways(page) == 0
    page.go_back()
    expect(page).to_have_url(before)


def test_a_pin_is_kept_in_the_address_and_both_are_drawn(page: Page, base: str) -> None:
    visit(page, f"{base}/?{QUICK}&rate=400")
    page.get_by_role("button", name="Pin as A").click()
    expect(page).to_have_url(re.compile(r"pin=kind%3Dasyncpg"))
    settle(page)
    slider(page, "max_size").press("ArrowRight")
    panel = page.locator(".st-key-compare-panel")
    expect(panel).to_contain_text("B − A")
    expect(chart(page, "compare-waits").locator(".main-svg").first).to_be_visible()
    assert len(drawn(page, "compare-waits")) == 2
    assert sideways(page) == 0
    address = page.url
    visit(page, address)
    expect(panel).to_contain_text("max_size")
    page.get_by_role("button", name="Unpin").click()
    expect(page).not_to_have_url(re.compile("pin="))
    expect(panel).to_have_count(0)
