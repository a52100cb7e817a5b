"""Sweeps in a real browser: the heat map appears, is refined, and a click on a cell goes there."""

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.browser.acts import PATIENCE_MS, chart, settle, visit


def test_a_click_on_a_cell_goes_to_its_settings(page: Page, base: str) -> None:
    visit(page, f"{base}/?duration_s=1.5&warm_up_s=0.5&rate=60")
    page.get_by_role("button", name="Sweep", exact=True).click()
    plot = chart(page, "sweep-chart")
    expect(plot.locator(".main-svg").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".st-key-sweep-cancel")).to_have_count(0, timeout=PATIENCE_MS)
    settle(page)
    area = plot.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    page.mouse.click(area["x"] + area["width"] - 5, area["y"] + 5)
    corner = plot.evaluate("node => [node.data[0].x.at(-1), node.data[0].y.at(-1)]")
    page.wait_for_function("() => location.search.includes('rate=120')", timeout=PATIENCE_MS)
    found = parse_qs(urlsplit(page.url).query)
    assert [float(found["pool_size"][0]), float(found["rate"][0])] == corner
    expect(plot.locator(".main-svg").first).to_be_visible()


def test_the_picture_can_be_downloaded(page: Page, base: str) -> None:
    visit(page, f"{base}/?duration_s=1.5&warm_up_s=0.5&rate=60")
    page.get_by_role("button", name="Sweep", exact=True).click()
    plot = chart(page, "sweep-chart")
    expect(plot.locator(".main-svg").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".st-key-sweep-cancel")).to_have_count(0, timeout=PATIENCE_MS)
    settle(page)
    plot.hover()
    with page.expect_download() as download:
        plot.locator(".modebar-btn").first.click()
    assert download.value.suggested_filename == "poolwise-sweep.png"
