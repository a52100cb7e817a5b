"""The generated metrics, scraped from running code; the alerts and the dashboard that use them."""

import asyncio
import contextlib
import json
import math
import re
import types
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import httpx
import psycopg
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import exc, text

from pools.codegen import GeneratedCode, generate
from pools.codegen.thresholds import thresholds
from pools.kinds import KINDS
from sim.query import parse
from sim.run import run as simulate
from tests.codegen.conftest import POLL_S, POLLS, Database, Website
from tests.codegen.support import module_for, modules_with, run, tool

KINDS_MEASURED = [kind for kind in KINDS if modules_with(kind, "serve_metrics")]
ONE_CONNECTION = {
    "sqlalchemy": "pool_size=1&max_overflow=0&pool_timeout=20",
    "asyncpg": "min_size=1&max_size=1&acquire_timeout=20",
    "psycopg": "min_size=1&max_size=1&timeout=20",
    "aiohttp": "limit=1&connect_timeout=4.5",
    "httpx": "pool_connections=1&pool_timeout=20",
}
IMPATIENT = {
    "sqlalchemy": "pool_size=1&max_overflow=0&pool_timeout=0.1",
    "asyncpg": "min_size=1&max_size=1&acquire_timeout=0.1",
    "psycopg": "min_size=1&max_size=1&timeout=0.1",
    "aiohttp": "limit=1&connect_timeout=0.1",
    "httpx": "pool_connections=1&pool_timeout=0.1",
}
BUSY = "pool_size=2&max_overflow=2&rate=100&hold_ms=30&cores=16&duration_s=20"
Use = Callable[[], AbstractAsyncContextManager[None]]


class Scraped:
    """What one process answered to Prometheus."""

    def __init__(self, answer: str) -> None:
        families = text_string_to_metric_families(answer)
        self._samples = [sample for family in families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        found = [
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found)

    @property
    def names(self) -> set[str]:
        return {sample.name for sample in self._samples}


async def scrape(port: int) -> Scraped:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        return Scraped(await response.text())


async def scrape_until(port: int, name: str, value: float) -> Scraped:
    """Scrape until a metric has a value."""
    for _ in range(POLLS):
        seen = await scrape(port)
        if seen(name) == value:
            return seen
        await asyncio.sleep(POLL_S)
    return pytest.fail(f"{name} did not become {value}, it is {seen(name)}")


@contextlib.asynccontextmanager
async def measured(
    monkeypatch: pytest.MonkeyPatch, kind: str, query: str, website: Website
) -> AsyncIterator[tuple[types.ModuleType, int, Use]]:
    """Run a kind's measured pool; yield its module, its port, and what uses a connection."""
    monkeypatch.setenv("METRICS_PORT", "0")
    made = module_for(parse(f"kind={kind}&{query}"), "metrics")
    opened = getattr(made, "open_http", None) or getattr(made, "open_pool", None)
    with made.serve_metrics() as port:
        async with (opened or made.open_sessions)() as source:
            yield made, port, user_of(made, source, website)


def user_of(made: types.ModuleType, source: Any, website: Website) -> Use:
    @contextlib.asynccontextmanager
    async def use() -> AsyncIterator[None]:
        if isinstance(source, aiohttp.ClientSession):
            async with source.get(website.url):
                yield
        elif isinstance(source, httpx.AsyncClient):
            async with source.stream("GET", website.url) as response:
                yield
                await response.aread()
        elif hasattr(made, "acquire"):
            async with made.acquire(source) as connection:
                await connection.execute("SELECT 1")
                yield
        else:
            async with source() as session:
                await session.execute(text("SELECT 1"))
                yield

    return use


async def use_once(use: Use) -> None:
    async with use():
        pass


@pytest.mark.server
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ONE_CONNECTION)
async def test_client_that_waits_is_seen_waiting(
    monkeypatch: pytest.MonkeyPatch, website: Website, kind: str
) -> None:
    website.large = True
    async with measured(monkeypatch, kind, ONE_CONNECTION[kind], website) as (_, port, use):
        async with use():
            waiter = asyncio.create_task(use_once(use))
            seen = await scrape_until(port, "pool_acquire_waiting", 1)
            assert seen("pool_connections_in_use") == 1
            assert seen("pool_connections_idle") == 0
            assert seen("pool_connections_max") == 1
            assert seen("pool_acquire_wait_seconds_count") == 1
            await asyncio.sleep(0.15)
        await waiter
        seen = await scrape_until(port, "pool_hold_seconds_count", 2)
        assert seen("pool_acquire_waiting") == 0
        assert seen("pool_acquire_wait_seconds_count") == 2
        # One waited at least the 0.15 s, and so was not among those below 0.1 s.
        assert seen("pool_acquire_wait_seconds_bucket", le="0.1") == 1
        assert seen("pool_acquire_wait_seconds_sum") >= 0.15
        assert seen("pool_connections_in_use") == 0


