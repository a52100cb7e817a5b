"""The reference pages say what the code says."""

import re
from pathlib import Path

import pytest

from pools.kinds import KINDS
from sim.__main__ import as_json
from sim.query import all_settings, parse
from sim.reference import PAGE, page
from sim.run import run
from sim.scenario import PLACES_MAX, REQUESTS_MAX

DOCS = Path(__file__).parents[2] / "docs"


def test_the_settings_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "stale: run python -m sim.reference"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_query_name_is_on_the_settings_page(kind: str) -> None:
    others = "|".join(other for other in KINDS if other != kind)
    own = re.sub(rf"## [^#\n]+\(`kind=({others})`\)\n[^#]+", "", page())
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", own, flags=re.MULTILINE))
    for name, made in all_settings(kind).items():
        assert made.meaning in rows[name]
        assert made.source in rows[name]
        for value, meaning in made.special.items():
            assert f"{made.spell(value)}: {meaning}" in rows[name]


def test_every_key_of_the_answer_is_on_its_page_and_no_other() -> None:
    text = (DOCS / "result.md").read_text(encoding="utf-8")
    of_sim, _, _ = text.partition("`python -m pools.twin")
    first_cells = re.findall(r"^\| (`.*?) \|", of_sim, flags=re.MULTILINE)
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    scenario = parse("duration_s=3&replications=2")
    answer = set(as_json(scenario, run(scenario)))
    assert named == {key for key in answer if not key.endswith("_ci95")}


def test_the_limits_of_a_run_are_those_on_the_page() -> None:
    text = (DOCS / "model.md").read_text(encoding="utf-8")
    assert f"{REQUESTS_MAX:,}".replace(",", " ") + " requests" in text
    assert f"{PLACES_MAX:,}".replace(",", " ") + " connections" in text
