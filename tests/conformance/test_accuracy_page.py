"""What docs/accuracy.md says is there."""

import re
from pathlib import Path

import pytest

from bench.accuracy import page
from tests.conformance import matrix

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    defined = set(re.findall(r"^(?:async )?def (test_\w+)", "\n".join(sources), re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 20
    assert named <= defined


def test_every_version_of_the_matrix_is_on_the_page() -> None:
    for library in matrix.KINDS:
        for version in matrix.versions(library):
            assert re.search(rf"\| {library} {re.escape(version)} \|", PAGE, re.IGNORECASE)


def test_each_version_is_installed_with_hashes_alone() -> None:
    for library in matrix.KINDS:
        for version in matrix.versions(library):
            wanted = matrix.requirements(library, version)
            pins = re.findall(r"^(\S+)==(\S+)", wanted, re.MULTILINE)
            assert (library, version) in pins
            assert len({name for name, _ in pins}) == len(pins)
            for entry in re.split(r"^(?=\w)", wanted, flags=re.MULTILINE)[1:]:
                assert "--hash=sha256:" in entry


def test_the_page_is_rendered_from_what_was_measured() -> None:
    assert page.page() == PAGE, "stale: run python -m bench.accuracy --render"


@pytest.mark.parametrize("name", page.names())
def test_every_section_that_can_be_measured_was_measured(name: str) -> None:
    kept = page.stored(name)
    assert kept is not None, f"run python -m bench.accuracy {name}"
    assert f"`python -m bench.accuracy {name}`" in PAGE


def test_a_table_has_a_rule_under_its_head_and_a_line_for_each_row() -> None:
    assert page.table(("a", "b"), [(1, "x")], "rl") == "| a | b |\n| ---: | --- |\n| 1 | x |\n"