@pytest.mark.server
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", KINDS_MEASURED)
async def test_connection_is_seen_opened_lent_idle_and_closed(
    monkeypatch: pytest.MonkeyPatch, website: Website, kind: str
) -> None:
    async with measured(monkeypatch, kind, "", website) as (made, port, use):
        before = (await scrape(port))("pool_connections_opened_total")
        await use_once(use)
        kept = kind != "sqlalchemy-null"
        wanted = max(before, 1)
        seen = await scrape_until(port, "pool_connections_idle", wanted if kept else 0)
        assert seen("pool_connections_opened_total") == wanted
        assert seen("pool_connections_in_use") == 0
        assert seen("pool_hold_seconds_count") == 1
        assert seen("pool_timeouts_total") == 0
        assert seen("pool_connections_max") == (math.inf if not kept else made_limit(kind))
    assert made.IN_USE._value.get() == 0 or kind == "asyncpg"


def made_limit(kind: str) -> int | None:
    return KINDS[kind]().capacity


@pytest.mark.server
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", IMPATIENT)
async def test_acquire_that_times_out_is_counted_with_its_wait(
    monkeypatch: pytest.MonkeyPatch, website: Website, kind: str
) -> None:
    website.large = True
    async with measured(monkeypatch, kind, IMPATIENT[kind], website) as (_, port, use):
        async with use():
            with pytest.raises(Exception, match=r"timeout|couldn't get|^$"):
                await use_once(use)
            seen = await scrape(port)
        step = "connect" if kind == "aiohttp" else "acquire"
        assert seen("pool_timeouts_total", kind=step) == seen("pool_timeouts_total") == 1
        assert seen("pool_acquire_wait_seconds_count") == 2
        assert seen("pool_acquire_wait_seconds_sum") >= 0.1
        assert seen("pool_acquire_waiting") == 0


@pytest.mark.server
@pytest.mark.parametrize("kind", ["sqlalchemy", "asyncpg", "psycopg"])
async def test_statement_and_lock_timeouts_are_counted_by_kind(
    monkeypatch: pytest.MonkeyPatch, website: Website, database: Database, kind: str
) -> None:
    errors = {"57014": "statement", "55P03": "lock"}
    async with measured(monkeypatch, kind, "", website) as (made, port, _):
        for code, step in errors.items():
            await fail_with(made, database, kind, code)
            assert (await scrape(port))("pool_timeouts_total", kind=step) == 1
        assert (await scrape(port))("pool_connections_in_use") == 0


async def fail_with(made: types.ModuleType, database: Database, kind: str, code: str) -> None:
    """Have the server raise an error of a code inside a borrowed connection."""
    statement = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"
    if kind in {"asyncpg", "psycopg"}:
        async with made.open_pool() as pool:
            with pytest.raises((asyncpg.PostgresError, psycopg.OperationalError)):
                async with made.acquire(pool) as connection:
                    await connection.execute(statement)
    else:
        async with made.open_sessions() as sessions, sessions() as session:
            with pytest.raises(exc.DBAPIError):
                await session.execute(text(statement))


@pytest.mark.server
@pytest.mark.usefixtures("database")
async def test_connection_that_died_idle_is_not_counted_for_ever(
    monkeypatch: pytest.MonkeyPatch, website: Website, database: Database
) -> None:
    query = "pool_size=1&max_overflow=0&pool_pre_ping=true"
    async with measured(monkeypatch, "sqlalchemy", query, website) as (made, port, use):
        await use_once(use)
        await database.end_all()
        await use_once(use)
        seen = await scrape(port)
        assert seen("pool_connections_opened_total") == 2
        assert seen("pool_connections_idle") == 1
        assert seen("pool_connections_in_use") == 0
    assert made.IDLE._value.get() == 0


