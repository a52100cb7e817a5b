"""Recorded arrivals: everything in the file is played, or said not to be."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.__main__ import main
from sim.engine import simulate
from sim.query import parse
from sim.recorded import ROWS_MAX, Recording, RecordingError, read_recording
from sim.run import run
from tests.sim.traces import waits_of

ONE = "kind=asyncpg&max_size=1&min_size=1&pattern=recorded&rtt_ms=0&cpu_fraction=0&warm_up_s=0"
TIMES = st.floats(0.0, 1e6, allow_subnormal=False)


def csv_of(header: str, rows: list[tuple[float, ...]]) -> bytes:
    lines = [header, *(",".join(map(repr, row)) for row in rows)]
    return "\n".join(lines).encode()


@given(rows=st.lists(st.tuples(TIMES, st.floats(0.0, 3600.0)), min_size=1, max_size=30))
def test_what_is_written_is_read_as_csv_and_as_json_lines(rows: list[tuple[float, float]]) -> None:
    lines = [json.dumps({"hold_s": hold, "asked_s": asked, "path": "/"}) for asked, hold in rows]
    for content in (csv_of("asked_s,hold_s", rows), "\n".join(lines).encode()):
        read = read_recording(content)
        order = sorted(range(len(rows)), key=lambda row: rows[row][0])
        first = rows[order[0]][0]
        assert read.asked_s.tolist() == [rows[row][0] - first for row in order]
        assert read.hold_s.tolist() == [rows[row][1] for row in order]
        is_sorted = order == list(range(len(rows)))
        assert any("were sorted" in said for said in read.said) != is_sorted


@pytest.mark.parametrize(
    ("header", "unit", "scale"),
    [("asked_s", "", 1.0), ("asked_ms", "", 1e-3), ("asked_us", "", 1e-6), ("asked_ns", "", 1e-9),
     ("asked", "ms", 1e-3), ("asked", "s", 1.0)],
)  # fmt: skip
def test_units_stand_in_the_header_or_are_given(header: str, unit: str, scale: float) -> None:
    read = read_recording(csv_of(header, [(1000.0,), (3000.0,)]), unit)
    assert read.asked_s.tolist() == pytest.approx([0.0, 2000.0 * scale])
    assert len(read.hold_s) == 0


def test_bad_rows_are_reported_by_number_and_the_others_played() -> None:
    content = b"asked_s,hold_ms\n0,5\nx,5\n1,-2\n\n2,nan\n3\n4,5\n1e999,1\n"
    read = read_recording(content)
    assert read.asked_s.tolist() == [0.0, 4.0]
    (said,) = read.said
    assert said.startswith("5 rows of the recording are left out: row 3: asked must be a number")
    for row in (4, 6, 7, 9):
        assert f"row {row}:" in said
    lines = b'{"asked_s": 0}\nnot json\n{"asked_s": true}\n{"asked_s": null}\n[1]\n{"asked_s": 2}\n'
    (said,) = read_recording(lines).said
    assert said.startswith("4 rows of the recording are left out: row 2:")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "must have a column asked"),
        (b"asked_s,hold_ms\n", "it has no rows"),
        (b"time,hold_ms\n1,2\n", "must have a column asked"),
        (b"asked,hold_ms\n1,2\n", "needs a unit"),
        (b"asked_h\n1\n", "needs a unit"),
        (b"asked_s\nx\n", "row 2: asked must be a number"),
        (b'{"at": 1}\n', "must have a column asked"),
        (b"{\n", "row 1: is not a JSON object"),
        (b"\xff\xfe\x00", "must have a column asked"),
    ],
)
def test_a_file_with_nothing_to_play_says_why(content: bytes, why: str) -> None:
    with pytest.raises(RecordingError, match=why):
        read_recording(content)


@given(content=st.binary(max_size=200))
def test_any_file_is_played_or_refused_in_words(content: bytes) -> None:
    for start in (b"", b"asked_s,hold_ms\n", b'{"asked_s": 1}\n'):
        try:
            read = read_recording(start + content, "s")
        except RecordingError:
            continue
        assert np.isfinite(read.asked_s).all()
        assert (np.diff(read.asked_s) >= 0.0).all()


def test_a_row_too_many_is_refused_with_the_limit() -> None:
    content = b"asked_s\n" + b"1\n" * (ROWS_MAX + 1)
    with pytest.raises(RecordingError, match=f"at most {ROWS_MAX} rows"):
        read_recording(content)


def test_recorded_requests_are_played_to_the_letter() -> None:
    """One connection: each waits for those before it, as Lindley's recursion has it."""
    rng = np.random.default_rng(1)
    asked = np.cumsum(rng.exponential(0.02, 500))
    hold = rng.exponential(0.015, 500)
    rows = list(zip(asked.tolist(), hold.tolist(), strict=True))
    read = read_recording(csv_of("asked_s,hold_s", rows))
    scenario = read.describe(parse(f"{ONE}&duration_s=60"))
    trace = simulate(scenario, arrivals=read.arrivals(scenario))
    wait, free_s = [], 0.0
    for at_s, hold_s in zip(read.asked_s.tolist(), hold.tolist(), strict=True):
        start_s = max(at_s, free_s)
        wait.append(start_s - at_s)
        free_s = start_s + hold_s
    assert np.allclose(waits_of(trace), wait, atol=1e-9)


def test_the_scenario_of_a_recording_has_its_rate_hold_and_digest() -> None:
    read = read_recording(csv_of("asked_s,hold_ms", [(k / 50, 10.0) for k in range(500)]))
    scenario = read.describe(parse(f"{ONE}&duration_s=10&replications=5"))
    load = scenario.workload
    assert (load.rate_per_s, load.hold_s_mean) == pytest.approx((50.0, 0.01))
    assert scenario.replications == 1
    assert load.recording == read.digest
    assert scenario.offered_load == pytest.approx(0.5)
    drawn = read_recording(csv_of("asked_s", [(0.0,), (1.0,)]))
    assert drawn.describe(parse(f"{ONE}&replications=5")).replications == 5


def test_what_is_not_played_is_said_with_the_answer() -> None:
    read = read_recording(csv_of("asked_s,hold_ms", [(float(k), 10.0) for k in range(100)]))
    scenario = read.describe(parse(f"{ONE}&duration_s=10"))
    result = run(scenario, recording=read)
    assert result.requests == 10
    assert any("The first 10 of 100 recorded requests" in note for note in result.notes)


def test_without_a_file_nothing_arrives_and_that_is_said() -> None:
    result = run(parse(f"{ONE}&duration_s=3600"))
    assert result.requests == 0
    assert any(note.startswith("Nothing arrives") for note in result.notes)


def test_the_limit_of_a_run_holds_for_recordings_too() -> None:
    many = Recording(np.linspace(0.0, 10.0, 600_000), np.empty(0), "0" * 12)
    scenario = many.describe(parse(f"{ONE}&duration_s=20&replications=2"))
    assert many.played(scenario) == 250_000
    assert math.isfinite(scenario.offered_load)
    (note,) = many.notes(scenario)
    assert "as many as a run may have" in note


def test_the_command_line_plays_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "arrivals.csv"
    file.write_bytes(csv_of("asked_s,hold_ms", [(k / 10, 10.0) for k in range(50)]))
    assert main(["duration_s=5&warm_up_s=0", "--arrivals", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["requests"] == 50
    assert said["scenario"]["pattern"] == "recorded"
    assert main(["", "--arrivals", str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err
