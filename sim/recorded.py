"""Recorded arrivals and holds: a CSV file with a header, or JSON lines.

    asked_s,hold_ms            {"asked_s": 0.0, "hold_ms": 12.5}
    0.000,12.5                 {"asked_s": 0.5, "hold_ms": 8.0}
    0.500,8.0

`asked` says when a request asked for a connection (from any zero, such as the epoch), `hold` how
long it kept it (may be left out). Units stand in the names (_s, _ms, _us, _ns) or are given. A row
that cannot be read is left out and reported by its number; nothing else is dropped silently.
"""

import csv
import hashlib
import io
import json
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sim.scenario import REQUESTS_MAX, Scenario
from sim.workload import Arrivals, Streams

Array = NDArray[np.float64]
ROWS_MAX = 1_000_000
BYTES_MAX = 100 * 2**20
HOLD_S_MAX = 3600.0
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
ASKED, HOLD = "asked", "hold"
_BAD_SHOWN = 5
_DELIMITERS = ",;\t"


class RecordingError(ValueError):
    """A file that cannot be played; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Requests in order of time, counted from the first; and what is to be said about the file.

    `hold_s` is empty if the file has no holds. `digest` names the file in an address.
    """

    asked_s: Array
    hold_s: Array
    digest: str
    said: tuple[str, ...] = ()

    @property
    def length_s(self) -> float:
        """From the first request to the last."""
        return float(self.asked_s[-1])

    def played(self, scenario: Scenario) -> int:
        """Return how many requests a scenario plays: those in its time, up to a run's limit."""
        in_time = int(np.searchsorted(self.asked_s, scenario.duration_s))
        most = REQUESTS_MAX / scenario.replications / scenario.workload.checkouts_mean
        return min(in_time, int(most))

    def arrivals(self, scenario: Scenario, replication: int = 0) -> Arrivals:
        """Return the requests to play; holds that are not recorded are drawn."""
        count, load = self.played(scenario), scenario.workload
        streams = Streams(scenario.seed, replication)
        drawn = len(self.hold_s) == 0
        return Arrivals(
            asked_s=self.asked_s[:count],
            hold_s=load.holds.draw(count, streams.holds) if drawn else self.hold_s[:count],
            pool=streams.pools.integers(scenario.fleet.pools, size=count),
            host=streams.hosts.integers(load.hosts, size=count),
        )

    def describe(self, scenario: Scenario) -> Scenario:
        """Return the scenario with the recording's own rate and mean hold.

        One replication where the holds are recorded: another would be the same again.
        """
        replications = scenario.replications if len(self.hold_s) == 0 else 1
        scenario = replace(scenario, replications=replications)
        count = self.played(scenario)
        load = replace(
            scenario.workload,
            pattern="recorded",
            recording=self.digest,
            rate_per_s=min(10_000.0, count / scenario.duration_s),
        )
        if count and len(self.hold_s):
            mean_s = float(self.hold_s[:count].mean())
            load = replace(
                load,
                hold_s_mean=min(60.0, max(1e-4, mean_s)),
                hold_distribution="auto",
                hold_given="mean",
            )
        return replace(scenario, workload=load)

    def notes(self, scenario: Scenario) -> Iterator[str]:
        """Say what of the file is not played, and what was done to it."""
        yield from self.said
        count, total = self.played(scenario), len(self.asked_s)
        if count < total:
            in_time = self.length_s < scenario.duration_s
            why = "as many as a run may have" if in_time else "those before duration_s or the limit"
            yield (
                f"The first {count} of {total} recorded requests are played, {why};"
                f" the recording lasts {self.length_s:.4g} s."
            )
        if len(self.hold_s):
            yield "Recorded holds are played once: there is no other replication to tell intervals."


@dataclass(slots=True)
class _Reader:
    """What has been read so far."""

    asked_s: "array[float]" = field(default_factory=lambda: array("d"))
    hold_s: "array[float]" = field(default_factory=lambda: array("d"))
    bad: list[str] = field(default_factory=list)
    bad_count: int = 0

    def take(self, number: int, asked: object, hold: object, scales: tuple[float, float]) -> None:
        """Read one row, or note why not."""
        try:
            asked_s = _number(ASKED, asked, -math.inf, math.inf) * scales[0]
            hold_s = _number(HOLD, hold, 0.0, HOLD_S_MAX / (scales[1] or 1.0)) * scales[1]
        except ValueError as broken:
            self.note(number, str(broken))
            return
        if len(self.asked_s) == ROWS_MAX:
            raise RecordingError(f"The file must have at most {ROWS_MAX} rows. Cut it.")
        self.asked_s.append(asked_s)
        self.hold_s.append(hold_s)

    def note(self, number: int, why: str) -> None:
        """Note a row that is left out."""
        self.bad_count += 1
        if len(self.bad) < _BAD_SHOWN:
            self.bad.append(f"row {number}: {why}")


