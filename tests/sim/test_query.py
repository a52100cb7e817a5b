"""The address: read and written back without loss, every mistake named."""

from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pools.kinds import KINDS
from pools.setting import InvalidSettings, Setting
from sim.query import QUERY_CHARS_MAX, all_settings, from_values, parse, to_query, to_values
from sim.scenario import REQUESTS_MAX, Scenario
from tests.strategies import scenarios, values

EVERY_KIND = pytest.mark.parametrize("kind", sorted(KINDS))


def mistakes_of(query: str) -> dict[str, str]:
    """Return what is wrong with a query: the rule broken, by field."""
    with pytest.raises(InvalidSettings) as wrong:
        parse(query)
    return {mistake.field: mistake.rule for mistake in wrong.value.mistakes}


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=40)
def test_a_scenario_survives_its_own_address(kind: str, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(kind))
    assert parse(to_query(scenario)) == scenario
    assert from_values(kind, to_values(scenario)) == scenario


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=40)
def test_an_address_that_was_read_is_written_the_same_for_ever(
    kind: str, data: st.DataObject
) -> None:
    once = to_query(data.draw(scenarios(kind)))
    assert to_query(parse(once)) == once


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=40)
def test_a_number_typed_to_the_last_digit_is_kept_by_its_address(
    kind: str, data: st.DataObject
) -> None:
    """Whatever is typed into an address, its canonical form is the same scenario."""
    known = {name: made for name, made in all_settings(kind).items() if made.kind is float}
    name = data.draw(st.sampled_from(sorted(known)))
    low, high = known[name].low, known[name].high
    assert low is not None
    assert high is not None
    text = repr(data.draw(st.floats(low, high)))
    try:
        scenario = parse(f"kind={kind}&duration_s=0.5&warm_up_s=0&{name}={text}")
    except InvalidSettings:
        return
    assert parse(to_query(scenario)) == scenario


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=20)
def test_the_address_says_only_what_differs_from_the_default(
    kind: str, data: st.DataObject
) -> None:
    scenario = data.draw(scenarios(kind))
    said = dict(parse_qsl(to_query(scenario)))
    shown = to_values(scenario)
    for name, made in all_settings(kind).items():
        # Users or think time alone would mean a closed loop, so the pattern is said with them.
        needed = name == "pattern" and {"users", "think_ms"} & set(said)
        assert (name in said) == (shown[name] != made.default or bool(needed))


def test_the_default_scenario_has_an_empty_address() -> None:
    assert to_query(Scenario()) == ""
    assert parse("") == parse("?") == Scenario()


def spoilt(made: Setting) -> list[str]:
    """Return texts that break the rule of a Setting, and cannot be read as anything else."""
    texts = ["", "x", "nan", "inf", "-inf", "1e999", "1" + "0" * 400, "<script>", "\n", "1;2", "é"]
    if made.form is not None:
        return [text for text in texts if text.strip() not in ("", "1")]
    if made.kind is bool or made.choices:
        return [text for text in texts if text != "1"]
    assert made.low is not None
    assert made.high is not None
    texts += [repr(made.high + 1), repr(made.high * 2 + 1)]
    texts += [repr(made.low - 1)] if made.low - 1 not in made.special else []
    return texts + (["1.5", "0x10", "1e1"] if made.kind is int else [])


@EVERY_KIND
def test_every_value_that_breaks_its_rule_is_named_with_the_rule(kind: str) -> None:
    for name, made in all_settings(kind).items():
        if name == "kind":
            continue
        for text in spoilt(made):
            found = mistakes_of(urlencode({"kind": kind, name: text}))
            assert found == {name: made.bounds}, f"{name}={text!r}"


@EVERY_KIND
def test_every_value_at_its_bounds_is_read(kind: str) -> None:
    for name, made in all_settings(kind).items():
        edges = [made.default, *made.choices, *made.special]
        edges += [] if made.form is None else made.form.examples
        edges += [] if made.low is None or made.high is None else [made.low, made.high]
        for edge in edges:
            assert made.parse(made.spell(made.kind(edge))) == edge, name


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=30)
def test_all_mistakes_are_named_at_once(kind: str, data: st.DataObject) -> None:
    known = {name: made for name, made in all_settings(kind).items() if name != "kind"}
    wrong = data.draw(st.sets(st.sampled_from(sorted(known)), min_size=1, max_size=6))
    pairs = {name: data.draw(st.sampled_from(spoilt(known[name]))) for name in sorted(wrong)}
    found = mistakes_of(urlencode({"kind": kind, "colour": "red"} | pairs))
    assert set(found) == {"colour", *pairs}


