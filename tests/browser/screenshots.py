"""Takes the screenshots that the documentation shows, from the real application.

Run as `python -m tests.browser.screenshots`; writes docs/screenshots/*.png.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.acts import chart, settle, visit
from tests.browser.serving import running_application, running_browser

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
BYTES_MAX = 400_000
DRAWN_MS = 600
LIVE_MS = 90_000
BUSY = "pool_size=5&max_overflow=3&rate=320"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its file name, the query shown, the window, and the colour scheme."""

    name: str
    query: str
    width: int
    height: int
    scheme: str = "light"


SHOTS = (
    Shot("desktop-light", BUSY, 1440, 900),
    Shot("desktop-dark", BUSY, 1440, 900, "dark"),
    Shot("phone-light", BUSY, 390, 844),
    Shot("phone-dark", BUSY, 390, 844, "dark"),
    Shot("whole-page-light", BUSY, 1440, 1560),
    Shot("whole-page-dark", BUSY, 1440, 1560, "dark"),
)


@contextmanager
def opened(browser: Browser, address: str, shot: Shot) -> Iterator[Page]:
    """Open the page of a shot, settled and drawn."""
    page = browser.new_page(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.scheme == "dark" else "light",
    )
    visit(page, f"{address}/?{shot.query}")
    page.wait_for_timeout(DRAWN_MS)
    yield page
    page.close()


def save(page: Page, name: str) -> None:
    """Write one picture. Raises ValueError if it is too large for the repository."""
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    size = path.stat().st_size
    if size > BYTES_MAX:
        raise ValueError(f"{path.name} must be at most {BYTES_MAX} bytes, got {size}")
    print(f"{path.name:<28}{size // 1000:>6} kB")


def live_check(browser: Browser, address: str, scheme: str) -> None:
    """Run a live check to its end and take its picture."""
    shot = Shot(
        f"live-check-{scheme}",
        "duration_s=8&pool_size=3&max_overflow=2&rate=180",
        1440,
        900,
        scheme,
    )
    with opened(browser, address, shot) as page:
        page.get_by_role("button", name="Run live check").click()
        drawn = chart(page, "comparison").locator(".main-svg").first
        expect(drawn).to_be_visible(timeout=LIVE_MS)
        settle(page)
        chart(page, "comparison").scroll_into_view_if_needed()
        page.wait_for_timeout(DRAWN_MS)
        save(page, shot.name)


def main() -> None:
    """Take every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running_application() as application, running_browser() as browser:
        for shot in SHOTS:
            with opened(browser, application.address, shot) as page:
                save(page, shot.name)
        for scheme in ("light", "dark"):
            live_check(browser, application.address, scheme)


if __name__ == "__main__":
    main()
