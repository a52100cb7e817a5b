"""The page without a browser: what is wired to what."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from pools.kinds import KINDS
from sim.presets import PRESETS, Preset
from sim.query import all_settings, parse, to_query, to_values
from sim.scenario import PARTS
from ui.state import applies

PAGE = Path(__file__).parents[2] / "ui" / "page.py"
SHORT = {"duration_s": "3", "warm_up_s": "0.5", "replications": "2"}


def opened(**query: str) -> AppTest:
    """Open the page with a query; short runs unless the query says otherwise."""
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    for name, text in (SHORT | query).items():
        page.query_params[name] = text
    page.run()
    assert not page.exception
    return page


def unfolded(page: AppTest) -> AppTest:
    """Open everything in the sidebar that is folded away."""
    return fold(page, is_open=True)


def fold(page: AppTest, *, is_open: bool) -> AppTest:
    """Open or close everything in the sidebar that is folded away."""
    parts = [part for part in PARTS if part not in ("workload", "goal")]
    for title in ("load-in-detail", *parts, "run"):
        page.session_state[f"{title}-folded"] = is_open
    return page.run()


def said(page: AppTest) -> str:
    """Return every text on the page."""
    parts = [*page.markdown, *page.text, *page.caption, *page.warning, *page.error, *page.success]
    return "\n".join(str(part.value) for part in parts)


def lines_of(page: AppTest) -> list[dict[str, Any]]:
    """Return the lines of the generated code, as the listing was given them."""
    shown = [one.proto for one in page.get("bidi_component")]
    [listing] = [one.json for one in shown if one.component_name == "poolwise.listing"]
    lines: list[dict[str, Any]] = json.loads(listing)["lines"]
    return lines


def code_of(page: AppTest) -> str:
    """Return the generated code."""
    return "".join("".join(text for _, text in line["runs"]) + "\n" for line in lines_of(page))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", ["steady", "spike", "closed"])
def test_every_kind_and_pattern_renders_metrics_code_and_charts(kind: str, pattern: str) -> None:
    page = opened(kind=kind, pattern=pattern, spike_at_s="1", users="10")
    assert len(page.metric) == 5
    assert code_of(page)
    assert len(page.get("bidi_component")) >= 4  # two charts, two copy buttons


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_preset_reaches_every_widget_and_the_address(preset: Preset) -> None:
    page = opened(rate="90")
    page.menu_button(key="preset").click(preset.name).run(timeout=120)
    assert not page.exception
    assert page.menu_button(key="preset").label == f"Preset: {preset.name}"
    assert preset.when in said(page)
    assert preset.source in said(page)
    scenario = parse(preset.query)
    values = to_values(scenario)
    shown = [name for name in values if applies(name, scenario.pool.name, values)]
    assert {name: page.session_state[name] for name in shown} == {n: values[n] for n in shown}
    address = {name: "".join(page.query_params[name]) for name in page.query_params}
    known = all_settings(scenario.pool.name)
    read = {name: known[name].parse(text) for name, text in address.items()}
    assert read == {name: values[name] for name, _ in parse_qsl(to_query(scenario))}


def test_preset_reaches_the_code() -> None:
    page = opened()
    page.menu_button(key="preset").click("asyncpg service").run(timeout=60)
    assert "create_pool" in code_of(page)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"pool_size": "7", "max_overflow": "3"}, ["pool_size=7", "max_overflow=3"]),
        ({"kind": "asyncpg", "max_size": "23"}, ["max_size=23"]),
        ({"kind": "aiohttp", "limit": "41"}, ["limit=41"]),
        ({"kind": "sqlalchemy-null"}, ["NullPool"]),
    ],
)
def test_code_carries_the_values_of_the_link(query: dict[str, str], expected: list[str]) -> None:
    text = code_of(opened(**query))
    for part in expected:
        assert part in text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"pool_size": "abc"}, "pool_size must be a whole number"),
        ({"pool_size": "1000"}, "pool_size must be a whole number from 0 to 500"),
        ({"rate": "nan"}, "rate must be a number"),
        ({"rate": ""}, "rate must be a number"),
        ({"kind": "mysql"}, "kind must be one of"),
        ({"colour": "red"}, "'colour' is not a parameter"),
        (
            {"max_size": "3"},
            "max_size is a parameter of kind asyncpg and psycopg, not of sqlalchemy",
        ),
        ({"hosts": "3"}, "hosts has an effect only if the pool is an HTTP client's"),
        ({"spike_at_s": "1"}, "spike_at_s has an effect only if pattern is spike"),
    ],
)
def test_bad_link_is_reported_in_a_sentence_and_good_values_stay(
    query: dict[str, str], sentence: str
) -> None:
    page = opened(hold_ms="33", **query)
    assert sentence in said(page)
    assert page.session_state["hold_ms"] == 33.0
    page.button(key="dismiss").click().run()
    assert sentence not in said(page)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("pool_pre_ping", "1", True),
        ("pool_pre_ping", "yes", True),
        ("pool_use_lifo", "TRUE", True),
        ("rate", "303.0", 303.0),
        ("rate", "1e2", 100.0),
        ("pool_size", "37", 37),
        ("hold_ms", "0.75", 0.75),
    ],
)
def test_page_reads_every_spelling_that_the_command_line_reads(
    name: str, text: str, value: object
) -> None:
    assert parse(f"{name}={text}") is not None
    page = opened(**{name: text})
    assert page.session_state[name] == value
    assert "ignored" not in said(page)


@pytest.mark.parametrize("name", ["users", "think_ms"])
def test_users_without_a_pattern_mean_a_closed_loop_as_on_the_command_line(name: str) -> None:
    page = opened(**{name: "40"})
    assert page.session_state["pattern"] == "closed"
    assert page.session_state[name] == 40


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"kind": "asyncpg", "min_size": "20"}, "min_size must be at most max_size (10)"),
        ({"warm_up_s": "9"}, "warm_up_s must be below duration_s (3 s)"),
        ({"reserved": "200"}, "reserved must be below max_connections (100)"),
        ({"rate": "10000", "duration_s": "3600"}, "rate must keep the run within"),
    ],
)
def test_settings_that_do_not_fit_together_are_named_instead_of_a_result(
    query: dict[str, str], sentence: str
) -> None:
    page = opened(**query)
    assert sentence in said(page)
    assert not page.metric
    assert not page.get("bidi_component")


def keys_of(page: AppTest) -> set[str]:
    """Return the keys of all inputs."""
    inputs = (page.select_slider, page.number_input, page.toggle)
    return {str(one.key) for group in inputs for one in group}


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ({}, {"rate", "max_connections"}, {"users", "think_ms", "spike_at_s", "hosts", "limit"}),
        ({"pattern": "closed"}, {"users", "think_ms"}, {"rate", "spike_at_s"}),
        ({"pattern": "spike"}, {"rate", "spike_at_s", "spike_requests"}, {"users"}),
        (
            {"kind": "aiohttp"},
            {"hosts", "limit", "keepalive_timeout"},
            {"max_connections", "reserved", "other_connections", "pool_size"},
        ),
        ({"kind": "sqlalchemy-null"}, {"max_connections"}, {"pool_size", "warm_connections"}),
    ],
)
def test_only_settings_with_an_effect_are_shown(
    query: dict[str, str], shown: set[str], hidden: set[str]
) -> None:
    keys = keys_of(unfolded(opened(**query)))
    assert shown <= keys
    assert not hidden & keys


def test_workload_server_and_fleet_stay_when_the_kind_changes() -> None:
    page = opened(rate="303", cores="9", replicas="2", pool_size="7")
    page.get_by_key("kind").set_value("asyncpg").run()
    assert not page.exception
    for name, value in (("rate", 303.0), ("cores", 9), ("replicas", 2)):
        assert page.session_state[name] == value
    page.get_by_key("kind").set_value("sqlalchemy").run()
    assert page.session_state["pool_size"] == 7


def test_hidden_settings_do_not_reach_the_shared_link() -> None:
    page = opened(kind="asyncpg", max_size="12")
    page.get_by_key("kind").set_value("sqlalchemy").run()
    commands = [str(one.value) for one in page.code if "python -m sim" in str(one.value)]
    assert len(commands) == 1
    assert "max_size" not in commands[0]


def test_every_setting_explains_itself_and_carries_its_library_name() -> None:
    page = opened(kind="asyncpg")
    widget = page.select_slider(key="max_size")
    assert widget.label == "max_size"
    assert "Most connections of the pool." in str(widget.help)
    assert "Default 10 (asyncpg's default)." in str(widget.help)


def test_budget_says_when_the_fleet_is_over_the_servers_limit() -> None:
    page = opened(replicas="4", workers="4")
    assert "143 more than max_connections (100)" in said(page)


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Streamlit find .streamlit/config.toml."""
    monkeypatch.chdir(PAGE.parents[1])
