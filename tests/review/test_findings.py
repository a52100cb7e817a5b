"""What the review finds in a module, what it never says, and what it does with odd input."""

import subprocess
import sys
from pathlib import Path

import pytest

from pools.review import read

SECRET = "hunter2-correct-horse"
MODULE = f"""
import aiohttp
import asyncpg
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

app = FastAPI()


@app.get("/x")
async def x():
    engine = create_async_engine("postgresql+asyncpg://u:{SECRET}@db/x", pool_size=7)
    async with engine.connect() as connection:
        return 1


async def fetch(url):
    connector = aiohttp.TCPConnector(limit=50, ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(url) as response:
            return await response.text()


async def main():
    pool = await asyncpg.create_pool("postgresql://db/x", min_size=2, max_size=8)
    return pool
"""
GOOD = """
import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine(
    os.environ["DATABASE_URL"], pool_size=12, max_overflow=0, pool_pre_ping=True
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def close() -> None:
    await engine.dispose()
"""


@pytest.mark.parametrize(
    ("rule", "line"),
    [("engine-per-request", 12), ("password-in-source", 12), ("ssl-false", 18)],
)
def test_mistake_is_found_on_its_line(rule: str, line: int) -> None:
    found = {(one.rule, one.place.line) for one in read(MODULE).findings}
    assert (rule, line) in found


def test_no_finding_repeats_the_password() -> None:
    assert SECRET not in repr(read(MODULE).findings)


def test_a_careful_module_has_no_findings() -> None:
    assert read(GOOD).findings == ()


@pytest.mark.parametrize("text", ['print "x"', "def f(:", "((((" * 50_000, "\x00\x00"])
def test_odd_input_ends_in_a_sentence_or_in_nothing_found(text: str) -> None:
    reading = read(text)
    assert reading.findings == ()


def test_command_ends_with_1_on_findings_and_0_without(tmp_path: Path) -> None:
    for name, text, code in (("bad.py", MODULE, 1), ("good.py", GOOD, 0)):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-m", "pools.review", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert SECRET not in ended.stdout + ended.stderr
