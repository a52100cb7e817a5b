"""A Setting says once what a parameter is; page, validation, tests and docs all read it.

A dataclass field made with `setting(...)` carries its Setting. The field holds SI units
(seconds); the Setting speaks the unit a person reads and types (`hold_ms=20` is the field
`hold_s_mean = 0.02`).
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false"}
Value = int | float | bool | str

_SCALE = {"ms": 1e-3, "%": 1e-2}
_DIGITS = 12
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with one field: which, what rule it breaks, what was given."""

    field: str
    rule: str
    got: str

    def __str__(self) -> str:
        """Say it in one line: name, rule, value got."""
        return f"{self.field} {self.rule}, got {self.got}"


class InvalidSettings(ValueError):
    """Some settings break a rule. `mistakes` lists every one of them."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        """Keep all mistakes; the message is one line each."""
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))

    def __reduce__(self) -> tuple[type["InvalidSettings"], tuple[tuple["Mistake", ...]]]:
        """Let it cross to another process: Exception would be made anew from its message."""
        return type(self), (self.mistakes,)


@dataclass(frozen=True, slots=True)
class Form:
    """What a text must look like: in words, as a reader that raises ValueError, by examples."""

    rule: str
    reads: Callable[[str], object]
    examples: tuple[str, ...]

    def fits(self, text: object) -> bool:
        """Whether something is a text of this form."""
        try:
            return isinstance(text, str) and (self.reads(text), True)[1]
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Setting:
    """What a parameter is: default, bounds and step in the unit shown, meaning and source.

    `special` names values with a meaning of their own, such as -1 for "no limit".
    `query` is its name in addresses and on the command line. A text has a `form`.
    """

    query: str
    default: Value
    meaning: str
    source: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    special: Mapping[Value, str] = dataclasses.field(default_factory=dict)
    form: Form | None = None

    @property
    def scale(self) -> float:
        """The factor from the unit shown to the unit of the field."""
        return _SCALE.get(self.unit, 1.0)

    @property
    def kind(self) -> type[Value]:
        """The Python type of its values: int, float, bool or str."""
        return type(self.default)

    @property
    def bounds(self) -> str:
        """Its rule in words, as mistakes and docs print it."""
        if self.choices:
            return "must be one of " + ", ".join(self.choices)
        if self.form is not None:
            return "must be " + self.form.rule
        if self.low is None or self.high is None:
            return "must be " + _TYPE_NAMES[self.kind]
        unit = f" {self.unit}" if self.unit else ""
        noun = _TYPE_NAMES[self.kind]
        return f"must be {noun} from {_plain(self.low)} to {_plain(self.high)}{unit}"

    def to_field(self, shown: Value) -> Value:
        """Turn a value in the unit shown into the value of the field."""
        if self.scale == 1.0 or isinstance(shown, str | bool):
            return shown
        return float(shown) * self.scale

    def to_shown(self, value: Value) -> Value:
        """Turn a value of the field into the unit shown, free of binary dust."""
        if self.scale == 1.0 or isinstance(value, str | bool):
            return value
        return _rounded(value / self.scale)

    def problem(self, shown: object) -> str | None:
        """Return the rule that a value (in the unit shown) breaks, or None."""
        if self.kind is str:
            fits = shown in self.choices or (self.form is not None and self.form.fits(shown))
        elif self.kind is bool:
            fits = isinstance(shown, bool)
        else:
            fits = self._is_number_in_bounds(shown)
        return None if fits else self.bounds

    def parse(self, text: str) -> Value:
        """Read a value in the unit shown. Raises ValueError with the rule it breaks."""
        shown = self._read(text.strip())
        broken = self.problem(shown)
        if broken:
            raise ValueError(broken)
        return shown

    def spell(self, shown: Value) -> str:
        """Write a value (in the unit shown) the way `parse` reads it."""
        if isinstance(shown, bool):
            return "true" if shown else "false"
        return shown if isinstance(shown, str) else _plain(shown)

    def _read(self, text: str) -> Value:
        try:
            if self.kind is bool:
                return _read_bool(text)
            if self.kind is int:
                return int(text)
            return _rounded(float(text)) if self.kind is float else text
        except ValueError:
            raise ValueError(self.bounds) from None

    def _is_number_in_bounds(self, shown: object) -> bool:
        if isinstance(shown, bool) or not isinstance(shown, int | float):
            return False
        if self.kind is int and not isinstance(shown, int):
            return False
        if isinstance(shown, float) and not math.isfinite(shown):
            return False
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return low <= shown <= high or shown in self.special


def setting(  # noqa: PLR0913  as many as a Setting has parts
    default: Value,
    meaning: str,
    *,
    source: str,
    query: str = "",
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] = (),
    special: Mapping[Value, str] | None = None,
    form: Form | None = None,
) -> Any:  # noqa: ANN401  the field's own annotation is the type, as with dataclasses.field
    """Declare a dataclass field and its Setting. `default` is in the unit shown."""
    made = Setting(
        query, default, meaning, source, unit, low, high, step, choices, special or {}, form
    )
    return dataclasses.field(default=made.to_field(default), metadata={"setting": made})


class Settings:
    """Base of every frozen dataclass made of settings: checks itself when made."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __post_init__(self) -> None:
        """Raise InvalidSettings naming every field that breaks its rule."""
        mistakes = [*_field_mistakes(self)] or [*self.rules()]
        if mistakes:
            raise InvalidSettings(mistakes)

    def rules(self) -> Iterator[Mistake]:
        """Yield what is wrong between fields that are each right alone."""
        return iter(())


_KNOWN: dict[type[Settings], Mapping[str, Setting]] = {}


def settings_of(cls: type[Settings]) -> Mapping[str, Setting]:
    """Return the Setting of each field of a Settings class, in order of declaration."""
    known = _KNOWN.get(cls)
    if known is None:
        known = _KNOWN[cls] = _find_settings(cls)
    return known


def _find_settings(cls: type[Settings]) -> Mapping[str, Setting]:
    found = {}
    for field in dataclasses.fields(cls):
        made = field.metadata.get("setting")
        if isinstance(made, Setting):
            found[field.name] = dataclasses.replace(made, query=made.query or field.name)
    return found


def _field_mistakes(made: Settings) -> Iterator[Mistake]:
    for name, known in settings_of(type(made)).items():
        value = getattr(made, name)
        shown = known.to_shown(value) if isinstance(value, int | float | str) else value
        broken = known.problem(shown)
        if broken:
            yield Mistake(known.query, broken, _quote(shown))


def _quote(value: object) -> str:
    return _plain(value) if isinstance(value, int | float) else repr(value)


def _read_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError(text)


def _rounded(number: float) -> float:
    """Keep the digits that `spell` writes, so that a value survives its own address."""
    return float(f"{number:.{_DIGITS}g}")


def _plain(number: float) -> str:
    if isinstance(number, int) or not math.isfinite(number):
        return str(number)
    return str(int(number)) if number == int(number) else f"{number:.{_DIGITS}g}"
