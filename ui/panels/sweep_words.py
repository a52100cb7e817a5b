"""A sweep in words: what it will do, how far it is, what is marked on it."""

from pools.setting import Value
from sim.query import to_values
from sim.scenario import Scenario
from sim.sweep.grid import Grid
from ui.charts.sweep import Mark
from ui.sweeping import Sweeping
from ui.words import count, number

INVITATION = (
    "Simulates the scenario over two settings, coarsely at first, then finer where it is needed."
    " Click a cell to go there."
)
NOT_VARIED = frozenset(
    {"seed", "replications", "duration_s", "warm_up_s", "spike_at_s", "reserved"}
)


def progress_line(sweeping: Sweeping) -> str:
    """Say how far it is."""
    progress = sweeping.progress
    known = f"{len(progress.cells)} of {count(progress.possible, 'cell')} known"
    return f"{known}, {len(progress.settled)} well enough"


def known(sweeping: Sweeping) -> str:
    """Say how sure the cells are, and what is left out."""
    progress, precision = sweeping.progress, sweeping.precision
    cells = [*progress.cells.values()]
    well = sum(
        cell.is_known_within(precision.metric, precision.ratio, precision.least) for cell in cells
    )
    requests = sum(cell.requests for cell in cells)
    said = (
        f"{count(requests, 'request')} counted. {well} of {count(len(cells), 'cell')} known within"
        f" {precision.ratio:.0%} or {number(precision.least * 1e3)} ms (95 %); each cell says its"
        " own interval. Drag to zoom, double-click to see all of it again."
    )
    slow = next((cell.fell_back for cell in cells if cell.fell_back), "")
    said += f" Played by SimPy, which takes longer: {slow}." if slow else ""
    left_out = len(progress.places) - progress.possible
    return said + (f" {count(left_out, 'cell')} left out: settings do not fit." if left_out else "")


def goal_of(scenario: Scenario, metric: str) -> float | None:
    """Return the goal that is set for a metric, in its base unit, or None."""
    goal = scenario.goal
    found = {"wait_p99": goal.wait_s_p99_max, "failures": goal.failed_ratio_max}.get(metric)
    return found or None


def marks(grid: Grid, scenario: Scenario) -> list[Mark]:
    """Return the present settings, as far as they lie on the grid."""
    values = to_values(scenario)
    x = float(values.get(grid.x.name, -1.0))
    y = float(values.get(grid.y.name, -1.0)) if grid.y else None
    here = Mark("your settings", x, y, f"your settings: {grid.x.name} {number(x)}", is_here=True)
    return [mark for mark in [here] if _is_on(grid, mark)]


def _is_on(grid: Grid, mark: Mark) -> bool:
    def within(value: float | None, values: tuple[Value, ...]) -> bool:
        return value is not None and float(values[0]) <= value <= float(values[-1])

    return within(mark.x, grid.x.values) and (grid.y is None or within(mark.y, grid.y.values))