@EVERY_KIND
def test_a_setting_of_another_kind_is_not_a_parameter_of_this_one(kind: str) -> None:
    for other in KINDS:
        for name in set(all_settings(other)) - set(all_settings(kind)):
            assert mistakes_of(f"kind={kind}&{name}=1") == {
                name: f"is not a parameter of kind {kind}"
            }


def test_a_parameter_given_twice_is_a_mistake() -> None:
    assert mistakes_of("rate=10&rate=20") == {"rate": "must be given once"}


def test_an_unknown_kind_is_named_with_the_known_ones() -> None:
    assert mistakes_of("kind=psycopg2") == {"kind": "must be one of " + ", ".join(KINDS)}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=asyncpg&min_size=11", "min_size"),
        ("kind=asyncpg&max_size=5&min_size=5&init_size=6", "init_size"),
        ("pool_recycle=0", "pool_recycle"),
        ("rate=0", "rate"),
        ("max_connections=3&reserved=3", "reserved"),
        ("replicas=200&workers=64", "workers"),
        ("warm_up_s=30", "warm_up_s"),
        ("pattern=spike&spike_at_s=30", "spike_at_s"),
        ("rate=10000&duration_s=3600", "rate"),
        ("users=10000&think_ms=0&hold_ms=1", "users"),
        ("pattern=looping&users=10000&hold_ms=1", "users"),
        ("pattern=bursty&rate=0", "rate"),
        ("pattern=bursty&rate=1000&burst_factor=50&burst_share=0.01", "rate"),
        ("pattern=ramp&rate=0&ramp_rate=0", "ramp_rate"),
        ("pattern=ramp&rate=1&ramp_rate=10000", "ramp_rate"),
        ("hold_distribution=empirical", "hold_distribution"),
        ("hold_distribution=gamma&hold_given=percentiles", "hold_distribution"),
        ("hold_given=percentiles&hold_p50_ms=100", "hold_p50_ms"),
        ("hold_given=percentiles&hold_distribution=pareto&hold_max_ms=50", "hold_max_ms"),
        ("hold_distribution=hyperexponential&hold_cv=0.5", "hold_cv"),
        ("hold_distribution=pareto&hold_max_ms=20", "hold_max_ms"),
        ("hold_distribution=pareto&hold_max_ms=30&hold_cv=1", "hold_cv"),
    ],
)
def test_a_rule_between_fields_names_one_of_them(query: str, field: str) -> None:
    assert set(mistakes_of(query)) == {field}


def test_the_bound_on_a_run_is_the_number_of_requests() -> None:
    rate = REQUESTS_MAX / 5 / 30
    assert parse(f"rate={rate:.6f}&duration_s=30&replications=5")
    assert set(mistakes_of(f"rate={rate + 1:.6f}&duration_s=30&replications=5")) == {"rate"}


def test_users_or_think_time_alone_mean_a_closed_loop() -> None:
    assert parse("users=10").workload.pattern == "closed"
    assert parse("think_ms=10").workload.pattern == "closed"
    assert parse("users=10&pattern=steady").workload.pattern == "steady"


@given(text=st.text(max_size=200))
def test_any_text_is_a_scenario_or_a_list_of_one_line_mistakes(text: str) -> None:
    for query in (text, quote(text), quote(text, safe="=&")):
        try:
            parse(query)
        except InvalidSettings as wrong:
            for mistake in wrong.mistakes:
                assert str(mistake).isprintable(), repr(str(mistake))
                assert len(str(mistake)) < 1000


def test_a_query_of_any_length_is_judged_quickly() -> None:
    """Many pairs cost no more than their number: this one has a few thousand."""
    many = "&".join("rate=1" for _ in range(QUERY_CHARS_MAX // 7))
    assert mistakes_of(many) == {"rate": "must be given once"}
    assert mistakes_of("a" * (QUERY_CHARS_MAX + 1)) == {
        "query": f"must be at most {QUERY_CHARS_MAX} characters"
    }


@EVERY_KIND
@given(data=st.data())
@settings(max_examples=30)
def test_every_value_of_every_setting_is_spelt_as_it_is_read(
    kind: str, data: st.DataObject
) -> None:
    for made in all_settings(kind).values():
        shown = data.draw(values(made))
        assert made.parse(made.spell(shown)) == shown, made.query
