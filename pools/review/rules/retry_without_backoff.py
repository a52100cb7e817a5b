"""Failed work is repeated at once, or without end.

Retries are load. When a pool or a server is saturated, each failure that is repeated at once
adds a request, so the load stays above capacity after its cause is gone: a metastable overload.
Wait longer each time, with jitter, and stop after a few attempts.
Source: Bronson et al., Metastable Failures in Distributed Systems (HotOS 2021); tenacity's
@retry alone retries for ever, without a wait.
"""

import ast
from collections.abc import Iterator

from pools.review.lifetimes import is_test
from pools.review.rule import Found, WhatIf
from pools.review.syntax import FUNCTIONS, inside_all, last_name
from pools.review.things import DATABASE, HTTP, HTTPX, receiver, thing
from pools.review.tree import Module
from pools.review.values import evaluate
from pools.review.what_if import with_workload
from pools.review.worth import Known
from sim.scenario import Scenario

ATTEMPTS = 3
_WORK = DATABASE | {HTTP, HTTPX}
_ADVICE = (
    "Wait between attempts, longer each time and with jitter, and stop after a few: for instance"
    " @stamina.retry(on=..., attempts=3)."
)


def find(module: Module) -> Iterator[Found]:
    """Yield retry decorators and retry loops without a wait, or without an end."""
    yield from _decorators(module)
    for loop in module.nodes:
        if isinstance(loop, ast.For | ast.While) and _is_retry(module, loop):
            function = module.function_of(loop)
            if function is not None and not is_test(function) and not _waits(module, loop):
                yield Found(
                    loop,
                    "This loop repeats a failed request at once: in overload every failure adds a"
                    " request, and the overload keeps itself going.",
                    _ADVICE,
                )


def what_if(scenario: Scenario) -> WhatIf | None:
    """Compare with three times the arrivals, which is what three attempts at once amount to."""
    if scenario.workload.is_closed:
        return None
    rate = scenario.workload.rate_per_s * ATTEMPTS
    mistaken = with_workload(scenario, rate_per_s=rate)
    label = f"every request made {ATTEMPTS} times, as in an outage"
    return WhatIf(mistaken=mistaken, fixed=scenario, label=label)


def _decorators(module: Module) -> Iterator[Found]:
    for function in module.functions:
        for decorator in function.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            name = module.qualified(call.func if call else decorator)
            given = {k.arg for k in call.keywords} if call else set()
            missing = _missing(module, name, call, given)
            if missing and None not in given:
                yield Found(decorator, f"{_short(name)} here repeats {missing}.", _ADVICE)


def _missing(module: Module, name: str, call: ast.Call | None, given: set[str | None]) -> str:
    root, _, last = name.rpartition(".")
    if root.partition(".")[0] == "tenacity" and last == "retry":
        if call is not None and call.args:
            return ""
        lacks = [
            what for key, what in (("wait", "at once"), ("stop", "for ever")) if key not in given
        ]
        return " and ".join(lacks)
    if root == "backoff" and last in {"on_exception", "on_predicate"}:
        bounded = {"max_tries", "max_time", "giveup"} & given
        return "" if bounded else "for ever"
    if root == "stamina" and last == "retry" and call is not None:
        attempts = next((k.value for k in call.keywords if k.arg == "attempts"), None)
        timeout = next((k.value for k in call.keywords if k.arg == "timeout"), None)
        if all(n is not None and _is_none(module, n) for n in (attempts, timeout)):
            return "for ever"
    return ""


def _is_none(module: Module, node: ast.expr) -> bool:
    answer = evaluate(module, node)
    return isinstance(answer, Known) and answer.value is None


def _short(name: str) -> str:
    return f"{name.partition('.')[0]}.{name.rpartition('.')[2]}"


def _is_retry(module: Module, loop: ast.For | ast.While) -> bool:
    """Whether a loop ends when a database or HTTP call succeeds, and goes round if it fails."""
    if isinstance(loop, ast.For) and not _counts(loop):
        return False
    tries = [s for s in loop.body if isinstance(s, ast.Try)]
    if len(tries) != 1:
        return False
    attempt = tries[0]
    succeeds = [*attempt.body, *attempt.orelse]
    leaves = any(isinstance(n, ast.Return | ast.Break) for n in inside_all(succeeds))
    goes_round = any(not _always_leaves(handler) for handler in attempt.handlers)
    return leaves and goes_round and _calls_remote(module, attempt)


