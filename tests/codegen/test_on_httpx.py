"""The generated httpx client, run against a real server on this machine."""

import asyncio
import ssl
import types

import httpx
import pytest

from sim.query import parse
from tests.codegen.conftest import Website
from tests.codegen.support import module_for

pytestmark = pytest.mark.server


def http_code(query: str) -> types.ModuleType:
    return module_for(parse(f"kind=httpx&{query}"), "httpx")


async def test_client_fetches(website: Website) -> None:
    async with http_code("").open_http() as http:
        assert (await http.get(website.url)).text == "answer"


async def test_client_honours_its_limit(website: Website) -> None:
    website.gate.clear()
    async with http_code("pool_connections=2").open_http() as http:
        asked = [asyncio.create_task(http.get(website.url)) for _ in range(6)]
        assert await website.comes_to(2)
        await asyncio.wait(asked, timeout=0.1)
        website.gate.set()
        answers = await asyncio.gather(*asked)
    assert [answer.text for answer in answers] == ["answer"] * 6
    assert website.most_at_work == 2
    assert len(website.requests_by_connection) == 2


async def test_pool_timeout_ends_the_wait_for_a_connection(website: Website) -> None:
    website.gate.clear()
    async with http_code("pool_connections=1&pool_timeout=0.2").open_http() as http:
        holder = asyncio.create_task(http.get(website.url))
        assert await website.comes_to(1)
        with pytest.raises(httpx.PoolTimeout):
            await http.get(website.url)
        website.gate.set()
        assert (await holder).text == "answer"
    assert website.requests_by_connection.total() == 1


async def test_no_pool_timeout_means_waiting_on(website: Website) -> None:
    website.gate.clear()
    async with http_code("pool_connections=1&pool_timeout=0").open_http() as http:
        asked = [asyncio.create_task(http.get(website.url)) for _ in range(2)]
        assert await website.comes_to(1)
        assert http.timeout.pool is None
        website.gate.set()
        assert len(await asyncio.gather(*asked)) == 2
    assert len(website.requests_by_connection) == 1


@pytest.mark.parametrize(("query", "connections"), [("", 1), ("max_keepalive_connections=0", 3)])
async def test_connection_is_kept_up_to_its_limit(
    website: Website, query: str, connections: int
) -> None:
    async with http_code(query).open_http() as http:
        for _ in range(3):
            await http.get(website.url)
    assert website.requests_by_connection.total() == 3
    assert len(website.requests_by_connection) == connections


async def test_client_closes_its_connections() -> None:
    async with http_code("").open_http() as http:
        assert not http.is_closed
    assert http.is_closed


async def test_certificates_are_verified() -> None:
    async with http_code("").open_http() as http:
        context = http._transport._pool._ssl_context
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
