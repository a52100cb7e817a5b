"""The generated HTTP session, run against a real server on this machine."""

import asyncio
import ssl
import types

import aiohttp
import pytest

from sim.query import parse
from tests.codegen.conftest import Website
from tests.codegen.support import module_for

pytestmark = pytest.mark.server


def http_code(query: str) -> types.ModuleType:
    return module_for(parse(f"kind=aiohttp&{query}"), "aiohttp")


async def fetch(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as response:
        return await response.text()


async def test_session_fetches(website: Website) -> None:
    async with http_code("").open_http() as http:
        assert await fetch(http, website.url) == "answer"


@pytest.mark.parametrize("query", ["limit=2", "limit_per_host=2"])
async def test_session_honours_its_limit(website: Website, query: str) -> None:
    website.gate.clear()
    async with http_code(query).open_http() as http:
        asked = [asyncio.create_task(fetch(http, website.url)) for _ in range(6)]
        assert await website.comes_to(2)
        await asyncio.wait(asked, timeout=0.1)
        website.gate.set()
        assert await asyncio.gather(*asked) == ["answer"] * 6
    assert website.most_at_work == 2


async def test_connect_timeout_covers_waiting_for_a_free_place(website: Website) -> None:
    website.gate.clear()
    async with http_code("limit=1&connect_timeout=0.2").open_http() as http:
        holder = asyncio.create_task(fetch(http, website.url))
        assert await website.comes_to(1)
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await fetch(http, website.url)
        website.gate.set()
        assert await holder == "answer"
    assert website.requests_by_connection.total() == 1


@pytest.mark.parametrize(("query", "connections"), [("", 1), ("force_close=true", 3)])
async def test_connection_is_kept_unless_forced_to_close(
    website: Website, query: str, connections: int
) -> None:
    async with http_code(query).open_http() as http:
        for _ in range(3):
            await fetch(http, website.url)
            await asyncio.sleep(0.01)
    assert website.requests_by_connection.total() == 3
    assert len(website.requests_by_connection) == connections


async def test_session_closes_its_connections(website: Website) -> None:
    async with http_code("").open_http() as http:
        await fetch(http, website.url)
    assert http.closed
    assert http.connector is None or http.connector.closed


async def test_certificates_are_verified() -> None:
    async with http_code("").open_http() as http:
        connector = http.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        context = connector._ssl
        assert isinstance(context, ssl.SSLContext)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
