"""The page of settings says what the Settings say."""

from pools.kinds import KINDS
from sim.query import all_settings
from sim.reference import PAGE, page


def test_the_page_of_settings_is_up_to_date() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "stale: run python -m sim.reference"


def test_every_query_name_of_every_kind_is_on_the_page() -> None:
    text = page()
    missing = {name for kind in KINDS for name in all_settings(kind) if f"`{name}`" not in text}
    assert not missing
