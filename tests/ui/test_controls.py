"""Sliders and help texts, made from Settings alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.kinds import KINDS
from sim.query import all_settings
from ui.controls import EXPLORED, EXPLORED_LOAD, help_text, ladder

SETTINGS = {name: known for kind in KINDS for name, known in all_settings(kind).items()}
SLIDERS = [SETTINGS[name] for name in (*EXPLORED, *EXPLORED_LOAD)]


@pytest.mark.parametrize("known", SLIDERS, ids=lambda known: known.query)
def test_slider_stops_are_valid_ascending_and_reach_both_ends(known: object) -> None:
    [known] = [one for one in SLIDERS if one is known]
    stops = ladder(known)
    assert all(known.problem(stop) is None for stop in stops)
    assert stops == sorted(set(stops), key=float)
    assert (stops[0], stops[-1]) == (known.low, known.high)
    assert {known.default, *known.special} <= set(stops)
    assert len(stops) <= 100


@given(st.integers(0, 500))
def test_any_valid_value_of_a_link_is_among_the_stops(size: int) -> None:
    assert size in ladder(SETTINGS["pool_size"], (size,))


@pytest.mark.parametrize("known", SLIDERS, ids=lambda known: known.query)
def test_slider_stops_are_spelt_as_the_command_line_reads_them(known: object) -> None:
    [known] = [one for one in SLIDERS if one is known]
    assert [known.parse(known.spell(stop)) for stop in ladder(known)] == ladder(known)


@pytest.mark.parametrize("name", SETTINGS)
def test_help_says_meaning_default_source_and_special_values(name: str) -> None:
    known = SETTINGS[name]
    text = help_text(known)
    assert text.startswith(known.meaning)
    assert f"Default {known.spell(known.default)} ({known.source})." in text
    for meaning in known.special.values():
        assert meaning in text
    assert not known.unit or known.unit in text
