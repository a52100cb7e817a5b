"""A Grid: one scenario varied along one or two axes. Each cell is a scenario of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pools.setting import InvalidSettings, Mistake, Value
from sim.query import from_values, to_query, to_values
from sim.scenario import Scenario
from sim.sweep.axis import Axis

CELLS_MAX = 1_600
# What must not exceed the size gives way to it, so that a small size can be looked at.
_BELOW_SIZE = ("min_size", "init_size")


@dataclass(frozen=True, slots=True)
class Place:
    """One cell: where it lies, and the query of its scenario, or why there is none.

    `requests` is how many one replication has, at most.
    """

    column: int
    row: int
    query: str
    problem: str = ""
    requests: float = 0.0


@dataclass(frozen=True, slots=True)
class Grid:
    """A base scenario, an axis to the right, and an axis upwards if there are two."""

    base: Scenario
    x: Axis
    y: Axis | None = None

    def __post_init__(self) -> None:
        """Raise InvalidSettings if the grid is too large or varies one setting twice."""
        if self.y is not None and self.x.name == self.y.name:
            raise InvalidSettings([Mistake("y", "must vary another setting than x", self.y.name)])
        if self.size > CELLS_MAX:
            rule = f"must have at most {CELLS_MAX} cells"
            raise InvalidSettings([Mistake("grid", rule, str(self.size))])

    @property
    def rows(self) -> int:
        """Rows; 1 without a second axis."""
        return 1 if self.y is None else len(self.y.values)

    @property
    def size(self) -> int:
        """Cells."""
        return len(self.x.values) * self.rows

    def places(self) -> Iterator[Place]:
        """Yield every cell, row by row from the bottom."""
        for row in range(self.rows):
            for column, value in enumerate(self.x.values):
                yield self._place(column, row, self._varied(value, row))

    def _varied(self, value: Value, row: int) -> dict[str, Value]:
        return {self.x.name: value} | ({self.y.name: self.y.values[row]} if self.y else {})

    def _place(self, column: int, row: int, varied: Mapping[str, Value]) -> Place:
        try:
            made = varied_scenario(self.base, varied)
            return Place(column, row, to_query(made), requests=made.requests_expected)
        except InvalidSettings as wrong:
            return Place(column, row, "", "; ".join(map(str, wrong.mistakes)))


def varied_scenario(base: Scenario, varied: Mapping[str, Value]) -> Scenario:
    """Return the scenario with some values replaced (in the unit shown, by query name).

    Integers may come as floats. A floor or a start above a smaller size is lowered to it.
    Raises InvalidSettings where the values do not fit together.
    """
    before = to_values(base)
    values = before | {name: type(before[name])(value) for name, value in varied.items()}
    try:
        return from_values(base.pool.name, values)
    except InvalidSettings as wrong:
        too_high = {one.field for one in wrong.mistakes} & set(_BELOW_SIZE) - set(varied)
        if not too_high or "max_size" not in varied:
            raise
        return from_values(base.pool.name, values | dict.fromkeys(too_high, values["max_size"]))
