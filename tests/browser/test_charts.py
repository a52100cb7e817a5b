"""Charts change in place: what the reader did to them stays, and nothing blinks."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.acts import chart, code, drawn, settle, sideways, slider, visit

# Counts animation frames in which a chart lacks one of the lines it had, and removed charts.
_WATCH = """() => {
  const nodes = [...document.querySelectorAll('.poolwise-chart')];
  const lines = (node) => node.querySelectorAll('.scatterlayer path.js-line').length;
  const had = nodes.map(lines);
  window.__blank = { frames: 0, blank: 0, had };
  const look = () => {
    const now = [...document.querySelectorAll('.poolwise-chart')];
    window.__blank.frames += 1;
    const gone = nodes.some((node, at) => now[at] !== node || lines(node) < had[at]);
    if (gone) window.__blank.blank += 1;
    window.__watching = requestAnimationFrame(look);
  };
  look();
}"""
_STOP = "() => { cancelAnimationFrame(window.__watching); return window.__blank; }"


def test_held_arrow_key_never_blanks_a_chart_and_ends_at_the_last_value(
    page: Page, base: str
) -> None:
    visit(page, f"{base}/?duration_s=5&rate=150")
    page.evaluate(_WATCH)
    pool_size = slider(page, "pool_size")
    pool_size.focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(40)
    expect(code(page)).to_contain_text("pool_size=17")
    settle(page)
    watched = page.evaluate(_STOP)
    assert all(watched["had"])
    assert watched["frames"] > 10
    assert watched["blank"] == 0
    label = chart(page, "over-time").get_attribute("aria-label") or ""
    assert "a capacity of 27" in label


def test_zoom_and_hidden_lines_survive_a_slider_step(page: Page, base: str) -> None:
    visit(page, base)
    plot = chart(page, "over-time")
    box = plot.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=5)
    page.mouse.up()
    plot.locator(".legendtoggle").nth(2).click()
    page.wait_for_timeout(500)
    zoomed = _x_range(page)
    assert zoomed[1] - zoomed[0] < 8
    before = drawn(page, "over-time")
    slider(page, "pool_size").press("ArrowRight")
    expect(code(page)).to_contain_text("pool_size=6")
    settle(page)
    assert drawn(page, "over-time") != before
    assert _x_range(page) == zoomed
    hidden = plot.evaluate("node => node._fullData.map(trace => trace.visible)")
    assert "legendonly" in hidden


def test_charts_say_in_words_what_they_show(page: Page, base: str) -> None:
    visit(page, base)
    image = page.get_by_role("img", name="Connections over 12 s")
    expect(image).to_be_visible()
    expect(page.get_by_role("img", name="Waits for a connection")).to_be_attached()


def test_chart_without_its_script_is_readable_text(browser: Browser, base: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/vendor/*", lambda route: route.abort())
    page.goto(base)
    sorry = page.locator(".poolwise-chart").first
    expect(sorry).to_contain_text("could not be drawn")
    expect(sorry).to_contain_text("in use on average")
    expect(code(page)).to_contain_text("pool_size=5")
    context.close()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (820, 1180), (1440, 900)])
def test_page_never_scrolls_sideways(browser: Browser, base: str, width: int, height: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    visit(page, base)
    assert sideways(page) <= 0
    plot = chart(page, "over-time").bounding_box()
    text = code(page).bounding_box()
    assert plot is not None
    assert text is not None
    assert plot["width"] >= 250
    assert text["width"] >= 250
    context.close()


def test_phone_says_where_the_settings_are_and_they_open(browser: Browser, base: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    visit(page, base)
    expect(page.get_by_text("All settings are behind")).to_be_visible()
    page.get_by_test_id("stExpandSidebarButton").click()
    expect(slider(page, "pool_size")).to_be_attached()
    expect(page.locator(".st-key-kind")).to_be_in_viewport()
    context.close()


def test_charts_follow_the_theme_without_a_rerun_and_keep_contrast(page: Page, base: str) -> None:
    colours = {}
    visit(page, base)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_timeout(1500)
        colours[scheme] = _colours(page)
    page.emulate_media(color_scheme="light")
    assert colours["light"]["text"] != colours["dark"]["text"]
    for scheme in colours.values():
        assert _contrast(scheme["text"], scheme["background"]) >= 4.5
        for line in scheme["lines"]:
            assert _contrast(line, scheme["background"]) >= 3.0


def test_theme_can_be_chosen_in_the_menu_and_charts_follow(browser: Browser, base: str) -> None:
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    visit(page, base)
    before = _colours(page)
    page.get_by_role("button", name="Main menu").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    page.wait_for_timeout(1500)
    after = _colours(page)
    assert _luminance(after["background"]) < 0.05 < _luminance(before["background"])
    assert _contrast(after["text"], after["background"]) >= 4.5
    context.close()


def _x_range(page: Page) -> list[float]:
    found = chart(page, "over-time").evaluate("node => node._fullLayout.xaxis.range.slice()")
    return [float(one) for one in found]


def _colours(page: Page) -> dict[str, Any]:
    found = chart(page, "over-time").evaluate(
        """node => {
          const app = document.querySelector('[data-testid=stApp]');
          const lines = node._fullData.filter(trace => trace.line.width)
            .map(trace => trace.line.color);
          const probe = document.createElement('span');
          document.body.append(probe);
          const rgb = (colour) => {
            probe.style.color = colour;
            return getComputedStyle(probe).color;
          };
          const answer = {
            text: rgb(node._fullLayout.font.color),
            background: getComputedStyle(app).backgroundColor,
            lines: lines.map(rgb),
          };
          probe.remove();
          return answer;
        }"""
    )
    assert isinstance(found, dict)
    return found


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
