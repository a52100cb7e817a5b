"""How long a new page takes when the kernel is not compiled: `python -m bench.page_start`.

Each round starts the application with an empty folder for compiled code, opens the page as soon
as the server answers, and presses a key on a slider when the charts stand; then once more while
the kernel is compiled, by a process of low priority. "charts" is from opening to both charts
drawn, "key" from opening to the answer to that key. `--rounds N` (default 5).
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, expect

from bench.page_latency import ARM
from tests.browser.acts import PATIENCE_MS, chart, slider
from tests.browser.serving import running_application, running_browser

ROWS = (
    "right after the start | its charts",
    "right after the start | the answer to a key pressed then",
    "while the kernel is compiled | its charts",
    "while the kernel is compiled | the answer to a key pressed then",
)


def opened(browser: Browser, address: str) -> tuple[float, float]:
    """Open a page and press a key; return seconds to its charts and to the answer."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    begun = time.perf_counter()
    page.goto(address)
    for key in ("over-time", "waits"):
        drawn = chart(page, key).locator(".main-svg").first
        expect(drawn).to_be_visible(timeout=PATIENCE_MS)
    charts_s = time.perf_counter() - begun
    page.evaluate(ARM)
    slider(page, "pool_size").press("ArrowRight")
    page.wait_for_function("() => window.__drawn.length > 0", polling=20)
    answer_s = time.perf_counter() - begun
    page.close()
    return charts_s, answer_s


def fresh_start(browser: Browser) -> tuple[float, ...]:
    """Start anew with nothing compiled: twice charts and key, at once and while it is compiled."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        with running_application() as application:
            at_once = opened(browser, application.address)
            server = psutil.Process(application.pid)
            while not server.children(recursive=True):
                time.sleep(0.1)
            meanwhile = opened(browser, application.address)
            if any(Path(folder).glob("kernel-*/compiled-*")):
                raise RuntimeError("the kernel was compiled before the page was measured")
            for compiler in server.children(recursive=True):
                compiler.terminate()
    return *at_once, *meanwhile


def row(name: str, times_s: list[float]) -> str:
    """Return one line of the table."""
    return f"| {name} | {statistics.median(times_s):.2f} s | {max(times_s):.2f} s |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.page_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with running_browser() as browser:
        found = [fresh_start(browser) for _ in range(rounds)]
    print("| a page opened | to | median | slowest |\n| --- | --- | --- | --- |")
    for column, what in enumerate(ROWS):
        print(row(what, [one[column] for one in found]))


if __name__ == "__main__":
    main()
