"""A pinned scenario in a real browser: in the address, on the same axes, and after a reload."""

import re

from playwright.sync_api import Page, expect

from tests.browser.acts import chart, drawn, settle, sideways, slider, visit

QUICK = "kind=asyncpg&duration_s=3&warm_up_s=0.5"


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
