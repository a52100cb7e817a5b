"""What a test does on the page, in words."""

from typing import Any

from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 45_000
_SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  const idle = app && app.dataset.testScriptState === 'notRunning'
    && app.dataset.testConnectionState === 'CONNECTED'
    && !document.querySelector('[data-stale=true],[data-testid=stSkeleton]');
  const now = performance.now();
  if (!idle) { window.__idleSince = null; return false; }
  window.__idleSince ??= now;
  return now - window.__idleSince > 150;
}"""


def settle(page: Page) -> None:
    """Wait until the page has been idle for a moment."""
    page.wait_for_function(_SETTLED, polling=50, timeout=PATIENCE_MS)


def visit(page: Page, address: str) -> None:
    """Open an address and wait until its charts are drawn."""
    page.goto(address)
    expect(chart(page, "over-time").locator(".main-svg").first).to_be_visible(timeout=PATIENCE_MS)
    settle(page)


def chart(page: Page, key: str) -> Locator:
    """Return the chart with a key."""
    return page.locator(f".st-key-{key} .poolwise-chart")


def slider(page: Page, name: str) -> Locator:
    """Return a setting's slider."""
    return page.locator(f".st-key-{name}").get_by_role("slider")


def code(page: Page) -> Locator:
    """Return the generated code."""
    return page.locator(".st-key-code pre")


def drawn(page: Page, key: str) -> list[Any]:
    """Return what a chart shows: the values of all its traces."""
    found = chart(page, key).evaluate("node => node.data.map(trace => [...trace.y])")
    assert isinstance(found, list)
    return found


def sideways(page: Page) -> int:
    """Return by how many pixels the page can be scrolled to the side."""
    return int(
        page.evaluate(
            "() => Math.max(...[document.documentElement, ...document.querySelectorAll("
            "'[data-testid=stMain],[data-testid=stAppViewContainer]')]"
            ".map(node => node.scrollWidth - node.clientWidth))"
        )
    )