def read_recording(content: bytes, unit: str = "") -> Recording:
    """Read a file. `unit` is that of columns whose name has none.

    Raises RecordingError where there is nothing to play. Rows are numbered from 1, the header
    and empty lines included.
    """
    if len(content) > BYTES_MAX:
        raise RecordingError(f"The file must have at most {BYTES_MAX // 2**20} MB. Cut it.")
    text = content.decode("utf-8-sig", errors="replace")
    reader = _Reader()
    has_hold = (_read_json if text.lstrip()[:1] == "{" else _read_csv)(text, unit, reader)
    if not reader.asked_s:
        why = "; ".join(reader.bad) or "it has no rows"
        raise RecordingError(f"The file has nothing to play: {why}.")
    return _made(reader, hashlib.sha256(content).hexdigest()[:12], has_hold=has_hold)


def _made(reader: _Reader, digest: str, *, has_hold: bool) -> Recording:
    asked_s, hold_s = np.asarray(reader.asked_s), np.asarray(reader.hold_s)
    said = []
    if reader.bad_count:
        more = reader.bad_count - len(reader.bad)
        listed = "; ".join(reader.bad) + (f"; and {more} more" if more else "")
        said.append(f"{reader.bad_count} rows of the recording are left out: {listed}.")
    if (np.diff(asked_s) < 0.0).any():
        said.append("The rows of the recording were not in order of time; they were sorted.")
        order = np.argsort(asked_s, kind="stable")
        asked_s, hold_s = asked_s[order], hold_s[order]
    return Recording(asked_s - asked_s[0], hold_s if has_hold else np.empty(0), digest, tuple(said))


def _read_csv(text: str, unit: str, reader: _Reader) -> bool:
    lines = io.StringIO(text, newline="")
    delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        names = [name.strip() for name in next(rows, [])]
        columns = _columns(names, unit)
        asked, hold = (None if one is None else names.index(one[0]) for one in columns)
        scales = (columns[0][1], columns[1][1] if columns[1] else 0.0)
        for row in rows:
            if row:
                _take_row(reader, rows.line_num, row, (asked, hold), scales)
    except csv.Error as broken:
        raise RecordingError(f"The file is no CSV: row {rows.line_num}, {broken}.") from None
    return columns[1] is not None


def _take_row(
    reader: _Reader,
    number: int,
    row: Sequence[str],
    columns: tuple[int | None, int | None],
    scales: tuple[float, float],
) -> None:
    asked, hold = columns
    if len(row) <= max(asked or 0, hold or 0):
        reader.note(number, f"has only {len(row)} columns")
    else:
        reader.take(number, row[asked or 0], 0.0 if hold is None else row[hold], scales)


def _read_json(text: str, unit: str, reader: _Reader) -> bool:
    columns = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        row = _json_row(line)
        if row is None:
            reader.note(number, "is not a JSON object")
            continue
        if columns is None:
            columns = _columns(list(row), unit)
        (asked, asked_scale), hold = columns
        hold_value = 0.0 if hold is None else row.get(hold[0])
        scales = (asked_scale, hold[1] if hold else 0.0)
        reader.take(number, row.get(asked), hold_value, scales)
    return columns is not None and columns[1] is not None


def _json_row(line: str) -> Mapping[str, object] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


Column = tuple[str, float]


def _columns(names: Sequence[str], unit: str) -> tuple[Column, Column | None]:
    """Find both columns, each with its name and its unit in seconds."""
    asked, hold = _column(ASKED, names, unit), _column(HOLD, names, unit)
    if asked is None:
        shown = ", ".join(name[:20] for name in names[:8])
        raise RecordingError(
            f"The file must have a column {ASKED} with its unit, such as {ASKED}_s;"
            f" it has {shown!r}."
        )
    return asked, hold


def _column(wanted: str, names: Sequence[str], unit: str) -> Column | None:
    for name in names:
        stem, _, suffix = name.partition("_")
        if stem != wanted:
            continue
        if suffix in UNITS:
            return name, UNITS[suffix]
        if not suffix and unit in UNITS:
            return name, UNITS[unit]
        raise RecordingError(
            f"The column {name[:40]!r} needs a unit: name it {wanted}_s, {wanted}_ms, {wanted}_us"
            f" or {wanted}_ns, or give the unit."
        )
    return None


def _number(name: str, value: object, low: float, high: float) -> float:
    """Read a finite number; `value` is text, or what JSON has."""
    shown = repr(value)[:40]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name} must be a number, got {shown}")  # noqa: TRY004  one error for all
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} must be a number, got {shown}") from None
    if not math.isfinite(number) or not low <= number <= high:
        raise ValueError(f"{name} must be a time, got {shown}")
    return number
