"""Runs generated code as the module it is meant to be."""

import io
import os
import shutil
import subprocess
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path

import prometheus_client
import pytest
from hypothesis import settings

from pools.codegen import GeneratedCode, Options, generate, project, targets
from pools.kinds import KINDS
from sim.query import parse
from sim.scenario import Scenario

EXAMPLES = int(os.environ.get("POOLWISE_EXAMPLES", "0"))
# By kind: the defaults, and values at the edges of what its settings allow.
ODD_QUERIES = {
    "sqlalchemy": (
        "pool_size=0&max_overflow=-1&pool_timeout=0.05&pool_pre_ping=true&pool_use_lifo=true",
        "pool_size=500&max_overflow=500&pool_timeout=299.95&pool_recycle=1&hold_ms=60000",
        "pool_recycle=86400&connect_ms=10000&rtt_ms=1000&replicas=40&workers=4",
    ),
    "sqlalchemy-null": ("hold_ms=60000&connect_ms=10000&rtt_ms=1000",),
    "asyncpg": (
        "min_size=0&max_size=1&acquire_timeout=0.05&max_inactive_connection_lifetime=0",
        "min_size=500&max_size=500&acquire_timeout=300&max_inactive_connection_lifetime=86400",
        "init_size=10&max_queries=1000000000",
    ),
    "aiohttp": (
        "limit=0&limit_per_host=500&force_close=true&connect_timeout=0.05",
        "limit=500&keepalive_timeout=0.0001&connect_timeout=300",
    ),
    "psycopg": (
        "min_size=0&max_size=1&timeout=0.05&check=true&max_waiting=10000",
        "min_size=500&max_size=500&timeout=300&reset=true&num_workers=100",
        "check=true&reset=true&max_lifetime=0.1&max_idle=1&reconnect_timeout=0",
    ),
    "httpx": ("pool_connections=0&pool_timeout=0&connect_timeout=0", "pool_connections=500"),
}
OLDER = Options(python="3.11", sqlalchemy="2.0", asyncpg="0.31")
NEWER = Options(python="3.13", show_defaults=False, service='Ünïcode \'n "quotes"')


def examples(few: int) -> settings:
    """Return how many examples to try: few, or as many as POOLWISE_EXAMPLES says."""
    return settings(max_examples=EXAMPLES or few)


def representative(options: Options | None = None) -> Iterator[tuple[str, str, GeneratedCode]]:
    """Yield kind, target and code: every target of every kind, with plain and odd values."""
    for kind in KINDS:
        for query in ("", *ODD_QUERIES.get(kind, ())):
            scenario = parse(f"kind={kind}&{query}")
            for target in targets(kind):
                yield kind, target.name, generate(scenario, target.name, options=options)


def smoke_tests(options: Options | None = None) -> Iterator[tuple[str, str, str]]:
    """Yield kind, target and text of the smoke test of every project."""
    for kind in KINDS:
        for target in targets(kind):
            if target.smoke:
                made = project(Scenario(pool=KINDS[kind]()), target.name, options=options)
                with zipfile.ZipFile(io.BytesIO(made)) as archive:
                    text = archive.read(f"{target.name}-project/smoke_test.py").decode("ascii")
                yield kind, target.name, text


def module_of(text: str) -> types.ModuleType:
    """Execute code as a module and return it; metrics of an earlier one are forgotten."""
    for collector in list(prometheus_client.REGISTRY._collector_to_names):
        prometheus_client.REGISTRY.unregister(collector)
    made = types.ModuleType("generated")
    exec(compile(text, "generated.py", "exec"), made.__dict__)
    return made


def module_for(scenario: Scenario, target: str, options: Options | None = None) -> types.ModuleType:
    """Return the scenario's code for a target, executed."""
    return module_of(generate(scenario, target, options=options).text)


def is_python(kind: str, target: str) -> bool:
    """Whether the file that a target shows is a Python module."""
    [found] = [known for known in targets(kind) if known.name == target]
    return found.filename.endswith(".py")


def modules_with(kind: str, function: str) -> list[str]:
    """Return the targets of a kind whose module has a function of that name."""
    scenario = Scenario(pool=KINDS[kind]())
    found = [target.name for target in targets(kind) if is_python(kind, target.name)]
    return [name for name in found if f"def {function}(" in generate(scenario, name).text]


def tool(name: str, package: str) -> str:
    """Return the path of a system program. Fails the test, with the next step, if missing."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        pytest.fail(
            f"{name} is not installed. Debian, Ubuntu: apt-get install {package}, or run"
            " ./dev test as root, which installs it."
        )
    return found


def run(*command: str, folder: Path) -> str:
    """Run a program in a folder and return what it says; its failure fails the test."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
