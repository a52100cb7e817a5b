"""The checklist of a service's pools: ticked where it is shown, asked where nobody said.

Each check is one line of CHECKS and one function that looks at the scenario, at a reading of
the user's code, and at a live check, and says what it saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pools.review.checks import CHECKS
from pools.review.finding import Reading
from pools.review.seen import LiveEvidence, Seen
from sim.result import SimulationResult
from sim.run import run
from sim.scenario import Scenario


class State(Enum):
    """Whether an item is shown to be done, shown not to be, or has to be asked."""

    TICKED = "ticked"
    NOT = "not"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist: what should hold, whether it does, and what shows it."""

    group: str
    text: str
    state: State
    evidence: str


def checklist(
    scenario: Scenario,
    reading: Reading | None = None,
    live: LiveEvidence | None = None,
    result: SimulationResult | None = None,
) -> tuple[Item, ...]:
    """Return every item of the checklist, with its evidence.

    `result` is the scenario's own, if it is already there; it is simulated otherwise.
    """
    seen = Seen(scenario, result or run(scenario), reading, live)
    items = []
    for check in CHECKS:
        said = check.look(seen)
        state = State.ASKED if said is None else State.TICKED if said.holds else State.NOT
        items.append(
            Item(check.group, check.text, state, check.ask if said is None else said.evidence)
        )
    return tuple(items)


def as_markdown(items: Sequence[Item]) -> str:
    """Write a checklist as a Markdown task list, grouped, with the evidence of each item."""
    boxes = {State.TICKED: "[x]", State.NOT: "[ ]", State.ASKED: "[ ]"}
    words = {State.TICKED: "", State.NOT: "**No.** ", State.ASKED: "*To check:* "}
    lines = ["# Connection pool checklist"]
    group = ""
    for item in items:
        if item.group != group:
            group = item.group
            lines += ["", f"## {group}", ""]
        lines.append(
            f"- {boxes[item.state]} {item.text}: {words[item.state]}{_plain(item.evidence)}"
        )
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Keep evidence on one line and free of Markdown's own signs."""
    flat = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "*`[]<>|" else sign for sign in flat)
