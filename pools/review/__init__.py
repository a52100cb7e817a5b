"""Reads pasted code: the pool settings in it, and the mistakes in it. Executes nothing.

`read` gives a Reading: settings that move the page's sliders, what has to be asked, and
findings with their fixes. `costs` prices findings in a scenario. `checklist` says what a
scenario, a reading and a live check show to be done. `python -m pools.review` does it for files.
"""

from pools.review.checklist import Item, as_markdown, checklist
from pools.review.costs import costs
from pools.review.finding import Asked, Finding, Place, PoolRead, Reading, Shown
from pools.review.patience import patience
from pools.review.reading import read, scenario_of
from pools.review.rule import Rule, all_rules

__all__ = [
    "Asked",
    "Finding",
    "Item",
    "Place",
    "PoolRead",
    "Reading",
    "Rule",
    "Shown",
    "all_rules",
    "as_markdown",
    "checklist",
    "costs",
    "patience",
    "read",
    "scenario_of",
]
