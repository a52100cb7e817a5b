"""A sweep: all cells coarsely at first, then those that are not known well enough, again.

The answer for a cell depends on its query and the number of replications alone, so it is the
same whatever executes it, in whatever order.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field

from sim.scenario import REQUESTS_MAX
from sim.sweep.cell import Cell, evaluate_all
from sim.sweep.grid import Grid, Place

# A piece is short enough to be waited for when a sweep is cancelled.
PIECE_REQUESTS = 50_000
LOSSES_MAX = 20


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
    """Whoever simulates was lost again and again."""


def sweep(
    grid: Grid,
    executor: Executor,
    precision: Precision | None = None,
    *,
    known: Mapping[str, Cell] | None = None,
    in_flight_max: int = 8,
) -> Generator[Progress, None, None]:
    """Simulate a grid; yield one and the same Progress whenever there is news.

    `known` are settled cells of an earlier run by query; they are not simulated again. Work
    that is lost with its process is done again, up to LOSSES_MAX times; then, or if the
    executor takes no more work, SweepFailed is raised. At most `in_flight_max` pieces of work
    are handed out at a time, so that several sweeps can share an executor. Closing the iterator
    cancels what has not begun.
    """
    work = _Work(executor, in_flight_max)
    precision = precision or Precision()
    progress = Progress(tuple(grid.places()))
    for number, place in enumerate(progress.places):
        if known and place.query in known and not place.problem:
            progress.cells[number] = known[place.query]
            progress.settled.add(number)
    yield progress
    try:
        for replications in precision.stages:
            open_cells = [
                number
                for number, place in enumerate(progress.places)
                if not place.problem and number not in progress.settled
            ]
            is_last = replications == precision.stages[-1]
            for numbers, cells in work.done(open_cells, progress.places, replications):
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


def _pieces(
    numbers: Sequence[int], places: Sequence[Place], replications: int
) -> Iterator[list[int]]:
    """Split the cells into pieces of about as much work each."""
    piece: list[int] = []
    requests = 0.0
    for number in numbers:
        piece.append(number)
        requests += min(REQUESTS_MAX, places[number].requests * replications)
        if requests >= PIECE_REQUESTS:
            yield piece
            piece, requests = [], 0.0
    if piece:
        yield piece


class _Work:
    """Pieces of work handed to an executor, some at a time."""

    def __init__(self, executor: Executor, in_flight_max: int) -> None:
        self._executor = executor
        self._in_flight_max = in_flight_max
        self._losses = 0
        self._flying: dict[Future[list[Cell]], list[int]] = {}

    def done(
        self, numbers: Sequence[int], places: Sequence[Place], replications: int
    ) -> Iterator[tuple[list[int], list[Cell]]]:
        """Yield each piece when it is done, in whatever order that is."""
        left = [*_pieces(numbers, places, replications)][::-1]
        while left or self._flying:
            while left and len(self._flying) < self._in_flight_max:
                piece = left.pop()
                self._flying[self._begun([places[n].query for n in piece], replications)] = piece
            ready, _ = wait(self._flying, return_when=FIRST_COMPLETED)
            for future in ready:
                piece = self._flying.pop(future)
                cells = self._result(future)
                if cells is None:
                    left.append(piece)
                else:
                    yield piece, cells

    def _begun(self, queries: list[str], replications: int) -> "Future[list[Cell]]":
        try:
            return self._executor.submit(evaluate_all, queries, replications)
        except BrokenExecutor as broken:
            raise SweepFailed("the executor takes no more work") from broken

    def _result(self, future: "Future[list[Cell]]") -> list[Cell] | None:
        """Return what a piece of work gave, or None if it was lost with its process."""
        try:
            return future.result()
        except Exception as error:
            if not _is_loss(error):
                raise
            self._losses += 1
            if self._losses > LOSSES_MAX:
                raise SweepFailed(f"work was lost {self._losses} times") from error
            return None

    def cancel(self) -> None:
        """Let go of what has not begun."""
        for future in self._flying:
            future.cancel()
        self._flying.clear()


def _is_loss(error: Exception) -> bool:
    """Whether a process or a worker ended, also where Dask says so."""
    return isinstance(error, BrokenExecutor) or type(error).__module__.startswith("distributed")
