"""A sweep as a table: CSV or Parquet, and the journal from which an interrupted one goes on.

One row a cell: the axes' values, why there is no scenario (or empty), replications, requests,
and for each metric its value and the ends of its 95 % interval, in the metric's unit.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from sim.query import to_query
from sim.result import Estimate
from sim.sweep.cell import METRICS, Cell
from sim.sweep.grid import Grid
from sim.sweep.run import Precision, Progress

SUFFIXES = (".csv", ".parquet")
Row = dict[str, Any]


def columns(grid: Grid) -> list[str]:
    """Return the names of a table's columns."""
    axes = [grid.x.name, *([grid.y.name] if grid.y else [])]
    numbers = [
        column
        for name, metric in METRICS.items()
        for column in _columns(f"{name}_{_unit(metric.unit)}")
    ]
    return [*axes, "problem", "replications", "requests", "grows", "truncated", *numbers]


def rows(grid: Grid, progress: Progress) -> Iterator[Row]:
    """Yield a row for each cell, row by row of the grid."""
    for number, place in enumerate(progress.places):
        row: Row = {grid.x.name: grid.x.values[place.column]}
        if grid.y is not None:
            row[grid.y.name] = grid.y.values[place.row]
        row["problem"] = place.problem
        cell = progress.cells.get(number)
        if cell is not None:
            row |= _numbers(cell)
        yield row


def as_csv(grid: Grid, progress: Progress) -> str:
    """Return the table as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns(grid), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(grid, progress))
    return out.getvalue()


def write(path: Path, grid: Grid, progress: Progress) -> None:
    """Write the table in the form that the name's ending says: .csv or .parquet."""
    if path.suffix == ".csv":
        path.write_text(as_csv(grid, progress), encoding="utf-8")
        return
    from pyarrow import Table, parquet  # noqa: PLC0415  half a second that few need

    table = [dict.fromkeys(columns(grid)) | row for row in rows(grid, progress)]
    parquet.write_table(Table.from_pylist(table), path)


class Journal:
    """Settled cells, a line each, written as soon as they are known.

    Its first line says what is swept; a journal of anything else is refused.
    """

    def __init__(self, path: Path, grid: Grid, precision: Precision) -> None:
        """Open the journal that belongs to an output file. Raises OSError."""
        self.path = path.with_name(path.name + ".journal")
        self._head = _head(grid, precision)
        self._written: set[str] = set()
        self._file: IO[str] | None = None

    def known(self) -> dict[str, Cell]:
        """Return the cells that an interrupted sweep has settled. Raises OtherSweep."""
        if not self.path.exists():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines()
        if not lines or _parsed(lines[0]) != self._head:
            raise OtherSweep(f"{self.path} belongs to another sweep; move it away or delete it.")
        found = (_parsed(line) for line in lines[1:])
        cells = [_cell(one) for one in found if one is not None]  # the last may be cut off
        self._written = {cell.query for cell in cells}
        return {cell.query: cell for cell in cells}

    def add(self, progress: Progress) -> None:
        """Write the cells that have settled since."""
        if self._file is None:
            is_new = not self.path.exists()
            self._file = self.path.open("a", encoding="utf-8")
            # After an interruption the last line may lack its end.
            self._file.write(json.dumps(self._head) + "\n" if is_new else "\n")
        for number in progress.settled:
            cell = progress.cells[number]
            if cell.query not in self._written:
                self._written.add(cell.query)
                self._file.write(json.dumps(asdict(cell)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file and keep it."""
        if self._file is not None:
            self._file.close()

    def delete(self) -> None:
        """Remove the file: the table is written."""
        self.close()
        self.path.unlink(missing_ok=True)


class OtherSweep(ValueError):
    """A journal lies there that belongs to another sweep."""


def _head(grid: Grid, precision: Precision) -> Mapping[str, Any]:
    axes = [str(axis) for axis in (grid.x, grid.y) if axis is not None]
    return {"base": to_query(grid.base), "axes": axes, "precision": _plain(precision)}


def _plain(precision: Precision) -> Mapping[str, Any]:
    return asdict(precision) | {"stages": list(precision.stages)}


def _parsed(line: str) -> Any:  # noqa: ANN401  JSON
    try:
        return json.loads(line)
    except ValueError:
        return None


def _cell(data: Mapping[str, Any]) -> Cell:
    numbers = {name: Estimate(**one) for name, one in data["numbers"].items()}
    return Cell(**{**data, "numbers": numbers})


def _numbers(cell: Cell) -> Row:
    row: Row = {
        "replications": cell.replications,
        "requests": cell.requests,
        "grows": cell.grows,
        "truncated": cell.truncated,
    }
    for name, metric in METRICS.items():
        one = cell.numbers[name]
        found = (one.value, one.low, one.high)
        names = _columns(f"{name}_{_unit(metric.unit)}")
        row |= dict(zip(names, _scaled(found, metric.scale), strict=True))
    return row


def _columns(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _scaled(values: Iterable[float | None], scale: float) -> list[float | None]:
    return [None if value is None else float(f"{value / scale:.9g}") for value in values]


def _unit(unit: str) -> str:
    return {"%": "percent", "/s": "per_s"}.get(unit, unit)
