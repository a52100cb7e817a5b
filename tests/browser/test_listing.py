"""The listing of the code: marked, explained, and as good to select as any text."""

from playwright.sync_api import Page, expect

from tests.browser.acts import code, settle, slider, visit


def test_line_that_a_key_press_changed_is_marked_and_says_why_on_hovering(
    page: Page, base: str
) -> None:
    visit(page, base)
    expect(code(page).locator("[data-changed]")).to_have_count(0)
    slider(page, "pool_size").press("ArrowRight")
    marked = code(page).locator("[data-changed]")
    expect(marked).to_have_count(1)
    expect(marked).to_have_text("pool_size=6,")
    assert "pool_size: scenario" in str(marked.get_attribute("title"))


def test_text_selected_by_hand_is_the_code(page: Page, base: str) -> None:
    visit(page, base)
    selected = code(page).evaluate(
        "node => { getSelection().selectAllChildren(node); return getSelection().toString(); }"
    )
    page.get_by_role("button", name="Copy code").click()
    expect(page.get_by_text("Copied to the clipboard")).to_be_attached()
    assert selected.strip() == page.evaluate("() => navigator.clipboard.readText()").strip()


def test_lines_that_stay_the_same_are_left_alone(page: Page, base: str) -> None:
    visit(page, base)
    code(page).evaluate(
        "node => { node.scrollTop = 60; for (const line of node.querySelectorAll('[data-line]'))"
        " line.seen = true; }"
    )
    slider(page, "pool_size").press("ArrowRight")
    expect(code(page)).to_contain_text("pool_size=6")
    settle(page)
    fresh = code(page).evaluate(
        "node => [...node.querySelectorAll('[data-line]')].filter(line => !line.seen)"
        ".map(line => line.textContent.trim())"
    )
    assert fresh == ["pool_size=6,"]
    assert code(page).evaluate("node => node.scrollTop") == 60


def test_listing_can_be_scrolled_with_keys(page: Page, base: str) -> None:
    visit(page, base)
    code(page).focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "() => { const pre = document.querySelector('.st-key-code pre');"
        " return pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 2; }"
    )
