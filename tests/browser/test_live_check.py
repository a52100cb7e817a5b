"""The live check from the page: the real library against a real server, to its end."""

import random
import re
import time
from contextlib import suppress

import psutil
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.acts import chart, settle, slider, visit
from tests.browser.serving import Application
from tests.live.clusters import DATABASE, PASSWORD, ROLE, cluster
from tests.live.test_reading import CANARY, SPOIL

QUICK = "duration_s=2&warm_up_s=0.5&rate=60&hold_ms=10"
LONG = "duration_s=10&rate=60&hold_ms=10"
END_MS = 90_000
GONE_S_MAX = 8.0  # less than the check would have lasted


def test_live_check_runs_to_its_end_and_lays_measured_over_simulated(page: Page, base: str) -> None:
    visit(page, f"{base}/?{QUICK}")
    panel = page.locator(".st-key-live-check")
    expect(panel).to_contain_text("throw-away PostgreSQL")
    expect(panel).to_contain_text("Policy local")
    panel.get_by_role("button", name="Run live check").click()
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    expect(panel).to_contain_text(re.compile("wait measured .*, simulated"), timeout=END_MS)
    expect(chart(page, "comparison").locator(".main-svg").first).to_be_visible()
    names = chart(page, "comparison").evaluate("node => node.data.map(trace => trace.name)")
    assert names == ["simulated", "replayed", "measured"]
    expect(panel.get_by_test_id("stTable")).to_have_count(2)
    expect(panel).to_contain_text("PostgreSQL 1")
    expect(panel).to_contain_text(re.compile("The model fits|does not fit|judges nothing"))
    expect(panel).to_contain_text("Compare measured with simulated")
    slider(page, "pool_size").press("ArrowRight")
    expect(panel).to_contain_text("Settings have changed since")


def test_live_check_of_the_http_client_runs_against_a_local_server(page: Page, base: str) -> None:
    visit(page, f"{base}/?kind=aiohttp&{QUICK}")
    panel = page.locator(".st-key-live-check")
    expect(panel).to_contain_text("local HTTP server")
    panel.get_by_role("button", name="Run live check").click()
    expect(panel).to_contain_text(re.compile("wait measured .*, simulated"), timeout=END_MS)


def test_live_check_can_be_cancelled_and_started_again(page: Page, base: str) -> None:
    visit(page, f"{base}/?{LONG}")
    panel = page.locator(".st-key-live-check")
    panel.get_by_role("button", name="Run live check").click()
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_contain_text("Cancelled")
    settle(page)
    panel.get_by_role("button", name="Run live check").click()
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_contain_text("Cancelled")


def test_settings_can_be_changed_while_a_live_check_runs(page: Page, base: str) -> None:
    visit(page, f"{base}/?{LONG}")
    panel = page.locator(".st-key-live-check")
    panel.get_by_role("button", name="Run live check").click()
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    slider(page, "pool_size").press("ArrowRight")
    expect(page).to_have_url(re.compile("pool_size=6"))
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_contain_text("Cancelled")


def test_closing_the_tab_ends_its_live_check(
    context: BrowserContext, application: Application
) -> None:
    page = context.new_page()
    visit(page, f"{application.address}/?{LONG}")
    page.get_by_role("button", name="Run live check").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    server = psutil.Process(application.pid)
    assert processes_of_a_check(server)
    page.close()
    end = time.monotonic() + GONE_S_MAX
    while processes_of_a_check(server) and time.monotonic() < end:
        time.sleep(0.1)
    assert processes_of_a_check(server) == []


def processes_of_a_check(server: psutil.Process) -> list[str]:
    """Return the command lines below the application, but for those that simulate."""
    found = []
    for child in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            found.append(" ".join(child.cmdline()))
    return [words for words in found if "sim.sweep" not in words and "sim.kernel" not in words]


def test_ones_own_postgresql_is_looked_at_checked_adopted_and_forgotten(
    page: Page, base: str, application: Application
) -> None:
    with cluster() as server:
        dsn = f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{server.port}/{DATABASE}?sslmode=require"
        visit(page, f"{base}/?{QUICK}")
        panel = page.locator(".st-key-live-check")
        panel.get_by_text("Your PostgreSQL").click()
        panel.get_by_text("By DSN").click()
        panel.get_by_label("DSN", exact=True).fill(dsn)
        panel.get_by_role("button", name="Look at this server").click()
        expect(panel).to_contain_text("stay free", timeout=END_MS)
        expect(panel).to_contain_text("A check uses at most")
        panel.get_by_text("What is using its connections").click()
        expect(panel).to_contain_text("Nothing was ended")
        panel.get_by_role("button", name="Run live check").click()
        expect(panel).to_contain_text(re.compile("wait measured .*, simulated"), timeout=END_MS)
        expect(panel).to_contain_text("your server")
        panel.get_by_role("button", name="Adopt measured costs").click()
        expect(page).to_have_url(re.compile("connect_ms="))
        expect(panel).to_contain_text("The settings hold the measured costs")
        shown = page.content() + page.url
        panel.get_by_role("button", name="Forget this server").click()
        expect(panel.get_by_role("button", name="Look at this server")).to_be_visible()
        settle(page)
    assert PASSWORD not in shown + page.content() + page.url + application.log.read_text()


def test_a_malformed_dsn_sends_nothing_of_itself_back_and_is_in_no_log(
    page: Page, application: Application
) -> None:
    back: list[str | bytes] = []

    def keep(frame: str | bytes) -> None:
        back.append(frame)

    page.on("websocket", lambda one: one.on("framereceived", keep))
    visit(page, f"{application.address}/?{QUICK}")
    panel = page.locator(".st-key-live-check")
    panel.get_by_text("Your PostgreSQL").click()
    panel.get_by_text("By DSN").click()
    for what in [*SPOIL][::6]:
        panel.get_by_label("DSN", exact=True).fill(SPOIL[what](random.Random(1)))
        panel.get_by_role("button", name="Look at this server").click()
        expect(panel).to_contain_text("Please correct")
        settle(page)
        assert CANARY not in panel.inner_text() + page.url + page.title(), what
    frames = b"".join(one.encode() if isinstance(one, str) else one for one in back)
    assert b"Please correct" in frames
    assert CANARY.encode() not in frames
    assert CANARY not in application.log.read_text()
