"""Which values an axis has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.setting import InvalidSettings
from sim.query import all_settings, parse
from sim.sweep.axis import POINTS_MAX, default_axes, parse_axis, spread
from sim.sweep.grid import CELLS_MAX, Grid


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("pool_size=1..4", (1, 2, 3, 4)),
        ("pool_size=8,2,4,2", (2, 4, 8)),
        ("rate=100..400:4", (100, 200, 300, 400)),
        ("hold_ms=5", (5,)),
    ],
)
def test_an_axis_reads_as_it_is_written(text: str, values: tuple[float, ...]) -> None:
    assert parse_axis(text, "sqlalchemy").values == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size=1..4", "size is not a parameter of kind sqlalchemy"),
        ("pool_size=1..x", "pool_size must be a whole number"),
        ("pool_size=-1..4", "pool_size must be a whole number from 0 to 500"),
        ("pool_pre_ping=0,1", "pool_pre_ping must be a number to be varied"),
        ("rate=1..2:1", "rate must have 2 to 60 points after the colon"),
        ("rate=" + ",".join(map(str, range(1, 80))), "rate must have at most 60 values"),
        ("", "axis is not a parameter"),
    ],
)
def test_a_wrong_axis_is_refused_with_its_rule(text: str, said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        parse_axis(text, "sqlalchemy")


@given(low=st.floats(0.1, 100.0), width=st.floats(0.0, 1000.0), points=st.integers(2, POINTS_MAX))
def test_spread_values_are_within_their_ends_and_ascend(
    low: float, width: float, points: int
) -> None:
    known = all_settings("sqlalchemy")["rate"]
    values = spread(known, low, low + width, points)
    assert len(values) <= points
    assert values[0] == low
    assert values == sorted(set(values))
    assert values[-1] == (low + width if len(values) > 1 else low)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_default_axes_whose_cells_are_scenarios(kind: str) -> None:
    scenario = parse(f"kind={kind}")
    grid = Grid(scenario, *default_axes(scenario))
    places = list(grid.places())
    assert len(places) == grid.size
    assert [place.problem for place in places if place.problem] == []
    assert len({place.query for place in places}) == grid.size


def test_a_floor_gives_way_to_a_smaller_size() -> None:
    scenario = parse("kind=asyncpg&max_size=20&min_size=10&init_size=12")
    grid = Grid(scenario, parse_axis("max_size=4,11,30", "asyncpg"))
    made = [parse(place.query).pool for place in grid.places()]
    assert [(pool.max_size, pool.min_size, pool.init_size) for pool in made] == [
        (4, 4, 4),
        (11, 10, 11),
        (30, 10, 12),
    ]


def test_a_cell_whose_values_do_not_fit_says_why() -> None:
    grid = Grid(parse(""), parse_axis("reserved=3,200", "sqlalchemy"))
    fits, not_so = grid.places()
    assert not fits.problem
    assert not_so.problem == "reserved must be below max_connections (100), got 200"


def test_one_setting_cannot_be_varied_twice() -> None:
    axis = parse_axis("rate=1..4", "sqlalchemy")
    with pytest.raises(InvalidSettings, match="y must vary another setting than x"):
        Grid(parse(""), axis, axis)


def test_a_grid_beyond_the_limit_is_refused() -> None:
    axes = (
        parse_axis("rate=100..1000:50", "sqlalchemy"),
        parse_axis("pool_size=1..50:50", "sqlalchemy"),
    )
    with pytest.raises(InvalidSettings, match=f"grid must have at most {CELLS_MAX} cells"):
        Grid(parse(""), *axes)
