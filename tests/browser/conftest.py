"""The page in a real Chromium against a real server: fixtures, and what every test promises.

Every test that takes `page` also promises: no request leaves this machine, nothing is blocked
by the content policy, nothing is written to the console as an error, and no exception is logged.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.acts import PATIENCE_MS
from tests.browser.serving import Application, running_application, running_browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def application() -> Iterator[Application]:
    with running_application() as started:
        yield started


@pytest.fixture(scope="session")
def base(application: Application) -> str:
    return application.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module: Playwright keeps an event loop, in which no other test could run one."""
    expect.set_options(timeout=PATIENCE_MS)
    with running_browser() as started:
        yield started


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One context for all: it keeps the cache, so a page opens twice as fast."""
    made = browser.new_context(viewport={"width": 1440, "height": 900})
    made.set_default_timeout(PATIENCE_MS)
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, application: Application) -> Iterator[Page]:
    opened = context.new_page()
    complaints = watch(opened, application.address)
    yield opened
    opened.close()
    assert complaints == []
    assert application.exceptions() == ""


def watch(page: Page, base: str) -> list[str]:
    """Collect everything a page must not do."""
    complaints: list[str] = []
    own = urlsplit(base).netloc

    def on_request(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != own:
            complaints.append(f"request to {url}")

    page.on("request", lambda request: on_request(request.url))
    page.on("websocket", lambda socket: on_request(socket.url))
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.on(
        "console",
        lambda said: complaints.append(f"console: {said.text}") if said.type == "error" else None,
    )
    return complaints