def test_each_worker_process_takes_a_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = module_for(parse("workers=2"), "metrics")
    monkeypatch.setenv("METRICS_PORT", "0")
    with made.serve_metrics() as first:
        pass
    with contextlib.ExitStack() as stack:
        monkeypatch.setenv("METRICS_PORT", str(first))
        ports = [stack.enter_context(made.serve_metrics()) for _ in range(2)]
        assert ports == [first, first + 1]
        with pytest.raises(RuntimeError, match="no free port for metrics"):
            stack.enter_context(made.serve_metrics())


def file(code: GeneratedCode, name: str) -> str:
    [found] = [made.text for made in code.files if made.name == name]
    return found


def alerts_of(query: str, *, simulated: bool = True) -> str:
    scenario = parse(query)
    result = simulate(scenario) if simulated else None
    return file(generate(scenario, "metrics", result=result), "alerts.yaml")


@pytest.mark.parametrize("kind", KINDS_MEASURED)
def test_alert_rules_load_in_prometheus_own_checker(tmp_path: Path, kind: str) -> None:
    (tmp_path / "alerts.yaml").write_text(alerts_of(f"kind={kind}&rate=50&duration_s=5"))
    said = run(tool("promtool", "prometheus"), "check", "rules", "alerts.yaml", folder=tmp_path)
    assert "SUCCESS" in said


# Each alert: series that must not raise it and series that must, around the line it draws.
RATE = "{start}+{step}x60"


def series(name: str, step: float, labels: str = "", start: float = 0) -> dict[str, str]:
    given = f'pool="database",job="app"{labels}'
    return {"series": f"{name}{{{given}}}", "values": f"{start:.9f}+{step:.9f}x60"}


def waits(p99_s: float) -> list[dict[str, str]]:
    """Give a histogram whose p99 is what is wanted: 98 % below it, 2 % around it."""
    low, high = 0.98 * p99_s, 1.02 * p99_s
    name, buckets = "pool_acquire_wait_seconds_bucket", ((low, 98), (high, 100), (math.inf, 100))
    return [series(name, count, f',le="{str(le).replace("inf", "+Inf")}"') for le, count in buckets]


def inputs(alert: str, share: float, lines: dict[str, float]) -> list[dict[str, str]]:
    """Give series that reach a share of an alert's line; below 1 it must stay quiet."""
    match alert:
        case "PoolWaitIsLong" | "PoolWaitIsVeryLong":
            return waits(share * lines[alert])
        case "PoolIsNearlyFull" | "PoolIsFull":
            used = series("pool_connections_in_use", 0, start=share * lines[alert] * 100)
            return [used, series("pool_connections_max", 0, start=100)]
        case "PoolTimeouts" | "PoolTimeoutsAreMany":
            return [series("pool_timeouts_total", share * lines[alert], ',kind="acquire"')]
        case "PoolOpensConnectionsAllTheTime":
            return [series("pool_connections_opened_total", 60 * share * lines[alert])]
        case _:
            used = series("pool_connections_in_use", 0, start=share * lines[alert])
            return [used, series("pool_connections_idle", 0)]


def lines_of(query: str) -> dict[str, float]:
    scenario = parse(query)
    made = thresholds(scenario, simulate(scenario))
    pool, server, fleet = scenario.pool, scenario.server, scenario.fleet
    named = {
        "PoolWaitIsLong": "wait_s_warning",
        "PoolWaitIsVeryLong": "wait_s_critical",
        "PoolIsNearlyFull": "utilisation_warning",
        "PoolIsFull": "utilisation_critical",
        "PoolTimeouts": "failed_per_min_warning",
        "PoolTimeoutsAreMany": "failed_per_min_critical",
        "PoolOpensConnectionsAllTheTime": "opened_per_s",
    }
    return {alert: float(made[name].plain) for alert, name in named.items()} | {
        "PoolOverflowIsUsed": pool.pool_size + 0.5 * pool.max_overflow,
        "PoolOverflowIsNearlyUsedUp": pool.pool_size + 0.8 * pool.max_overflow,
        "FleetNearsMaxConnections": math.floor(0.9 * (server.slots - fleet.other_connections)),
    }


