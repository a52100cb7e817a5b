"""A sweep: all cells coarsely at first, then those that are not known well enough, again.

The answer for a cell depends on its query and the number of replications alone, so it is the
same whatever executes it, in whatever order.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field

from sim.sweep.cell import Cell, evaluate_all
from sim.sweep.grid import Grid, Place

CHUNKS_PER_STAGE = 40
CHUNK_MAX = 10
RENEWALS_MAX = 5


@dataclass(frozen=True, slots=True)
class Precision:
    """How well a cell must be known: half of the 95 % interval of `metric`.

    At most `ratio` of the value or `least` (in s, or 0..1), whichever is wider; tried with
    each number of replications in turn.
    """

    metric: str = "wait_p99"
    ratio: float = 0.1
    least: float = 0.002
    stages: tuple[int, ...] = (4, 16, 64)


@dataclass(slots=True)
class Progress:
    """What a sweep knows so far. `cells` by the position of the place in the grid."""

    places: tuple[Place, ...]
    cells: dict[int, Cell] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)

    @property
    def possible(self) -> int:
        """Cells that have a scenario."""
        return sum(not place.problem for place in self.places)

    @property
    def fraction(self) -> float:
        """Share of the cells that will not change any more."""
        return len(self.settled) / self.possible if self.possible else 1.0

    @property
    def is_over(self) -> bool:
        """Whether no cell will change any more."""
        return len(self.settled) >= self.possible


class SweepFailed(RuntimeError):
    """The executor lost its workers again and again."""


def sweep(
    grid: Grid,
    executor: Executor,
    precision: Precision | None = None,
    *,
    known: Mapping[str, Cell] | None = None,
    renew: Callable[[], Executor] | None = None,
    in_flight_max: int = 8,
) -> Generator[Progress, None, None]:
    """Simulate a grid; yield one and the same Progress whenever there is news.

    `known` are settled cells of an earlier run by query; they are not simulated again. If the
    executor breaks (its processes were killed), the work that was lost goes to a new one from
    `renew`. At most `in_flight_max` pieces of work are handed out at a time, so that several
    sweeps can share an executor. Closing the iterator cancels what has not begun.
    """
    work = _Work(executor, renew, in_flight_max)
    precision = precision or Precision()
    progress = Progress(tuple(grid.places()))
    for number, place in enumerate(progress.places):
        if known and place.query in known and not place.problem:
            progress.cells[number] = known[place.query]
            progress.settled.add(number)
    yield progress
    try:
        for stage, replications in enumerate(precision.stages):
            is_last = stage == len(precision.stages) - 1
            open_cells = [
                number
                for number, place in enumerate(progress.places)
                if not place.problem and number not in progress.settled
            ]
            for numbers, cells in work.done(_chunks(open_cells), progress.places, replications):
                _take(progress, numbers, cells, precision, is_last=is_last)
                yield progress
    finally:
        work.cancel()


def _take(
    progress: Progress,
    numbers: Sequence[int],
    cells: Sequence[Cell],
    precision: Precision,
    *,
    is_last: bool,
) -> None:
    for number, cell in zip(numbers, cells, strict=True):
        before = progress.cells.get(number)
        progress.cells[number] = cell
        exhausted = before is not None and before.replications == cell.replications
        enough = cell.is_known_within(precision.metric, precision.ratio, precision.least)
        if is_last or exhausted or enough:
            progress.settled.add(number)


def _chunks(numbers: Sequence[int]) -> list[list[int]]:
    """Deal the cells into pieces of work, neighbours apart: a piece has light and heavy ones."""
    count = max(1, min(len(numbers), max(CHUNKS_PER_STAGE, len(numbers) // CHUNK_MAX)))
    return [list(numbers[start::count]) for start in range(count if numbers else 0)]


class _Work:
    """Pieces of work handed to an executor, some at a time."""

    def __init__(
        self, executor: Executor, renew: Callable[[], Executor] | None, in_flight_max: int
    ) -> None:
        self._executor = executor
        self._renew = renew
        self._renewals = 0
        self._renewed: list[Executor] = []
        self._in_flight_max = in_flight_max
        self._flying: dict[Future[list[Cell]], list[int]] = {}

    def done(
        self, chunks: list[list[int]], places: Sequence[Place], replications: int
    ) -> Iterator[tuple[list[int], list[Cell]]]:
        """Yield each piece when it is done, in whatever order that is."""
        left = chunks[::-1]
        while left or self._flying:
            try:
                while left and len(self._flying) < self._in_flight_max:
                    queries = [places[number].query for number in left[-1]]
                    future = self._executor.submit(evaluate_all, queries, replications)
                    self._flying[future] = left.pop()
                ready, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                for future in ready:
                    cells = _result(future)
                    yield self._flying.pop(future), cells
            except BrokenExecutor as broken:
                left += self._lost(broken)

    def _lost(self, broken: BrokenExecutor) -> list[list[int]]:
        """Take a new executor; return the pieces that were under way."""
        self._renewals += 1
        if self._renew is None or self._renewals > RENEWALS_MAX:
            raise SweepFailed(f"lost its workers {self._renewals} times") from broken
        lost = list(self._flying.values())
        self._flying.clear()
        self._executor = self._renew()
        self._renewed.append(self._executor)
        return lost

    def cancel(self) -> None:
        """Let go of what has not begun."""
        for future in self._flying:
            future.cancel()
        self._flying.clear()
        for executor in self._renewed:
            executor.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[list[Cell]]) -> list[Cell]:
    """Return what a piece of work gave. Raises BrokenExecutor also where Dask gave up on it."""
    try:
        return future.result()
    except Exception as error:
        if type(error).__module__.startswith("distributed"):
            raise BrokenExecutor(type(error).__name__) from error
        raise
