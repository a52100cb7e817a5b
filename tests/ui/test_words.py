"""Numbers in words."""

import doctest
import re

from hypothesis import given
from hypothesis import strategies as st

import ui.words
from sim.result import Estimate
from ui.words import duration, duration_interval, number


def test_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(ui.words).failed == 0


@given(st.floats(0, 1e6, allow_nan=False))
def test_duration_keeps_three_digits_and_names_its_unit(seconds: float) -> None:
    text, unit = duration(seconds).split()
    value = float(text.replace(",", "")) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6}[unit]
    if seconds > 1e-9:
        assert abs(value - seconds) <= 0.006 * seconds


@given(st.floats(1e-9, 1e9))
def test_number_has_no_exponent_and_no_dust(value: float) -> None:
    assert re.fullmatch(r"[\d,]+(\.\d+)?", number(value))


def test_interval_without_replications_says_so() -> None:
    assert duration_interval(Estimate(0.1)) == "one run: no interval"