def test_every_alert_fires_above_its_line_and_not_below(tmp_path: Path) -> None:
    text = alerts_of(BUSY)
    (tmp_path / "alerts.yaml").write_text(text)
    rules = {rule["alert"]: rule for rule in yaml.safe_load(text)["groups"][0]["rules"]}
    rules.pop("PoolIsNotSeen")
    lines, cases = lines_of(BUSY), []
    assert set(rules) == set(lines)
    for alert, rule in rules.items():
        labels = {"job": "app", "pool": "database"} if "job, pool" in rule["expr"] else {}
        labels |= {"kind": "acquire"} if "kind" in rule["expr"] else {}
        expected = {"exp_labels": labels | rule["labels"], "exp_annotations": rule["annotations"]}
        for share, fires in ((0.9, []), (1.05, [expected])):
            check = {"eval_time": "50m", "alertname": alert, "exp_alerts": fires}
            given = {"input_series": inputs(alert, share, lines), "alert_rule_test": [check]}
            cases.append({"interval": "1m", **given})
    missing = {"eval_time": "50m", "alertname": "PoolIsNotSeen", "exp_alerts": []}
    seen = [series("pool_acquire_waiting", 0)]
    cases.append({"interval": "1m", "input_series": seen, "alert_rule_test": [missing]})
    (tmp_path / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["alerts.yaml"], "tests": cases})
    )
    run(tool("promtool", "prometheus"), "test", "rules", "test.yaml", folder=tmp_path)


def test_lines_come_from_the_simulation_and_lie_above_it() -> None:
    scenario = parse("pool_size=4&max_overflow=0&rate=100&hold_ms=30&cores=32&duration_s=60")
    result = simulate(scenario)
    plain, made = thresholds(scenario, None), thresholds(scenario, result)
    p99_s, used = result.wait_s.p99.value, result.utilisation.value
    assert p99_s is not None
    assert used is not None
    assert made["wait_s_warning"].plain >= 2 * p99_s > plain["wait_s_warning"].plain
    assert made["utilisation_warning"].plain > used
    assert made["utilisation_critical"].plain > made["utilisation_warning"].plain
    assert f"{p99_s * 1e3:.3g} ms" in made["wait_s_warning"].reason.sentence
    assert made["wait_s_warning"].reason.source == "the simulated scenario"
    assert plain["wait_s_warning"].reason.source == "warning lines in common use"


def test_wait_lines_lie_below_the_timeout_that_ends_every_wait() -> None:
    made = thresholds(parse("pool_timeout=0.15"), None)
    assert made["wait_s_warning"].plain < made["wait_s_critical"].plain < 0.15


@pytest.mark.parametrize("kind", KINDS_MEASURED)
def test_dashboard_survives_grafanas_own_models_unchanged(kind: str) -> None:
    written = json.loads(file(generate(parse(f"kind={kind}"), "metrics"), "dashboard.json"))
    read = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(written)))
    assert_holds(read, written)


def assert_holds(read: Any, written: Any) -> None:
    """Compare everything written; Grafana's models add the defaults of what is not."""
    if isinstance(written, dict):
        assert set(written) <= set(read)
        for key, value in written.items():
            assert_holds(read[key], value)
    elif isinstance(written, list):
        assert len(read) == len(written)
        for one, other in zip(read, written, strict=True):
            assert_holds(one, other)
    else:
        assert read == written


@pytest.mark.server
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", KINDS_MEASURED)
async def test_alerts_and_dashboard_name_only_metrics_that_exist(
    monkeypatch: pytest.MonkeyPatch, website: Website, kind: str
) -> None:
    code = generate(parse(f"kind={kind}"), "metrics")
    board = json.loads(file(code, "dashboard.json"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = yaml.safe_load(file(code, "alerts.yaml"))["groups"][0]["rules"]
    asked += [rule["expr"] for rule in rules]
    used = set(re.findall(r"\bpool_\w+", " ".join(asked)))
    async with measured(monkeypatch, kind, "", website) as (made, port, use):
        made.TIMEOUTS.labels(made.POOL, "acquire").inc(0)
        await use_once(use)
        assert used <= (await scrape(port)).names


def test_dashboard_queries_are_understood_by_prometheus(tmp_path: Path) -> None:
    board = json.loads(file(generate(parse(""), "metrics"), "dashboard.json"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    plain = [expr.replace("$__rate_interval", "5m").replace("$job", "app") for expr in asked]
    recorded = [{"record": f"a{number}", "expr": expr} for number, expr in enumerate(plain)]
    rules = {"groups": [{"name": "board", "rules": recorded}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    run(tool("promtool", "prometheus"), "check", "rules", "rules.yaml", folder=tmp_path)
