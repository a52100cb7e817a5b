"""The checklist ticks what is shown, says what shows it, and asks for the rest."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pools.review import Item, as_markdown, checklist, read
from pools.review.checklist import State
from pools.trace import Outcome
from sim.query import parse

QUICK = "&rate=300&duration_s=5&warm_up_s=0.5&replications=2"
SERVICE = """
import ssl
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

WAIT = Histogram("db_pool_wait_seconds", "Wait for a connection")
SIZE = Gauge("db_pool_size", "Connections open")
IN_USE = Gauge("db_pool_in_use", "Connections in use")
IDLE = Gauge("db_pool_idle", "Connections idle")
ERRORS = Counter("db_pool_timeouts", "Timeouts, by kind", ["kind"])


@asynccontextmanager
async def lifespan(app: FastAPI):
    engine = create_async_engine(
        "postgresql+asyncpg://app@db/x",
        pool_pre_ping=True,
        connect_args={"timeout": 5, "command_timeout": 9, "server_settings": {"lock_timeout": "3"}},
    )
    connector = aiohttp.TCPConnector(limit=50, limit_per_host=10, ttl_dns_cache=60)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield {"engine": engine, "http": session}
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/x")
async def x(request: Request):
    engine: AsyncEngine = request.state.engine
    async with engine.connect() as connection:
        return (await connection.exec_driver_sql("SELECT 1")).scalar()
"""


@dataclass(frozen=True)
class Cost:
    median_s: float


@dataclass(frozen=True)
class Calibration:
    pre_ping: Cost | None = None


@dataclass(frozen=True)
class Trace:
    outcome: Sequence[int] = field(default_factory=lambda: array("b", [Outcome.OK] * 9))


@dataclass(frozen=True)
class Live:
    taken_at: str = "2026-11-22T12:00:00+00:00"
    trace: Trace = field(default_factory=Trace)
    calibration: Calibration = field(default_factory=Calibration)


def items(query: str, text: str = "", live: Live | None = None) -> dict[str, Item]:
    reading = read(text, "main.py") if text else None
    return {item.text: item for item in checklist(parse(query + QUICK), reading, live)}


def states(found: dict[str, Item]) -> dict[str, State]:
    return {text: item.state for text, item in found.items()}


def test_the_scenario_alone_ticks_what_it_says_and_asks_the_rest() -> None:
    found = states(items("pool_pre_ping=true&pool_recycle=1800"))
    assert found["Size fits the load"] is State.TICKED
    assert found["Connections are validated"] is State.TICKED
    assert found["Connections are recycled"] is State.TICKED
    assert found["Acquire timeout"] is State.TICKED
    assert found["Exhaustion alert"] is State.ASKED
    assert found["Closed at shutdown"] is State.ASKED
    assert found["Tested under load"] is State.ASKED


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("pool_pre_ping=false", "Connections are validated"),
        ("pool_recycle=-1", "Connections are recycled"),
        ("kind=asyncpg", "Acquire timeout"),
        ("pool_size=1&max_overflow=0&hold_ms=40", "Size fits the load"),
        ("pool_size=90&workers=2", "The fleet fits max_connections"),
        ("kind=aiohttp&limit=0", "Connector limit"),
        ("kind=aiohttp", "Per-host limit"),
    ],
)
def test_what_the_scenario_speaks_against_is_not_ticked(query: str, text: str) -> None:
    assert items(query)[text].state is State.NOT


def test_overflow_is_judged_by_a_burst_only() -> None:
    assert items("")["Overflow fits bursts"].state is State.ASKED
    spike = "pattern=spike&spike_at_s=1&spike_requests=10"
    assert items(spike)["Overflow fits bursts"].state is State.TICKED
    assert items(f"{spike}0000&pool_timeout=0.05")["Overflow fits bursts"].state is State.NOT


def test_a_service_that_does_it_all_is_ticked_by_its_code() -> None:
    found = items("pool_pre_ping=true&pool_recycle=1800", SERVICE)
    asked = {text for text, item in found.items() if item.state is not State.TICKED}
    assert asked == {
        "Overflow fits bursts",
        "Graceful shutdown",
        "Exhaustion alert",
        "Tested under load",
        "Tested on connection failure",
        "Timeouts tested",
        "Recovery tested",
        "Pre-ping cost measured",
    }
    assert found["Lock timeout"].evidence == "main.py, line 22"


def test_a_finding_speaks_against_its_item() -> None:
    text = SERVICE.replace("ttl_dns_cache=60", "ssl=False").replace(
        "    await engine.dispose()\n", ""
    )
    found = items("", text)
    assert found["TLS is verified"].state is State.NOT
    assert "verifies no certificate" in found["TLS is verified"].evidence
    assert found["Closed at shutdown"].state is State.NOT
    assert found["DNS TTL"].state is State.ASKED


def test_a_live_check_ticks_what_it_measured() -> None:
    seen = items("", live=Live())
    assert seen["Tested under load"].state is State.TICKED
    assert seen["Tested under load"].evidence.endswith("9 requests")
    assert seen["Timeouts tested"].state is State.ASKED
    assert seen["Pre-ping cost measured"].state is State.ASKED


def test_a_live_check_with_timeouts_and_a_measured_ping_ticks_them() -> None:
    outcomes = array("b", [Outcome.OK, Outcome.ACQUIRE_TIMEOUT])
    seen = items("", live=Live(trace=Trace(outcomes), calibration=Calibration(Cost(0.00027))))
    assert seen["Timeouts tested"].evidence.endswith("1 timed out")
    assert seen["Pre-ping cost measured"].evidence == "measured live: 0.27 ms"


def test_a_live_report_of_the_live_check_is_what_the_checklist_takes() -> None:
    from pools.live.facts import Calibration as LiveCalibration
    from pools.live.facts import Cost as LiveCost
    from pools.live.report import LiveReport

    fields = {"taken_at", "trace", "calibration"}
    assert fields <= {*LiveReport.__dataclass_fields__}
    assert "pre_ping" in LiveCalibration.__dataclass_fields__
    assert LiveCost(0.1, 3).median_s == 0.1


def test_the_graceful_timeout_of_the_command_line_counts() -> None:
    text = '"""uvicorn main:app --timeout-graceful-shutdown 30"""\nimport aiohttp\n'
    item = items("", text)["Graceful shutdown"]
    assert (item.state, item.evidence) == (
        State.TICKED,
        "command line: uvicorn graceful_timeout 30 s",
    )


def test_markdown_is_a_task_list_with_a_line_for_each_item() -> None:
    found = items("", SERVICE)
    text = as_markdown([*found.values()])
    lines = [line for line in text.split("\n") if line.startswith("- [")]
    assert len(lines) == len(found)
    ticked = sum(item.state is State.TICKED for item in found.values())
    assert sum(line.startswith("- [x] ") for line in lines) == ticked
    assert text.count("*To check:*") == sum(i.state is State.ASKED for i in found.values())


def test_markdown_cannot_be_broken_from_a_file_name() -> None:
    item = Item("Pool", "Idle", State.TICKED, "a](javascript:x)\n# b <script> `c` | d")
    lines = as_markdown([item]).split("\n")
    assert lines[-2] == "- [x] Idle: a\\](javascript:x) # b \\<script\\> \\`c\\` \\| d"
