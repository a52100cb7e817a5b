"""`python -m tests.conformance.matrix --count 1000`: the suite against several library versions.

Makes a throw-away environment for each version in a temporary directory, from pinned versions
with hashes: the current ones from requirements.txt, earlier ones from versions.txt beside this
file. Plays random workloads there and prints a Markdown table of how many went the same way in
the simulation and in that version. `--library aiohttp` or `--version 3.11.18` picks some.
"""

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conformance.suite import FAMILIES, fresh_seed

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.txt"
EARLIER = Path(__file__).parent / "versions.txt"
# What the suite itself needs.
ALWAYS = "simpy"
KINDS: Mapping[str, tuple[str, ...]] = {
    "asyncpg": ("asyncpg",),
    "sqlalchemy": ("sqlalchemy", "asyncpg"),
    "aiohttp": ("aiohttp",),
    "httpx": ("httpx",),
}
BLOCK = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.]+)(?:.*\n)(?:[ \t]+.*\n?)*", re.MULTILINE)
VIA = re.compile(r"^    #(?: via)?\s+(?P<name>[\w.-]+)", re.MULTILINE)
RESULT = re.compile(r"^(?P<family>\S+): (?P<same>\d+) of (?P<count>\d+) identical", re.MULTILINE)


def versions(library: str) -> tuple[str, ...]:
    """Return the versions to test, the earliest first."""
    found = [made["version"] for made in _blocks(EARLIER) if made["name"] == library]
    found += [made["version"] for made in _blocks(LOCK) if made["name"] == library]
    return tuple(sorted(found, key=lambda one: [int(part) for part in one.split(".")]))


def requirements(library: str, version: str) -> str:
    """Return all that such an environment needs, in pip's format with hashes."""
    current = {made["name"]: made[0] for made in _blocks(LOCK)}
    needed = {ALWAYS, *KINDS[library]}
    while more := {name for name, text in current.items() if needed & _via(text)} - needed:
        needed |= more
    chosen = {name: current[name] for name in sorted(needed)}
    for made in _blocks(EARLIER) if version not in versions(library)[-1:] else ():
        is_it = (made["name"], made["version"]) == (library, version)
        if is_it or made["name"] in needed - KINDS.keys():
            chosen[made["name"]] = made[0]
    return "".join(chosen.values())


def install(library: str, version: str, folder: Path) -> Path:
    """Make the environment. Return its Python."""
    scripts = Path(sysconfig.get_path("scripts"))
    wanted = folder / "requirements.txt"
    wanted.write_text(requirements(library, version), encoding="utf-8")
    uv = [str(scripts / "uv")]
    subprocess.run([*uv, "venv", "-q", "-p", sys.executable, folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    where = ["--python", str(python), "--only-binary", ":all:"]
    subprocess.run(
        [*uv, "pip", "install", "-q", *where, "--require-hashes", "-r", wanted], check=True
    )
    return python


def play(library: str, python: Path, count: int, seed: int) -> Iterator[tuple[str, int]]:
    """Play all families of a library. Yield how many workloads of each went the same way."""
    for family in FAMILIES:
        if family.partition("-")[0] == library:
            given = ["--kind", family, "--count", str(count), "--seed", str(seed)]
            command = [str(python), "-m", "tests.conformance", *given]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
            )
            told = RESULT.search(done.stdout)
            if told is None:
                raise SystemExit(f"{library} {family} said nothing:\n{done.stdout}")
            if int(told["same"]) < count:
                print(done.stdout, file=sys.stderr)
            yield family, int(told["same"])


def main() -> int:
    """Return 0 if all workloads went the same way in all versions, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.matrix", description=__doc__)
    parser.add_argument("--library", choices=KINDS, action="append", help="all if not given")
    parser.add_argument("--version", action="append", help="all if not given")
    parser.add_argument("--count", type=int, default=1000, help="workloads of each kind")
    parser.add_argument("--seed", type=int, help="of the first workload; fresh if not given")
    given = parser.parse_args()
    seed = fresh_seed() if given.seed is None else given.seed
    print(
        f"Python {sys.version.split()[0]}, {given.count} workloads of each kind from seed {seed}.\n"
    )
    print("| Kind | Version | Workloads identical |\n| --- | --- | ---: |", flush=True)
    failed = 0
    for library in given.library or KINDS:
        for version in given.version or versions(library):
            with tempfile.TemporaryDirectory(prefix="poolwise-matrix-") as folder:
                python = install(library, version, Path(folder))
                for family, same in play(library, python, given.count, seed):
                    failed += given.count - same
                    print(
                        f"| {family} | {library} {version} | {same} of {given.count} |", flush=True
                    )
    return int(failed > 0)


def _blocks(path: Path) -> Iterator[re.Match[str]]:
    return BLOCK.finditer(path.read_text(encoding="utf-8"))


def _via(text: str) -> set[str]:
    return {made["name"] for made in VIA.finditer(text)}


if __name__ == "__main__":
    sys.exit(main())
