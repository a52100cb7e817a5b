"""What holds for the code of every target and every scenario."""

import ast
import datetime as dt
import importlib.metadata
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from packaging.requirements import Requirement

from pools.codegen import Options, generate, targets
from pools.codegen.context import COMPANIONS
from pools.codegen.target import POOL_LIBRARIES, TEMPLATES, all_targets, releases
from pools.codegen.timeouts import timeouts
from pools.kinds import KINDS, AiohttpConnector, AsyncpgPool, PsycopgPool, SqlalchemyQueue
from pools.setting import InvalidSettings
from sim.query import parse
from sim.scenario import Scenario
from tests.codegen.support import examples, is_python
from tests.strategies import scenarios

TODAY = dt.date(2026, 11, 22)
LINE_LENGTH = 88
EVERY = [(kind, target.name) for kind in KINDS for target in targets(kind)]
PAIRS = [(kind, target) for kind, target in EVERY if is_python(kind, target)]
# Settings that choose between two wordings; every other value only fills a place.
SWITCHES = (
    AsyncpgPool(acquire_timeout=1.0),
    AiohttpConnector(force_close=True),
    AiohttpConnector(connect_timeout=1.0),
    PsycopgPool(check=True),
    PsycopgPool(reset=True),
    PsycopgPool(check=True, reset=True),
    SqlalchemyQueue(max_overflow=0),
    SqlalchemyQueue(max_overflow=-1),
)


class Blank(ast.NodeTransformer):
    """Blanks every constant, so that what remains is the structure."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        return self.visit_Constant(node) if isinstance(node.op, ast.USub) else node

    def visit_Constant(self, node: ast.expr) -> ast.Constant:
        return ast.copy_location(ast.Constant(None), node)


def structure(text: str) -> str:
    return ast.dump(Blank().visit(ast.parse(text)))


def prose(text: str) -> set[str | None]:
    """Return the comments and docstrings of a module, but for its first line."""
    text = text.partition("\n")[2]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {token.string for token in tokens if token.type == tokenize.COMMENT}
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    return comments | {ast.get_docstring(node) for node in nodes}


def written(scenario: Scenario, options: Options | None = None) -> Iterator[tuple[str, str]]:
    for kind, target in PAIRS:
        if kind == scenario.pool.name:
            yield target, generate(scenario, target, options=options, today=TODAY).text


PLAIN = [*(Scenario(pool=kind()) for kind in KINDS.values()), *map(Scenario, SWITCHES)]
# A scenario may name an older asyncpg, whose arguments are others.
KNOWN_TEXTS = [
    (plain.pool.name, name, text)
    for plain in PLAIN
    for options in (Options(), Options(asyncpg="0.31"))
    for name, text in written(plain, options)
]
KNOWN = {(kind, name, structure(text)) for kind, name, text in KNOWN_TEXTS}
KNOWN_PROSE = set().union(*(prose(text) for _, _, text in KNOWN_TEXTS))


@examples(40)
@given(scenarios())
def test_code_of_every_scenario_compiles_and_is_ascii_in_short_lines(scenario: Scenario) -> None:
    for name, text in written(scenario):
        compile(text, name, "exec")
        assert text.isascii()
        assert text.endswith("\n")
        assert max(map(len, text.splitlines())) <= LINE_LENGTH


@examples(40)
@given(scenarios())
def test_no_value_adds_a_statement(scenario: Scenario) -> None:
    for name, text in written(scenario):
        assert (scenario.pool.name, name, structure(text)) in KNOWN


@examples(40)
@given(scenarios())
def test_no_value_reaches_a_comment_or_docstring(scenario: Scenario) -> None:
    for _, text in written(scenario):
        assert prose(text) <= KNOWN_PROSE


@pytest.mark.parametrize(("kind", "target"), PAIRS)
def test_first_line_says_versions_and_date_only(kind: str, target: str) -> None:
    code = generate(Scenario(pool=KINDS[kind]()), target, today=TODAY)
    head, _, body = code.text.partition('"""')
    assert body
    said = " ".join(line.removeprefix("# ") for line in head.splitlines())
    assert said == f"{', '.join(code.versions)}; 2026-11-22"


@pytest.mark.parametrize(("kind", "target"), PAIRS)
def test_code_is_dated_today_unless_told_otherwise(kind: str, target: str) -> None:
    before = dt.date.today()  # noqa: DTZ011
    text = generate(Scenario(pool=KINDS[kind]()), target).text
    head, _, _ = text.partition('"""')
    written_on = dt.date.fromisoformat(head.split()[-1])
    assert before <= written_on <= dt.date.today()  # noqa: DTZ011


