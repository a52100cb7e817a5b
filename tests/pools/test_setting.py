"""A Setting: read, checked, spelt and scaled the same everywhere."""

import dataclasses
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.setting import InvalidSettings, Mistake, Setting, Settings, setting, settings_of
from sim.scenario import PARTS, Scenario
from tests.strategies import values

CLASSES = [*KINDS.values(), *PARTS.values(), Scenario]
EVERY_SETTING = [
    pytest.param(made, id=f"{cls.__name__}.{name}")
    for cls in CLASSES
    for name, made in settings_of(cls).items()
]
FEW = settings(max_examples=12)
EACH = pytest.mark.parametrize("made", EVERY_SETTING)


@EACH
@FEW
@given(data=st.data())
def test_a_value_is_read_as_it_is_spelt(made: Setting, data: st.DataObject) -> None:
    shown = data.draw(values(made))
    assert made.parse(made.spell(shown)) == shown
    assert type(made.parse(made.spell(shown))) is made.kind


@EACH
@FEW
@given(data=st.data())
def test_a_value_survives_the_unit_of_its_field(made: Setting, data: st.DataObject) -> None:
    shown = data.draw(values(made))
    assert made.to_shown(made.to_field(shown)) == shown


@EACH
def test_a_setting_says_all_that_docs_and_widgets_need(made: Setting) -> None:
    assert made.meaning.endswith(".")
    assert made.source
    assert made.problem(made.default) is None
    assert all(made.problem(value) is None for value in made.special)
    if made.kind in (int, float):
        assert made.low is not None
        assert made.high is not None
        assert made.step
        assert made.low < made.high


@EACH
@FEW
@given(text=st.text(max_size=30))
def test_any_text_is_a_value_or_breaks_the_rule(made: Setting, text: str) -> None:
    try:
        shown = made.parse(text)
    except ValueError as broken:
        rule = str(broken)
    else:
        assert made.problem(shown) is None
        return
    assert rule == made.bounds


@pytest.mark.parametrize("cls", CLASSES)
def test_query_names_are_used_once(cls: type[Settings]) -> None:
    names = [made.query for made in settings_of(cls).values()]
    assert len(names) == len(set(names))


def test_the_shared_parts_and_a_pool_never_share_a_query_name() -> None:
    shared = [made.query for cls in CLASSES[len(KINDS) :] for made in settings_of(cls).values()]
    assert len(shared) == len(set(shared))
    for kind in KINDS.values():
        assert not set(shared) & {made.query for made in settings_of(kind).values()}


@dataclasses.dataclass(frozen=True, slots=True)
class Kettle(Settings):
    """Something with settings of every type."""

    boil_s: float = setting(
        500.0, "Time to boil.", source="test", query="boil_ms", unit="ms", low=0.0, high=2000.0
    )
    cups: int = setting(4, "Cups.", source="test", low=1, high=8, special={0: "none"})
    whistles: bool = setting(True, "Whether it whistles.", source="test")
    colour: str = setting("red", "Its colour.", source="test", choices=("red", "blue"))


def test_fields_hold_seconds_and_defaults_are_given_in_the_unit_shown() -> None:
    assert Kettle().boil_s == 0.5
    assert settings_of(Kettle)["boil_s"].to_shown(Kettle().boil_s) == 500.0


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"boil_s": 3.0}, "boil_ms must be a number from 0 to 2000 ms, got 3000"),
        ({"boil_s": float("nan")}, "boil_ms must be a number from 0 to 2000 ms, got nan"),
        ({"cups": 9}, "cups must be a whole number from 1 to 8, got 9"),
        ({"cups": 2.5}, "cups must be a whole number from 1 to 8, got 2.5"),
        ({"cups": True}, "cups must be a whole number from 1 to 8, got True"),
        ({"cups": 10**400}, f"cups must be a whole number from 1 to 8, got {10**400}"),
        ({"whistles": 1}, "whistles must be true or false, got 1"),
        ({"colour": "green"}, "colour must be one of red, blue, got 'green'"),
        ({"colour": None}, "colour must be one of red, blue, got None"),
    ],
)
def test_a_wrong_value_is_named_with_its_rule(given_: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSettings) as wrong:
        Kettle(**given_)  # type: ignore[arg-type]
    assert str(wrong.value) == said


def test_all_wrong_values_are_named_together() -> None:
    with pytest.raises(InvalidSettings) as wrong:
        Kettle(boil_s=-1.0, cups=99, colour="")
    assert [mistake.field for mistake in wrong.value.mistakes] == ["boil_ms", "cups", "colour"]


def test_a_special_value_lies_outside_the_bounds_and_is_right() -> None:
    assert Kettle(cups=0).cups == 0


@pytest.mark.parametrize("text", ["true", "True", "1", "yes", "on", " TRUE "])
def test_yes_is_read_in_several_spellings(text: str) -> None:
    assert settings_of(Kettle)["whistles"].parse(text) is True


def test_mistakes_are_the_same_in_another_process() -> None:
    wrong = InvalidSettings([Mistake("rate", "must be a number", "'x'"), Mistake("a", "b", "c")])
    again = pickle.loads(pickle.dumps(wrong))
    assert again.mistakes == wrong.mistakes
    assert str(again) == str(wrong)
