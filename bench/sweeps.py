"""How long a heat map takes, and what ten do to an eleventh visitor: `python -m bench.sweeps`.

"map" is a 20 x 20 sweep of the default scenario as the page makes it, on warm processes, to
its first complete picture and to its end. "press" is a key press on a slider in one session,
alone and while ten other sessions sweep, until its first chart is drawn. `--rounds N` (5),
`--presses N` (20).
"""

import argparse
import statistics
import time

from playwright.sync_api import Browser, Page, expect

import sim.kernel.__main__ as kernel
from bench.page_latency import ARM, press
from sim.query import parse
from sim.sweep.axis import default_axes
from sim.sweep.grid import Grid
from sim.sweep.processes import Processes
from sim.sweep.run import Precision, sweep
from tests.browser.acts import PATIENCE_MS, visit
from tests.browser.serving import running_application, running_browser
from ui.panels.sweep import STAGES

SWEEPERS = 10


def heat_map(executor: Processes, seed: int) -> tuple[float, float, float]:
    """Sweep 20 x 20 cells; return seconds to all cells, seconds to the end, share known well."""
    scenario = parse(f"seed={seed}")
    grid = Grid(scenario, *default_axes(scenario, 20))
    precision = Precision(stages=STAGES)
    begun = time.perf_counter()
    complete_s = 0.0
    for progress in sweep(grid, executor, precision, in_flight_max=4):
        if not complete_s and len(progress.cells) == progress.possible:
            complete_s = time.perf_counter() - begun
    total_s = time.perf_counter() - begun
    cells = progress.cells.values()
    well = sum(
        cell.is_known_within(precision.metric, precision.ratio, precision.least) for cell in cells
    )
    return complete_s, total_s, well / len(cells)


def sweeping_page(browser: Browser, address: str, number: int) -> Page:
    """Open a page and have it sweep for long."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    visit(page, f"{address}/?seed={number}&rate=300&duration_s=240&replications=2")
    page.get_by_role("button", name="Sweep", exact=True).click()
    expect(page.locator(".st-key-sweep-cancel")).to_be_visible(timeout=PATIENCE_MS)
    return page


def presses(page: Page, count: int) -> list[float]:
    """Return how long each press takes to the first chart, in ms."""
    page.evaluate(ARM)
    first, _ = press(page, "ArrowRight", count)
    return first


def row(name: str, values: list[float], unit: str) -> str:
    """Return one line of the table."""
    p95 = statistics.quantiles(values, n=20)[18] if len(values) > 1 else values[0]
    return f"| {name} | {len(values)} | {statistics.median(values):.2f} {unit} | {p95:.2f} {unit} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--presses", type=int, default=20)
    given = parser.parse_args()
    kernel.main()
    print("| what | times | median | p95 |\n| --- | --- | --- | --- |")
    with Processes() as executor:
        heat_map(executor, 0)
        found = [heat_map(executor, seed) for seed in range(1, given.rounds + 1)]
    print(row("map, every cell coarsely", [one[0] for one in found], "s"))
    print(row("map, to its end", [one[1] for one in found], "s"))
    print(row("cells known within 10 % or 2 ms", [100 * one[2] for one in found], "%"))
    with running_application() as application, running_browser() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        visit(page, f"{application.address}/?seed=99")
        print(row("press, alone", presses(page, given.presses), "ms"))
        others = [sweeping_page(browser, application.address, n) for n in range(SWEEPERS)]
        beside = []
        for seed in (98, 97):
            visit(page, f"{application.address}/?seed={seed}")
            beside += presses(page, given.presses)
        print(row("press, ten sessions sweep", beside, "ms"))
        still = sum(other.locator(".st-key-sweep-cancel").count() for other in others)
    print(f"\n{still} of {SWEEPERS} sessions were still sweeping at the end.")


if __name__ == "__main__":
    main()
