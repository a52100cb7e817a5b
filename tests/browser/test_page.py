"""The main job, from opening the page to the code on the clipboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acts import chart, code, drawn, settle, slider, visit


def test_default_page_shows_verdict_charts_and_code_without_any_input(
    page: Page, base: str
) -> None:
    visit(page, base)
    expect(page.get_by_role("heading", name="Poolwise")).to_be_visible()
    expect(page.get_by_test_id("stAlert").first).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(5)
    for key in ("over-time", "waits"):
        expect(chart(page, key).locator(".scatterlayer path.js-line").first).to_be_attached()
    expect(code(page)).to_contain_text("pool_size=5")
    expect(page.get_by_role("button", name="Copy code")).to_be_in_viewport()


def test_slider_key_press_changes_chart_code_and_address(page: Page, base: str) -> None:
    visit(page, base)
    before = drawn(page, "over-time")
    slider(page, "pool_size").press("ArrowRight")
    expect(code(page)).to_contain_text("pool_size=6")
    expect(page).to_have_url(f"{base}/?pool_size=6")
    settle(page)
    assert drawn(page, "over-time") != before


@pytest.mark.parametrize("gap_ms", [0, 50, 120])
def test_keys_pressed_faster_than_the_page_answers_are_all_heard(
    page: Page, base: str, gap_ms: int
) -> None:
    visit(page, base)
    pool_size = slider(page, "pool_size")
    pool_size.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(gap_ms)
    expect(code(page)).to_contain_text("pool_size=9")
    settle(page)
    expect(pool_size).to_have_attribute("aria-valuetext", "9")
    expect(page).to_have_url(f"{base}/?pool_size=9")


def test_copy_button_puts_the_code_on_the_clipboard_and_says_so(page: Page, base: str) -> None:
    visit(page, f"{base}/?pool_size=7")
    page.get_by_role("button", name="Copy code").click()
    expect(page.get_by_text("Copied to the clipboard")).to_be_attached()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert "pool_size=7" in copied
    compile(copied, "pasted", "exec")


def test_download_gives_the_same_file_without_a_rerun(page: Page, base: str) -> None:
    visit(page, f"{base}/?pool_size=7")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download").click()
    assert caught.value.suggested_filename.endswith(".py")
    assert "pool_size=7" in caught.value.path().read_text()


def test_reload_restores_every_setting(page: Page, base: str) -> None:
    query = "kind=asyncpg&max_size=37&rate=303&cores=9&pattern=spike&replicas=2"
    visit(page, f"{base}/?{query}")
    page.reload()
    visit(page, page.url)
    expect(code(page)).to_contain_text("max_size=37")
    expect(slider(page, "rate")).to_have_attribute("aria-valuetext", "303")
    assert _parameters(page.url) == set(query.split("&"))


def test_preset_sets_code_and_address_and_one_step_back_undoes_it(page: Page, base: str) -> None:
    visit(page, f"{base}/?pool_size=7&rate=90")
    _choose_preset(page, "asyncpg service")
    expect(code(page)).to_contain_text("create_pool")
    expect(page).to_have_url(re.compile("kind=asyncpg"))
    settle(page)
    assert _parameters(page.url) == {
        "kind=asyncpg", "acquire_timeout=2.0", "rate=400", "hold_ms=15"
    }  # fmt: skip
    page.go_back()
    expect(code(page)).to_contain_text("pool_size=7")
    settle(page)
    assert _parameters(page.url) == {"pool_size=7", "rate=90"}
    expect(slider(page, "rate")).to_have_attribute("aria-valuetext", "90")


def test_folded_settings_follow_the_steps_back_and_forward(page: Page, base: str) -> None:
    visit(page, base)
    fleet = page.get_by_text("Fleet", exact=True)
    replicas = page.locator(".st-key-replicas input")
    expect(replicas).to_have_count(0)
    fleet.click()
    replicas.fill("3")
    replicas.press("Enter")
    expect(page).to_have_url(f"{base}/?replicas=3")
    settle(page)
    fleet.click()
    settle(page)
    slider(page, "pool_size").press("ArrowRight")
    expect(code(page)).to_contain_text("pool_size=6")
    settle(page)
    assert _parameters(page.url) == {"replicas=3", "pool_size=6"}
    _choose_preset(page, "Defaults")
    expect(code(page)).to_contain_text("pool_size=5")
    settle(page)
    assert _parameters(page.url) == set()
    expect(replicas).to_have_count(0)
    page.go_back()
    expect(code(page)).to_contain_text("pool_size=6")
    settle(page)
    assert _parameters(page.url) == {"replicas=3", "pool_size=6"}
    expect(replicas).to_have_value("3")
    page.go_forward()
    expect(code(page)).to_contain_text("pool_size=5")
    settle(page)
    assert _parameters(page.url) == set()
    expect(replicas).to_have_value("1")


def test_preset_is_one_step_in_history_however_much_it_changes(page: Page, base: str) -> None:
    visit(page, f"{base}/?rate=90")
    _choose_preset(page, "High load")
    expect(code(page)).to_contain_text("pool_timeout=5.0")
    settle(page)
    page.go_back()
    expect(code(page)).to_contain_text("pool_timeout=30.0")
    settle(page)
    assert _parameters(page.url) == {"rate=90"}
    page.go_forward()
    expect(code(page)).to_contain_text("pool_timeout=5.0")


def test_preset_of_defaults_empties_the_address(page: Page, base: str) -> None:
    visit(page, f"{base}/?pool_size=7&rate=90")
    _choose_preset(page, "Defaults")
    expect(code(page)).to_contain_text("pool_size=5")
    settle(page)
    assert _parameters(page.url) == set()


def test_kind_switch_keeps_the_workload_and_shows_that_library(page: Page, base: str) -> None:
    visit(page, f"{base}/?rate=303&pool_size=7")
    page.locator(".st-key-kind").get_by_role("radio", name="aiohttp").click()
    expect(code(page)).to_contain_text("TCPConnector")
    expect(slider(page, "rate")).to_have_attribute("aria-valuetext", "303")
    settle(page)
    assert _parameters(page.url) == {"kind=aiohttp", "rate=303"}


def test_bad_link_is_reported_and_its_good_values_are_kept(page: Page, base: str) -> None:
    visit(page, f"{base}/?pool_size=abc&rate=90&colour=red")
    notice = page.locator(".st-key-link-notice")
    expect(notice).to_contain_text("pool_size must be a whole number from 0 to 500")
    expect(notice).to_contain_text("'colour' is not a parameter")
    expect(slider(page, "rate")).to_have_attribute("aria-valuetext", "90")
    expect(code(page)).to_contain_text("pool_size=5")
    page.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)


def test_markup_in_a_link_is_shown_as_text(page: Page, base: str) -> None:
    visit(page, f"{base}/?%3Cimg%20src%3Dx%3E=1&rate=%5Ba%5D(https://example.org)%3Cb%3E")
    notice = page.locator(".st-key-link-notice")
    expect(notice).to_contain_text("<img src=x>")
    expect(notice.locator("a, img, b")).to_have_count(0)


def test_settings_that_do_not_fit_together_replace_the_result(page: Page, base: str) -> None:
    page.goto(f"{base}/?kind=asyncpg&min_size=20")
    expect(page.get_by_test_id("stAlert")).to_contain_text("min_size must be at most max_size (10)")
    settle(page)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    expect(page.locator(".poolwise-chart")).to_have_count(0)


def test_share_offers_link_and_command_of_these_settings(page: Page, base: str) -> None:
    visit(page, f"{base}/?rate=90&pool_size=7")
    page.get_by_role("button", name="Share").click()
    offered = page.get_by_test_id("stPopoverBody")
    expect(offered).to_contain_text(f"{base}/?pool_size=7&rate=90")
    expect(offered).to_contain_text('python -m sim "pool_size=7&rate=90" --json')


def test_users_in_a_link_mean_a_closed_loop_and_stay_in_the_address(page: Page, base: str) -> None:
    visit(page, f"{base}/?users=80")
    expect(slider(page, "users")).to_have_attribute("aria-valuetext", "80")
    slider(page, "users").press("ArrowRight")
    expect(page).to_have_url(re.compile("users=90"))
    settle(page)
    page.reload()
    visit(page, page.url)
    expect(slider(page, "users")).to_have_attribute("aria-valuetext", "90")


def _choose_preset(page: Page, name: str) -> None:
    page.get_by_role("button", name="Preset:").click()
    page.get_by_role("menuitem", name=name).click()


def _parameters(address: str) -> set[str]:
    return set(filter(None, address.partition("?")[2].split("&")))
