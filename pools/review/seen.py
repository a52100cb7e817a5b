"""What a check of the checklist may look at, and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pools.review.finding import Reading
from sim.result import SimulationResult
from sim.scenario import Scenario


class Cost(Protocol):
    """A measured time."""

    @property
    def median_s(self) -> float:
        """Its median, in seconds."""


class Calibration(Protocol):
    """What a live check measured apart from its load."""

    @property
    def pre_ping(self) -> Cost | None:
        """The cost of SQLAlchemy's pre-ping, if it was measured."""


class LiveTrace(Protocol):
    """The requests of a live check."""

    @property
    def outcome(self) -> Sequence[int]:
        """How each request ended."""


class LiveEvidence(Protocol):
    """A finished live check, as far as the checklist looks at it."""

    @property
    def taken_at(self) -> str:
        """When it was made."""

    @property
    def trace(self) -> LiveTrace:
        """Its requests."""

    @property
    def calibration(self) -> Calibration:
        """Its measured costs."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything a check may look at."""

    scenario: Scenario
    result: SimulationResult
    reading: Reading | None
    live: LiveEvidence | None

    def code(self, *proofs: str) -> str:
        """Return where the code shows any of these, or ''."""
        shows = self.reading.shows if self.reading is not None else {}
        found = [
            f"{self.reading.filename}, {shows[p]}" for p in proofs if self.reading and p in shows
        ]
        return found[0] if found else ""

    def finding(self, *rules: str) -> str:
        """Return the first finding of any of these rules, as evidence, or ''."""
        every = self.reading.findings if self.reading is not None else ()
        found = [f"{one.place}: {one.why}" for one in every if one.rule in rules]
        return found[0] if found else ""


@dataclass(frozen=True, slots=True)
class Said:
    """What a check found out: whether the item holds, and what shows it."""

    holds: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class Check:
    """One item: its group, its text, what to ask, and how to look."""

    group: str
    text: str
    ask: str
    look: Callable[[Seen], Said | None]
