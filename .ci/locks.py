"""Check, without a network, that the lock files are in step with the *.in files.

A lock is in step if it pins, with hashes, exactly the packages its *.in file names, at versions
the *.in file allows; and if the development lock repeats the pins of the run-time lock.
Exit code 1 and one line per mistake otherwise.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ENTRY = re.compile(
    r"^(?P<pin>[A-Za-z0-9][^\s;\\]*==[^\s;\\]+)(?P<rest>(?:.*\n)(?:[ \t]+.*\n?)*)", re.MULTILINE
)


class Pin(NamedTuple):
    """One package of a lock file: the versions it is pinned to, and who asked for it."""

    versions: frozenset[str]
    asked_by: frozenset[str]
    has_hashes: bool


def wanted(name: str) -> dict[str, Requirement]:
    """Return the requirements a *.in file names itself, by package."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    stripped = (line.partition(" #")[0].strip() for line in lines)
    requirements = (Requirement(line) for line in stripped if line and line[0] not in "#-")
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def pinned(name: str) -> dict[str, Pin]:
    """Return the pins of a lock file, by package."""
    pins: dict[str, Pin] = {}
    for entry in ENTRY.finditer((ROOT / name).read_text(encoding="utf-8")):
        requirement = Requirement(entry["pin"])
        package = canonicalize_name(requirement.name)
        before = pins.get(package, Pin(frozenset(), frozenset(), has_hashes=True))
        pins[package] = Pin(
            before.versions | {spec.version for spec in requirement.specifier},
            before.asked_by | set(re.findall(r"-r (\S+\.in)", entry["rest"])),
            before.has_hashes and "--hash=sha256:" in entry["rest"],
        )
    return pins


def lock_mistakes(source: str, lock: str) -> list[str]:
    """Return what is wrong between one *.in file and its lock file."""
    asked, pins = wanted(source), pinned(lock)
    locked = {package for package, pin in pins.items() if source in pin.asked_by}
    mistakes = [f"{lock}: {name} of {source} is missing" for name in sorted(asked.keys() - locked)]
    mistakes += [f"{lock}: {name} is not in {source}" for name in sorted(locked - asked.keys())]
    mistakes += [f"{lock}: {name} has no hash" for name, pin in pins.items() if not pin.has_hashes]
    for name in sorted(asked.keys() & locked):
        refused = [v for v in pins[name].versions if v not in asked[name].specifier]
        mistakes += [f"{lock}: {name} must be {asked[name]}, got {version}" for version in refused]
    if "://" in (ROOT / lock).read_text(encoding="utf-8"):
        mistakes.append(f"{lock}: must hold no download address")
    return mistakes


def main() -> int:
    """Print every mistake; return the exit code."""
    mistakes = lock_mistakes("requirements.in", "requirements.txt")
    mistakes += lock_mistakes("requirements-dev.in", "requirements-dev.txt")
    development = pinned("requirements-dev.txt")
    for name, pin in pinned("requirements.txt").items():
        if name not in development or development[name].versions != pin.versions:
            mistakes.append(f"requirements-dev.txt: {name} differs from requirements.txt")
    for mistake in mistakes:
        print(mistake)
    if mistakes:
        print("Write them anew: ./dev lock")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
