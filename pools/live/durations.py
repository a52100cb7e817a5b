"""Reads a file of durations, such as a log of query times, as mean and spread.

One duration a line, or a table whose first column of numbers is taken; a first line without a
number is a heading.
"""

import csv
import math
from collections.abc import Iterator
from statistics import fmean, pstdev

from pools.live.preflight import Spread

ROWS_MAX, BYTES_MAX = 100_000, 1024 * 1024
DURATIONS_MIN = 10
LONGEST_S = 3600.0


class InvalidDurations(ValueError):
    """A file of durations breaks a rule; the message names the rule and the line."""


def durations(data: bytes, *, unit_s: float) -> Spread:
    """Return mean and spread of the durations in a file, whose unit is given in seconds.

    Raises InvalidDurations.
    """
    if len(data) > BYTES_MAX:
        raise InvalidDurations("The file must be at most 1 MiB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeError:
        raise InvalidDurations("The file must be text (UTF-8).") from None
    found = list(_numbers(text, unit_s))
    if len(found) < DURATIONS_MIN:
        raise InvalidDurations(f"The file must hold at least {DURATIONS_MIN} durations.")
    return Spread(fmean(found), pstdev(found), len(found))


def _numbers(text: str, unit_s: float) -> Iterator[float]:
    column = None
    separator = ";" if ";" in text.partition("\n")[0] else ","
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error:
        raise InvalidDurations("The file must be a table of plain text (CSV).") from None
    if len(rows) > ROWS_MAX:
        raise InvalidDurations(f"The file must have at most {ROWS_MAX} lines.")
    for line, row in enumerate(rows, 1):
        if not any(cell.strip() for cell in row):
            continue
        if column is None:
            column = next((at for at, cell in enumerate(row) if _is_number(cell)), None)
            if column is None and line > 1:
                raise InvalidDurations(f"Line {line} must hold a number.")
        if column is not None:
            yield _duration(row, column, line, unit_s)


def _duration(row: list[str], column: int, line: int, unit_s: float) -> float:
    cell = row[column] if column < len(row) else ""
    if not _is_number(cell) or not 0.0 <= float(cell) * unit_s <= LONGEST_S:
        raise InvalidDurations(
            f"Line {line}, column {column + 1} must be a duration from 0 to {LONGEST_S:g} s."
        )
    return float(cell) * unit_s


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
