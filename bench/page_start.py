"""How long a new page takes while the kernel is compiled: `python -m bench.page_start`.

Each round starts the application with an empty folder for compiled code, opens the page as soon
as the server answers, and presses a key on a slider when the charts stand. "charts" is from
opening to the first chart drawn, "press" from opening to the answer to that key. The kernel is
still being compiled then, by a process of low priority. `--rounds N` (default 5).
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


def fresh_start(browser: Browser) -> tuple[float, float, bool]:
    """Start anew with nothing compiled; also return whether that was still so in the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        with running_application() as application:
            charts_s, answer_s = opened(browser, application.address)
            is_compiled = any(Path(folder).glob("kernel-*/compiled-*"))
            for compiler in psutil.Process(application.pid).children(recursive=True):
                compiler.terminate()
    return charts_s, answer_s, is_compiled


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
    print("| from opening the page to | median | slowest |\n| --- | --- | --- |")
    print(row("its charts", [one[0] for one in found]))
    print(row("the answer to a key pressed then", [one[1] for one in found]))
    print(
        f"\nThe kernel was compiled by then in {sum(one[2] for one in found)} of {rounds} starts."
    )


if __name__ == "__main__":
    main()
