"""A scenario's settings as values with reasons, for templates."""

from collections.abc import Iterator

from pools.codegen.reason import DEFAULT, SCENARIO, Reason, Value
from pools.kinds import Pool
from pools.setting import Setting, Settings, settings_of

COMPANION = "Poolwise's choice for a pool beside the scenario's own"


class View:
    """The values of some settings, each an attribute under its field's name."""

    def __init__(self, made: Settings, *, source: str = "", plain: Settings | None = None) -> None:
        """Take every setting; `plain`, if given, holds the library's own defaults."""
        self._values = dict(_values(made, source, plain))

    def __getattr__(self, name: str) -> Value:
        """Return the value of that name. Raises AttributeError if there is none."""
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None


class PoolView(View):
    """A pool's settings. `kind` is the name of its kind."""

    def __init__(self, pool: Pool, *, source: str = "") -> None:
        """Take every setting of a pool."""
        super().__init__(pool, source=source, plain=type(pool)())
        self.kind = pool.name


def _values(made: Settings, source: str, plain: Settings | None) -> Iterator[tuple[str, Value]]:
    for name, known in settings_of(type(made)).items():
        value = getattr(made, name)
        is_default = plain is not None and value == getattr(plain, name)
        yield name, Value(value, _reason(name, known, is_default, source))


def _reason(name: str, known: Setting, is_default: bool, source: str) -> Reason:
    if is_default:
        return Reason(name, DEFAULT, known.meaning, known.source, is_default=True)
    return Reason(name, SCENARIO, known.meaning, source or "the scenario")
