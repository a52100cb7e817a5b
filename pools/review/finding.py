"""What a review answers: settings found, what was not understood, and findings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pools.setting import Value


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A stretch of the text read: lines and columns count characters from 1, ends excluded.

    `cell` is the notebook cell (from 1) that `line` counts in, or 0 outside notebooks.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    cell: int = 0

    def __str__(self) -> str:
        """Say where: `line 3`, or `cell 2, line 3`."""
        return f"cell {self.cell}, line {self.line}" if self.cell else f"line {self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: which rule, where, why it is one, what it costs here, what to do.

    `cost` is empty until `costs` fills it in. `fix` is a unified diff that can be applied, or
    a sentence where the change needs a decision. No field ever holds a secret.
    """

    rule: str
    place: Place
    why: str
    cost: str = ""
    fix: str = ""

    @property
    def is_patch(self) -> bool:
        """Whether `fix` is a unified diff."""
        return self.fix.startswith("--- ")


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting read from the text: its value in the unit shown, where, and how it was found.

    `how` is empty for a plain literal, else where the value came from, such as `default of
    environment variable POOL_SIZE`.
    """

    value: Value
    place: Place
    how: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A setting that the text mentions and does not decide; the reader has to be asked."""

    name: str
    place: Place
    why: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.place}: {self.name}: {self.why}"


@dataclass(frozen=True, slots=True)
class PoolRead:
    """One pool made in the text: its kind, the name it is bound to, its settings."""

    kind: str
    name: str
    place: Place
    found: Mapping[str, Shown]
    noted: Mapping[str, str]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from one text.

    `kind` is the pool kind of the first pool made, or None. `found` maps query names of that
    kind, and of the fleet and the server, to values; `noted` holds settings that were
    understood and have no slider. `shows` says what the text proves for the checklist.
    `problem` is the one sentence to show if the text could not be read, else empty.
    """

    filename: str
    kind: str | None = None
    found: Mapping[str, Shown] = field(default_factory=dict)
    noted: Mapping[str, str] = field(default_factory=dict)
    not_understood: tuple[Asked, ...] = ()
    findings: tuple[Finding, ...] = ()
    pools: tuple[PoolRead, ...] = ()
    shows: Mapping[str, Place] = field(default_factory=dict)
    problem: str = ""

    @property
    def values(self) -> dict[str, Value]:
        """The values found, by query name, as `sim.query.from_values` takes them."""
        return {name: shown.value for name, shown in self.found.items()}

    @property
    def summary(self) -> str:
        """One sentence for the page: how much was found, what has to be asked."""
        if self.problem:
            return self.problem
        count = len(self.found)
        said = f"Found {count} setting{'' if count == 1 else 's'}"
        if self.not_understood:
            names = ", ".join(dict.fromkeys(asked.name for asked in self.not_understood))
            said += f", {len(self.not_understood)} not understood: {names}"
        return f"{said}."