def _counts(loop: ast.For) -> bool:
    iterated = loop.iter
    return isinstance(iterated, ast.Call) and last_name(iterated.func) in {
        "range",
        "count",
        "repeat",
    }


def _always_leaves(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(s, ast.Raise | ast.Return | ast.Break) for s in handler.body)


def _calls_remote(module: Module, attempt: ast.Try) -> bool:
    """Whether the attempt itself talks to a database or over HTTP."""
    return any(
        isinstance(node, ast.Call)
        and (receiver(module, node) in _WORK or thing(module, node) in DATABASE)
        for node in inside_all(attempt.body)
        if not isinstance(node, FUNCTIONS)
    )


def _waits(module: Module, loop: ast.For | ast.While) -> bool:
    """Whether anything in the loop waits between attempts, or may: an await of something else."""
    for node in inside_all(loop.body):
        if isinstance(node, ast.Call) and "sleep" in last_name(node.func).lower():
            return True
        if isinstance(node, ast.Await) and not _is_remote(module, node.value):
            return True
    return False


def _is_remote(module: Module, node: ast.expr) -> bool:
    """Whether an awaited call is part of the work itself: on a connection, or on its answer."""
    if not isinstance(node, ast.Call):
        return False
    owner = receiver(module, node)
    is_answer = last_name(node.func) in {"json", "text", "read", "commit", "rollback"}
    return owner in _WORK or thing(module, node) in _WORK or is_answer


BAD = (
    """
import aiohttp


async def fetch(session: aiohttp.ClientSession, url: str):
    for attempt in range(5):  # <-
        try:
            async with session.get(url) as response:
                return await response.json()
        except aiohttp.ClientError:
            if attempt == 4:
                raise
""",
    """
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine


class Store:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def load(self, query):
        while True:  # <-
            try:
                async with self.engine.connect() as connection:
                    return (await connection.execute(query)).all()
            except OperationalError:
                continue
""",
    """
from tenacity import retry, stop_after_attempt, wait_random_exponential


@retry(stop=stop_after_attempt(5))  # <-
async def charge(order):
    ...


@retry(wait=wait_random_exponential(max=10))  # <-
async def refund(order):
    ...


@retry  # <-
async def cancel(order):
    ...
""",
    """
import aiohttp
import backoff


@backoff.on_exception(backoff.expo, aiohttp.ClientError)  # <-
async def post(session: aiohttp.ClientSession, body: dict) -> int:
    async with session.post("https://hooks.example.com", json=body) as response:
        return response.status
""",
)
GOOD = (
    """
import asyncio
import random
import aiohttp


async def fetch(session: aiohttp.ClientSession, url: str):
    for attempt in range(5):
        try:
            async with session.get(url) as response:
                return await response.json()
        except aiohttp.ClientError:
            if attempt == 4:
                raise
            await asyncio.sleep(random.uniform(0, 0.1 * 2**attempt))
""",
    """
import backoff
import stamina
import tenacity as t


@t.retry(stop=t.stop_after_attempt(5), wait=t.wait_random_exponential(max=10))
async def charge(order):
    ...


@stamina.retry(on=ConnectionError, attempts=3)
async def refund(order):
    ...


@backoff.on_exception(backoff.expo, ConnectionError, max_tries=4)
async def cancel(order):
    ...
""",
    """
import asyncpg


async def consume(pool: asyncpg.Pool, queue):
    while True:
        job = await queue.get()
        try:
            await pool.execute("INSERT INTO done VALUES ($1)", job)
        except asyncpg.PostgresError:
            log.exception("job %s", job)
""",
    """
import aiohttp


async def first_alive(session: aiohttp.ClientSession, hosts: list[str]):
    for host in hosts:
        try:
            async with session.get(f"https://{host}/") as response:
                return await response.text()
        except aiohttp.ClientError:
            continue
""",
    '''
import aiohttp


class Client:
    """Its handlers decide, and wait, before the next attempt."""

    def __init__(self, session: aiohttp.ClientSession, handlers) -> None:
        self.session, self.handlers = session, handlers

    async def call(self, url):
        for _ in range(3):
            try:
                async with self.session.get(url) as response:
                    return await response.json()
            except aiohttp.ClientError as error:
                for handler in self.handlers:
                    await handler.prepare_for_next_attempt(error)
''',
)
