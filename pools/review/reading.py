"""`read`: one text in, one Reading out."""

import ast
import re
from collections.abc import Callable

from pools.review.context import Context
from pools.review.deployment import Deployment, kind_of, read_commands, read_configuration
from pools.review.draft import fitting
from pools.review.evidence import evidence
from pools.review.finding import Asked, PoolRead, Reading, Shown
from pools.review.rule import findings
from pools.review.settings import pools_read
from pools.review.text import PASTE_CHARS_MAX, Unreadable, parse, prepare
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.worth import Known
from pools.setting import settings_of
from sim.query import all_settings, from_values, to_values
from sim.scenario import Fleet, Scenario

PASTED = "pasted"
_NOT_IN_CODE = frozenset({"version"})
PLAIN_STATEMENTS_MAX = 1_000
_RELEVANT = re.compile(
    r"sqlalchemy|sqlmodel|asyncpg|aiohttp|httpx|psycopg|tenacity|backoff|stamina|uvicorn|gunicorn|workers"
    r"|://[^\s]*@|passw|BasicAuth",
    re.IGNORECASE,
)
_ADDRESSES = re.compile(
    r"\s*(?:(?:export\s+)?\w+\s*=\s*)?[\"']?[a-z][\w+.\-]{2,40}://[^\s\"']{1,2000}[\"']?\s*"
)
_PYTHON = re.compile(
    r"^\s*(?:import |from [\w.]+ import |(?:async )?def |class \w+|@\w|return\b)", re.MULTILINE
)


def _nothing() -> None:
    """Let a reading take the time it takes."""


def read(
    text: str,
    filename: str = PASTED,
    *,
    scenario: Scenario | None = None,
    chars_max: int = PASTE_CHARS_MAX,
    tick: Callable[[], None] = _nothing,
) -> Reading:
    """Read a Python module, a notebook, a command line or a configuration snippet.

    `scenario` tells what the text leaves open: the fleet and the server around the pool. `tick`
    is called often; it may raise Unreadable to stop (see `patience`), or another exception of
    the caller's. Never raises for any text: what cannot be read has its sentence in `problem`.
    """
    try:
        source = prepare(text, filename, chars_max)
    except Unreadable as reason:
        return Reading(filename, problem=str(reason))
    try:
        source, tree = parse(source)
    except Unreadable as reason:
        return _configuration(filename, source.original, str(reason))
    if _is_plain(tree) and not source.cells:
        plain = _configuration(filename, source.original, "")
        if plain.found or plain.noted or plain.not_understood:
            return plain
    if not _RELEVANT.search(source.original or source.text):
        return Reading(filename)
    try:
        return _module(filename, Module(source, tree, tick), scenario)
    except Unreadable as reason:
        return Reading(filename, problem=str(reason))


def scenario_of(reading: Reading, base: Scenario, kind: str | None = None) -> Scenario:
    """Return `base` with the settings of a reading, of its pool of `kind` if one is named.

    Settings of a pool that the text does not give take the library's defaults; the library's
    version, which no code says, stays. Raises InvalidSettings if they cannot stand together.
    """
    chosen = kind or reading.kind or base.pool.name
    given = {name: shown.value for name, shown in _found_for(reading, kind).items()}
    values = to_values(base)
    if chosen != base.pool.name or reading.kind is not None:
        own = {known.query for known in settings_of(type(base.pool)).values()}
        values = {n: v for n, v in values.items() if n not in own - _NOT_IN_CODE}
    known = all_settings(chosen).keys() - {"kind"}
    return from_values(chosen, {n: v for n, v in (values | given).items() if n in known})


def _found_for(reading: Reading, kind: str | None) -> dict[str, Shown]:
    pool = next((p for p in reading.pools if p.kind == kind), None)
    if pool is None:
        return dict(reading.found)
    own = {name for p in reading.pools[:1] for name in p.found}
    shared = {name: shown for name, shown in reading.found.items() if name not in own}
    return shared | dict(pool.found)


def _module(filename: str, module: Module, scenario: Scenario | None) -> Reading:
    pools = pools_read(module)
    first = pools[0] if pools else None
    around = read_commands(module.source.original or module.source.text)
    _server_in_code(module, around, has_pool=bool(pools))
    noted = {**around.noted, **(first.noted if first else {})}
    found = {**around.found, **(first.found if first else {})}
    module.context = Context.of(scenario, found, noted)
    return Reading(
        filename=filename,
        kind=first.kind if first else kind_of(found),
        found=found,
        noted=noted,
        not_understood=(*around.asked, *_asked(pools)),
        findings=findings(module),
        pools=pools,
        shows=evidence(module),
    )


def _asked(pools: tuple[PoolRead, ...]) -> list[Asked]:
    return [asked for pool in pools[:1] for asked in pool.asked]


def _server_in_code(module: Module, around: Deployment, *, has_pool: bool) -> None:
    """`uvicorn.run(app, workers=4)`, and `workers = 4` in a gunicorn configuration."""
    known = settings_of(Fleet)["workers"]
    nodes = [
        keyword.value
        for call in module.called("run")
        if module.qualified(call.func) == "uvicorn.run"
        for keyword in call.keywords
        if keyword.arg == "workers"
    ]
    named = module.bound.get(module.tree, {})
    is_gunicorn = bool({"bind", "worker_class", "wsgi_app", "preload_app"} & {*named})
    if "workers" in named and (is_gunicorn or not has_pool):
        nodes += [b.value for b in named["workers"] if b.value is not None]
    for node in nodes[:1]:
        answer = evaluate(module, node)
        value = fitting(known, answer.value) if isinstance(answer, Known) else None
        if isinstance(answer, Known) and value is not None:
            around.found["workers"] = Shown(value, module.place(answer.node), answer.how)
        else:
            why = known.bounds if isinstance(answer, Known) else answer.why
            around.asked.append(Asked("workers", module.place(node), why))


def _is_plain(tree: ast.Module) -> bool:
    """Whether the text is at most names and values, such as `POOL_SIZE=20` or `replicas: 3`."""
    plain = (ast.Assign, ast.AnnAssign, ast.Expr)
    return len(tree.body) <= PLAIN_STATEMENTS_MAX and all(
        isinstance(s, plain) and not any(isinstance(n, ast.Call | ast.Dict) for n in ast.walk(s))
        for s in tree.body
    )


def _configuration(filename: str, text: str, problem: str) -> Reading:
    read_here = read_configuration(text)
    if not read_here and _ADDRESSES.fullmatch(text):
        read_here.noted["address"] = "without parameters"
    if not read_here or (problem and _PYTHON.search(text)):
        return Reading(filename, problem=problem)
    return Reading(
        filename=filename,
        kind=kind_of(read_here.found),
        found=read_here.found,
        noted=read_here.noted,
        not_understood=tuple(read_here.asked),
    )
