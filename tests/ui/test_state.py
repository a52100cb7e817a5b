"""Reading a link: the page and the command line agree on what is valid."""

import string

from hypothesis import given
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.setting import InvalidSettings
from sim.presets import PRESETS
from sim.query import KIND, all_settings, from_pairs, from_values, parse, to_query, to_values
from ui.state import APPLIES, applies, read

NAMES = sorted({name for kind in KINDS for name in all_settings(kind)})
TEXTS = st.one_of(
    st.sampled_from(["", "abc", "-1", "0", "1", "5", "1e3", "nan", "inf", "true", "closed"]),
    st.text(string.printable, max_size=8),
    st.integers(-10, 10_000).map(str),
)
LINKS = st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=6)), TEXTS, max_size=8)


@given(LINKS)
def test_page_accepts_exactly_what_the_command_line_accepts(link: dict[str, str]) -> None:
    values, ignored = read(link)
    kind = str(values.get(KIND.query, KIND.default))
    try:
        expected = to_values(from_pairs(list(link.items())))
    except InvalidSettings as wrong:
        named = {mistake.field for mistake in wrong.mistakes}
        assert ignored or named <= set(values) | {"warm_up_s", "spike_at_s", "rate"}
        return
    assert to_values(from_values(kind, values)) == expected


@given(LINKS)
def test_every_value_taken_from_a_link_is_valid_alone(link: dict[str, str]) -> None:
    values, _ = read(link)
    known = all_settings(str(values.get(KIND.query, KIND.default)))
    assert all(known[name].problem(value) is None for name, value in values.items())


@given(LINKS)
def test_each_sentence_about_a_link_is_short(link: dict[str, str]) -> None:
    _, ignored = read(link)
    assert all(len(sentence) < 300 for sentence in ignored)


def test_every_rule_of_applicability_names_a_real_setting() -> None:
    assert set(APPLIES) <= set(NAMES)


def test_settings_without_a_rule_always_apply() -> None:
    assert applies("pool_size", "sqlalchemy", {})


def test_presets_parse_have_unique_names_and_say_when_and_source() -> None:
    names = [preset.name for preset in PRESETS]
    queries = [to_query(parse(preset.query)) for preset in PRESETS]
    assert len(set(names)) == len(names)
    assert len(set(queries)) == len(queries)
    assert all(preset.when.endswith(".") and preset.source for preset in PRESETS)


def test_presets_set_only_what_has_an_effect() -> None:
    for preset in PRESETS:
        scenario = parse(preset.query)
        values = to_values(scenario)
        for part in filter(None, preset.query.split("&")):
            assert applies(part.partition("=")[0], scenario.pool.name, values), preset.name
