"""A sweep in words: what it will do, how far it is, what is marked on it."""

from pools.setting import Value
from sim.query import to_values
from sim.rules_of_thumb import RULES
from sim.scenario import Scenario
from sim.sweep.axis import SIZES
from sim.sweep.cell import METRICS
from sim.sweep.grid import Grid
from sim.sweep.run import Progress
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


def marks(grid: Grid, progress: Progress, scenario: Scenario, metric: str) -> list[Mark]:
    """Return the present settings and what rules of thumb say, as far as they lie on the grid."""
    values = to_values(scenario)
    x = float(values.get(grid.x.name, -1.0))
    y = float(values.get(grid.y.name, -1.0)) if grid.y else None
    here = Mark("your settings", x, y, f"your settings: {grid.x.name} {number(x)}", is_here=True)
    ruled = _rules(grid, progress, scenario, metric, y) if grid.x.name in SIZES.values() else []
    return [mark for mark in [*ruled, here] if _is_on(grid, mark)]


def _rules(
    grid: Grid, progress: Progress, scenario: Scenario, metric: str, y: float | None
) -> list[Mark]:
    """Return a mark for each size that some rules of thumb say, with what it leads to here."""
    by_size: dict[int, list[str]] = {}
    for rule in RULES:
        size = rule.says(scenario)
        if size is not None:
            by_size.setdefault(size, []).append(rule.name)
    return [
        Mark(
            ", ".join(names),
            float(size),
            y,
            f"{', '.join(names)}: {size}<br>{_leads_to(grid, progress, metric, size, y, scenario)}",
        )
        for size, names in sorted(by_size.items())
    ]


def _leads_to(
    grid: Grid, progress: Progress, metric: str, size: float, y: float | None, scenario: Scenario
) -> str:
    """Say what the sweep found at the cell nearest to a size under the present load."""
    column = _nearest(grid.x.values, size)
    row = 0 if grid.y is None or y is None else _nearest(grid.y.values, y)
    cell = progress.cells.get(row * len(grid.x.values) + column)
    value = None if cell is None else cell.numbers[metric].value
    if value is None:
        return "not known yet"
    shown = METRICS[metric]
    said = f"{shown.title} {number(value / shown.scale)} {shown.unit} here"
    goal = goal_of(scenario, metric)
    if goal is None:
        return said
    off = number(abs(value - goal) / shown.scale)
    return f"{said}, {off} {shown.unit} {'above' if value > goal else 'below'} the goal"


def _nearest(values: tuple[Value, ...], wanted: float) -> int:
    return min(range(len(values)), key=lambda at: abs(float(values[at]) - wanted))


def _is_on(grid: Grid, mark: Mark) -> bool:
    def within(value: float | None, values: tuple[Value, ...]) -> bool:
        return value is not None and float(values[0]) <= value <= float(values[-1])

    return within(mark.x, grid.x.values) and (grid.y is None or within(mark.y, grid.y.values))
