"""What one may choose about the code apart from the scenario: versions, names, brevity."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from pools.codegen.target import Release, releases
from pools.kinds import Pool
from pools.setting import InvalidSettings, Mistake

PYTHONS = ("3.13", "3.12", "3.11")
SERVICE_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class Options:
    """Versions by series (empty: what is installed), and what the service is called.

    `show_defaults` keeps arguments that equal the library's own defaults. aiohttp's series is
    the scenario's, because its pool behaves differently. Raises InvalidSettings.
    """

    python: str = ""
    sqlalchemy: str = ""
    asyncpg: str = ""
    show_defaults: bool = True
    service: str = "service"

    def __post_init__(self) -> None:
        """Check every choice."""
        mistakes = [*self._mistakes()]
        if mistakes:
            raise InvalidSettings(mistakes)

    def _mistakes(self) -> Iterator[Mistake]:
        for name, known in choices().items():
            chosen = getattr(self, name)
            if chosen and chosen not in known:
                yield Mistake(name, f"must be one of {', '.join(known)}", repr(chosen[:60]))
        size = len(self.service)
        if not 1 <= size <= SERVICE_CHARS_MAX or not self.service.isprintable():
            rule = f"must be 1 to {SERVICE_CHARS_MAX} printable characters"
            yield Mistake("service", rule, repr(self.service[:SERVICE_CHARS_MAX]))

    @property
    def python_version(self) -> tuple[int, int]:
        """The Python chosen, or the one that runs."""
        if not self.python:
            return sys.version_info[:2]
        major, minor = self.python.split(".")
        return int(major), int(minor)

    def release(self, library: str, pool: Pool) -> Release:
        """Return the library's release chosen here or by the pool's `version`, or the current."""
        current, *older = releases()[library]
        wanted = getattr(self, library) if library in _NAMES else ""
        if library == pool.name and not wanted:
            wanted = getattr(pool, "version", "")
        return next((release for release in older if release.series == wanted), current)


def choices() -> Mapping[str, tuple[str, ...]]:
    """Return the versions to choose from, by the name of the option, the newest first."""
    libraries = {name: releases()[name] for name in _NAMES & set(releases())}
    series = {name: tuple(one.series for one in made) for name, made in libraries.items()}
    return {"python": PYTHONS} | series


_NAMES = frozenset(field.name for field in fields(Options))
