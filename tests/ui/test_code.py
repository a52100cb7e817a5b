"""The code panel: versions, what a change changed, and why each value is what it is."""

import pytest
from streamlit.testing.v1 import AppTest

from pools.codegen import generate, targets
from pools.kinds import KINDS
from sim.query import parse
from tests.ui.test_page import code_of, lines_of, opened, said

DEFAULT_RUN = {"duration_s": "12", "warm_up_s": "2", "replications": "10"}


def titled(kind: str, target: str) -> str:
    """Return what a target is called on the page."""
    [title] = [known.title for known in targets(kind) if known.name == target]
    return title


def view(page: AppTest, name: str) -> AppTest:
    """Look at the code in another way."""
    page.segmented_control(key="code-view").set_value(name).run()
    assert not page.exception
    return page


def why(page: AppTest) -> list[str]:
    """Return the lines that say why the values are what they are."""
    text = "\n".join(str(one.value) for one in page.markdown)
    return [line for line in text.splitlines() if line.startswith("- **")]


@pytest.mark.parametrize(
    ("kind", "target", "option", "chosen", "line"),
    [
        ("sqlalchemy", "engine", "sqlalchemy", "2.0", "SQLAlchemy 2.0."),
        ("sqlalchemy", "engine", "asyncpg", "0.31", "asyncpg 0.31."),
        ("aiohttp", "aiohttp", "python", "3.12", "# Python 3.12, aiohttp "),
        ("httpx", "fastapi", "python", "3.13", "# Python 3.13, FastAPI "),
    ],
)
def test_version_chosen_stands_in_the_first_line(
    kind: str, target: str, option: str, chosen: str, line: str
) -> None:
    page = opened(kind=kind)
    page.selectbox(key="target").select(titled(kind, target)).run()
    page.selectbox(key=f"code-{option}").select(chosen).run()
    assert line in code_of(page).partition("\n")[0]


@pytest.mark.parametrize("kind", KINDS)
def test_only_versions_that_the_code_depends_on_are_asked_for(kind: str) -> None:
    page = opened(kind=kind)
    asked = {box.key for box in page.selectbox if str(box.key).startswith("code-")}
    uses_asyncpg = kind.startswith("sqlalchemy")
    assert ("code-sqlalchemy" in asked) == uses_asyncpg
    assert ("code-asyncpg" in asked) == (
        uses_asyncpg or (kind == "asyncpg" and not hasattr(KINDS[kind](), "version"))
    )
    assert "code-python" in asked


def test_library_defaults_can_be_left_out() -> None:
    page = opened(pool_size="7")
    assert "max_overflow=10" in code_of(page)
    page.toggle(key="code-defaults").set_value(False).run()
    assert "max_overflow" not in code_of(page)
    assert "pool_size=7" in code_of(page)


def test_change_names_the_lines_it_changed_and_shows_them_as_a_diff() -> None:
    page = opened(pool_size="7")
    assert "Changed:" not in said(page)
    page.select_slider(key="pool_size").set_value(8).run()
    assert "`pool_size=8,`" in said(page)
    view(page, "Changes")
    [diff] = [str(one.value) for one in page.code if one.language == "diff"]
    assert "-        pool_size=7," in diff
    assert "+        pool_size=8," in diff


def test_lines_that_a_change_changed_are_marked() -> None:
    page = opened(pool_size="7")
    assert not any(line["changed"] for line in lines_of(page))
    page.select_slider(key="pool_size").set_value(8).run()
    [marked] = [line["runs"] for line in lines_of(page) if line["changed"]]
    assert "".join(text for _, text in marked).strip() == "pool_size=8,"


@pytest.mark.parametrize("kind", KINDS)
def test_each_line_with_a_value_says_on_hovering_why_it_is_that(kind: str) -> None:
    made = generate(parse(f"kind={kind}"), targets(kind)[0].name).files[0]
    notes = [line["note"] for line in lines_of(opened(kind=kind, **DEFAULT_RUN))]
    assert {number for number, note in enumerate(notes, 1) if note} == set(made.reasons)
    for number, reasons in made.reasons.items():
        for reason in reasons:
            assert reason.name in notes[number - 1]
            assert reason.sentence in notes[number - 1]
            assert reason.source in notes[number - 1]


def test_change_of_target_is_no_change_of_lines() -> None:
    page = opened()
    page.selectbox(key="target").select(titled("sqlalchemy", "service")).run()
    assert "Changed:" not in said(page)


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_is_explained_with_its_source(kind: str) -> None:
    page = view(opened(kind=kind), "Why")
    rows = why(page)
    code = generate(parse(f"kind={kind}"), targets(kind)[0].name)
    wanted = sum(len(dict.fromkeys(found)) for found in code.reasons.values())
    assert wanted
    assert len(rows) == wanted
    assert all(row.endswith("*") and len(row) > 30 for row in rows)


def test_thresholds_of_alerts_come_from_the_simulation_on_the_page() -> None:
    page = opened(kind="sqlalchemy", pool_size="1", max_overflow="0", rate="200")
    page.selectbox(key="target").select(titled("sqlalchemy", "metrics")).run()
    page.selectbox(key="code-file-metrics").select("alerts.yaml").run()
    assert any("*the simulated scenario*" in row for row in why(view(page, "Why")))


def test_each_file_of_a_target_can_be_seen() -> None:
    page = opened(kind="sqlalchemy")
    page.selectbox(key="target").select(titled("sqlalchemy", "pgbouncer")).run()
    page.selectbox(key="code-file-pgbouncer").select("pgbouncer.ini").run()
    assert "[pgbouncer]\n" in code_of(page)