@pytest.mark.parametrize(("kind", "target"), EVERY)
def test_code_holds_no_link_and_no_secret(kind: str, target: str) -> None:
    for file in generate(Scenario(pool=KINDS[kind]()), target, today=TODAY).files:
        assert "http://" not in file.text
        assert "https://" not in file.text
        urls = re.findall(r"\S+://\S+", file.text)
        assert all("postgresql://user:password@" in url for url in urls)


def test_every_kind_has_a_target_of_its_own_first() -> None:
    for kind in KINDS:
        own, *others = targets(kind)
        assert len(own.kinds) <= min((len(target.kinds) for target in others), default=99)
        assert "fastapi" in {target.name for target in others}


def test_targets_name_only_known_kinds() -> None:
    named = {kind for target in all_targets() for kind in target.kinds}
    assert set(KINDS) <= named <= set(POOL_LIBRARIES)


def test_target_is_found_by_listing_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / "service.py.jinja").write_text("")
    said = 'title = "A service"\nkinds = ["asyncpg"]\nlibraries = ["asyncpg"]\nrank = 1\n'
    (folder / "target.toml").write_text(said)
    (tmp_path / "_parts").mkdir()
    [found] = all_targets(tmp_path)
    assert (found.name, found.title, found.filename) == ("service", "A service", "service.py")


def test_every_template_folder_is_a_target_or_shared_parts() -> None:
    folders = {folder.name for folder in TEMPLATES.iterdir() if folder.is_dir()}
    shared = {name for name in folders if name.startswith("_")}
    assert folders - shared == {target.name for target in all_targets()}


def test_unknown_target_is_refused_with_the_choices() -> None:
    with pytest.raises(InvalidSettings) as refused:
        generate(parse("kind=asyncpg"), "engine")
    names = ", ".join(target.name for target in targets("asyncpg"))
    assert str(refused.value) == (f"target must be one of {names} for kind asyncpg, got 'engine'")


@pytest.mark.parametrize("name", sorted(releases()))
def test_code_is_written_for_the_versions_it_is_tested_with(name: str) -> None:
    current, *older = releases()[name]
    assert current.version == importlib.metadata.version(name)
    for release in (current, *older):
        requirement = Requirement(release.requirement)
        assert requirement.name == name
        assert release.version in requirement.specifier
    assert not any(
        release.version in Requirement(current.requirement).specifier for release in older
    )


def test_code_for_an_older_release_says_so() -> None:
    code = generate(parse("kind=aiohttp&version=3.10"), "fastapi", today=TODAY)
    assert "aiohttp 3.10.10" in code.versions
    [required] = [line for line in code.requires if line.startswith("aiohttp")]
    assert "3.10.10" in Requirement(required).specifier
    assert "3.11.0" not in Requirement(required).specifier


@pytest.mark.parametrize(("kind", "target"), PAIRS)
def test_requirements_cover_what_the_code_imports(kind: str, target: str) -> None:
    code = generate(Scenario(pool=KINDS[kind]()), target, today=TODAY)
    required = {Requirement(line).name for line in code.requires}
    tree = ast.parse(code.text)
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    imported = {name.name for node in plain for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    packages = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    # SQLAlchemy imports its driver, pydantic-settings pydantic; psycopg[pool] brings the pool.
    packages = {name.replace("_", "-") for name in packages} - {
        "pydantic",
        "greenlet",
        "psycopg-pool",
    }
    assert packages <= required
    assert required - packages <= {"asyncpg", "uvicorn"}
    assert ("uvicorn" in required) == ("fastapi" in packages)
    assert "asyncpg" in required or "sqlalchemy" not in packages


@given(scenarios())
def test_timeouts_never_cut_work_that_the_simulation_lets_finish(scenario: Scenario) -> None:
    made = timeouts(scenario)
    hold_s = scenario.workload.held_s_mean
    if scenario.pool.serves == "database":
        assert made.statement_s >= 10 * hold_s
        assert made.connect_s >= 3 * (scenario.server.connect_s + 5 * scenario.server.rtt_s)
    else:
        assert made.http_total_s >= 10 * hold_s
    assert made.connect_s >= 10
    assert made.statement_s >= 30
    assert made.http_total_s >= 300


@given(scenarios())
def test_server_ends_a_statement_before_the_client_gives_up(scenario: Scenario) -> None:
    made = timeouts(scenario)
    said = {name: int(ms) for name, ms in made.server_settings.items()}
    assert said["lock_timeout"] < said["statement_timeout"] < 1000 * made.command_s
    assert said["idle_in_transaction_session_timeout"] > said["statement_timeout"]


def test_companion_pools_cost_nothing_until_used_and_never_hang() -> None:
    pool = COMPANIONS["asyncpg"]
    assert pool.connections_at_start == 0
    assert pool.wait_s_max is not None
