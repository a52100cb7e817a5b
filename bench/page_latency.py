"""How long after a key press on a slider the charts are drawn anew: `python -m bench.page_latency`.

A press is timed from the key event in the page to the frame after the last chart that it
changes has been drawn anew. "first" is the first answer to new values, from one replication;
"whole" the one from all; "seen" values come from the cache; "alone" is the whole simulation
without a page. `--presses N` (default 12).
"""

import argparse
import statistics
import time
from collections.abc import Sequence

from playwright.sync_api import Browser, Page

from sim.query import parse
from sim.run import run
from tests.browser.acts import settle, slider, visit
from tests.browser.serving import running_application, running_browser

SEEDS = (11, 12, 13)
ARM = """() => {
  let begun = 0;
  window.__drawn = [];
  addEventListener('keydown', () => { begun = performance.now(); window.__drawn = []; }, true);
  for (const [number, chart] of document.querySelectorAll('.poolwise-chart').entries())
    chart.on('plotly_afterplot', () => {
      const start = begun;
      requestAnimationFrame(() => requestAnimationFrame(
        () => window.__drawn.push([number, performance.now() - start])));
    });
}"""


def press(page: Page, key: str, presses: int) -> tuple[list[float], list[float]]:
    """Press a key on pool_size so many times, each once the page is idle.

    Returns when each chart had been drawn once, and when all was drawn, in ms.
    """
    pool_size = slider(page, "pool_size")
    first: list[float] = []
    whole: list[float] = []
    for _ in range(presses):
        pool_size.press(key)
        page.wait_for_function("() => window.__drawn.length > 0", polling=20)
        settle(page)
        drawn: list[tuple[int, float]] = page.evaluate("() => window.__drawn")
        whole.append(max(at_ms for _, at_ms in drawn))
        first.append(max(dict(reversed(drawn)).values()))
    return first, whole


def measure(browser: Browser, address: str, presses: int) -> dict[str, list[float]]:
    """Press to the right through new values, then to the left through the same ones."""
    found: dict[str, list[float]] = {"first": [], "whole": [], "seen": []}
    for seed in SEEDS:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        visit(page, f"{address}/?seed={seed}")
        page.evaluate(ARM)
        first, whole = press(page, "ArrowRight", presses)
        found["first"] += first
        found["whole"] += whole
        found["seen"] += press(page, "ArrowLeft", presses)[1]
        page.close()
    return found


def simulation_alone(presses: int) -> list[float]:
    """Time the simulation of the same values without a page, in ms."""
    times = []
    for size in range(6, 6 + presses):
        scenario = parse(f"pool_size={size}&seed={SEEDS[0]}")
        begun = time.perf_counter()
        run(scenario)
        times.append(1e3 * (time.perf_counter() - begun))
    return times


def row(name: str, times_ms: Sequence[float]) -> str:
    """Return one line of the table."""
    p90 = statistics.quantiles(times_ms, n=10)[8]
    return (
        f"{name:<8}{len(times_ms):>8}{statistics.median(times_ms):>12.0f}{p90:>8.0f}"
        f"{max(times_ms):>8.0f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=12)
    presses = parser.parse_args().presses
    with running_application() as application, running_browser() as browser:
        found = measure(browser, application.address, presses)
    found["alone"] = simulation_alone(presses)
    print(f"{'value':<8}{'presses':>8}{'median ms':>12}{'p90':>8}{'max':>8}")
    for name, times_ms in found.items():
        print(row(name, times_ms))


if __name__ == "__main__":
    main()
