"""A sweep as a table, by the command, and after an interruption."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyarrow import parquet

from sim.query import parse
from sim.sweep import __main__ as command
from sim.sweep.axis import parse_axis
from sim.sweep.cell import METRICS
from sim.sweep.grid import Grid
from sim.sweep.run import Precision, Progress, sweep
from sim.sweep.table import Journal, OtherSweep, as_csv, columns, write

PRECISION = Precision(stages=(2,))


@pytest.fixture(scope="module")
def grid() -> Grid:
    base = parse("duration_s=1.5&warm_up_s=0.5&rate=120")
    return Grid(
        base, parse_axis("pool_size=1..3", "sqlalchemy"), parse_axis("reserved=3,200", "sqlalchemy")
    )


@pytest.fixture(scope="module")
def progress(grid: Grid) -> Progress:
    with ThreadPoolExecutor(1) as executor:
        *_, last = sweep(grid, executor, PRECISION)
    return last


def test_csv_has_a_row_for_each_cell_also_for_those_that_cannot_be(
    grid: Grid, progress: Progress
) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(grid, progress))))
    assert list(rows[0]) == columns(grid)
    assert [(row["pool_size"], row["reserved"]) for row in rows] == [
        (f"{size}.0", f"{reserved}.0") for reserved in (3, 200) for size in (1, 2, 3)
    ]
    assert [bool(row["problem"]) for row in rows] == [False] * 3 + [True] * 3
    cell = progress.cells[1].numbers["wait_mean"]
    assert cell.value is not None
    assert float(rows[1]["wait_mean_ms"]) == pytest.approx(cell.value * 1e3)
    assert rows[4]["wait_mean_ms"] == ""


def test_parquet_holds_the_same_table(grid: Grid, progress: Progress, tmp_path: Path) -> None:
    write(tmp_path / "sweep.parquet", grid, progress)
    found = parquet.read_table(tmp_path / "sweep.parquet")
    assert found.column_names == columns(grid)
    rows = list(csv.DictReader(io.StringIO(as_csv(grid, progress))))
    for name in METRICS:
        column = next(one for one in columns(grid) if one.startswith(name))
        shown = [float(row[column]) if row[column] else None for row in rows]
        assert found.column(column).to_pylist() == pytest.approx(shown)


def test_an_interrupted_sweep_goes_on_from_its_journal(
    grid: Grid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.sweep.run.PIECE_REQUESTS", 1)
    out = tmp_path / "sweep.csv"
    with ThreadPoolExecutor(1) as executor:
        journal = Journal(out, grid, PRECISION)
        coming = sweep(grid, executor, PRECISION, in_flight_max=1)
        next(coming)
        journal.add(next(coming))
        coming.close()
        journal.close()
        with journal.path.open("a") as file:
            file.write('{"query": "cut o')  # as a killed process leaves it
        again = Journal(out, grid, PRECISION)
        known = again.known()
        assert len(known) == 1
        *_, last = sweep(grid, executor, PRECISION, known=known)
        again.add(last)
        again.close()
        whole = Journal(out, grid, PRECISION).known()
    assert whole == {cell.query: cell for cell in last.cells.values()}


def test_a_journal_of_another_sweep_is_refused(
    grid: Grid, progress: Progress, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "a.csv", grid, PRECISION)
    journal.add(progress)
    journal.close()
    with pytest.raises(OtherSweep, match="belongs to another sweep"):
        Journal(tmp_path / "a.csv", grid, Precision(stages=(3,))).known()


def test_the_command_writes_the_table_and_removes_its_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sweep.csv"
    asked = ["duration_s=1&warm_up_s=0.5", "--x", "pool_size=1,2", "--y", "none", "--workers", "1"]
    assert command.main([*asked, "--within", "1", "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.csv"]
    assert "2 cells, 2 with a scenario" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rate=x", "--out", "a.csv"], "rate must be a number"),
        (["", "--out", "a.txt"], "out must end in .csv or .parquet, got a.txt"),
        (["", "--x", "pool=1..2", "--out", "a.csv"], "pool is not a parameter"),
        (["", "--within", "5", "--out", "a.csv"], "within must be from 0.001 to 1, got 5.0"),
    ],
)
def test_bad_input_ends_with_2_and_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_cluster_that_is_not_there_ends_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POOLWISE_DASK", "nonsense://127.0.0.1:1")
    assert command.main(["", "--out", str(tmp_path / "a.csv")]) == 3
    assert "No Dask scheduler answers at the address in POOLWISE_DASK." in capsys.readouterr().err
