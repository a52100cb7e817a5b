"""However the application ends in the middle of a live check: no backend is left 2 s later.

A real Streamlit process, a real browser, a real check of the built-in server. The seconds are a
promise, so they are asserted; what they were is printed.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.acts import PATIENCE_MS
from tests.browser.serving import Application, running_application

CHECK = "kind=asyncpg&min_size=1&max_size=4&duration_s=10&rate=60&hold_ms=200"
PROMISE_S = 2.0
LOAD_S_MAX = 60.0
SERVES = "postgres: poolwise_check "


def _signal(number: signal.Signals) -> Callable[[Application, Page], None]:
    def end(application: Application, _: Page) -> None:
        os.kill(application.pid, number)

    return end


ENDINGS: dict[str, Callable[[Application, Page], None]] = {
    "tab closed": lambda _, page: page.close(),
    "Ctrl-C": _signal(signal.SIGINT),
    "SIGTERM": _signal(signal.SIGTERM),
    "SIGKILL": _signal(signal.SIGKILL),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_backend_is_left_two_seconds_after_the_application_ends(
    ending: str, browser: Browser
) -> None:
    with running_application() as application, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{application.address}/?{CHECK}")
        page.get_by_role("button", name="Run live check").click(timeout=2 * PATIENCE_MS)
        processes = _under_load(application)
        ENDINGS[ending](application, page)
        took_s = _seconds_until_gone(processes)
    print(f"{ending}: backends gone after {took_s:.2f} s")
    assert took_s <= PROMISE_S


def _under_load(application: Application) -> list[psutil.Process]:
    """Wait until the check has connections; return its server's backends."""
    until = time.monotonic() + LOAD_S_MAX
    while time.monotonic() < until:
        found = [one for one in _below(application.pid) if _is_backend(one)]
        if len(found) >= 2:
            return found
        time.sleep(0.05)
    raise AssertionError("the check did not connect")


def _below(pid: int) -> list[psutil.Process]:
    """Return everything below a process; the keeper's server is below the check's child."""
    return psutil.Process(pid).children(recursive=True)


def _is_backend(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return SERVES in " ".join(process.cmdline())
    return False


def _seconds_until_gone(processes: list[psutil.Process]) -> float:
    began_s = time.monotonic()
    psutil.wait_procs(processes, timeout=4 * PROMISE_S)
    took_s = time.monotonic() - began_s
    assert not [one for one in processes if one.is_running() and _is_backend(one)]
    return took_s
