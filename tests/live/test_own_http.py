"""A check of somebody's HTTP endpoint: bounded, without cookies, redirects or a login."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from aiohttp import web

from pools.live import check
from pools.live.check import LiveCheck
from pools.live.plan import OWN_REQUESTS_MAX, plan
from pools.live.preflight import HttpFacts, Spread
from pools.live.problems import LiveCheckFailed
from pools.live.reading import http_from_url
from pools.live.secret import Secret
from pools.live.target import OwnHttp
from sim.query import parse

pytestmark = pytest.mark.server
TOKEN = "t0ken-cAnArY"
QUERY = "rate=60&duration_s=1&warm_up_s=0&seed=2"
HOLD_S = 0.02


class Site:
    """A small web server in a thread, which keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.loop = asyncio.new_event_loop()
        self.port = 0
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait(10)

    def _run(self, ready: threading.Event) -> None:
        self.loop.run_until_complete(self._start())
        ready.set()
        self.loop.run_forever()
        self.loop.run_until_complete(self.runner.cleanup())
        self.loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        await asyncio.sleep(HOLD_S)
        match request.path:
            case "/large":
                return web.Response(body=b"x" * 200_000)
            case "/elsewhere":
                return web.Response(status=302, headers={"Location": "/asked-elsewhere"})
            case "/missing":
                return web.Response(status=404, text=TOKEN)
        return web.Response(text="fine", headers={"Set-Cookie": "a=b"})

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def target(site: Site, path: str = "/fine", method: str = "GET") -> OwnHttp:
    url = f"http://127.0.0.1:{site.port}{path}?token={TOKEN}"
    return http_from_url(Secret(url), method=method)


def looked_at(own: OwnHttp) -> LiveCheck:
    made = check.look(own, session="http")
    assert made.wait(60)
    assert TOKEN not in f"{made.problem}{made.steps}{made.facts}"
    return made


@pytest.mark.parametrize("kind", ["kind=aiohttp&limit=3", "kind=httpx&pool_connections=3"])
def test_a_check_asks_the_endpoint_alone_and_takes_its_own_time_as_the_hold(
    site: Site, kind: str
) -> None:
    facts = looked_at(target(site)).facts
    assert isinstance(facts, HttpFacts)
    assert facts.status == 200
    assert HOLD_S <= facts.answers.mean_s < 20 * HOLD_S
    before = len(site.asked)
    made = check.start_own(parse(f"{kind}&{QUERY}"), target(site), facts, session="http")
    assert made.wait(60)
    assert made.report is not None, made.problem
    sent = site.asked[before:]
    assert {(one.method, one.path, one.query["token"]) for one in sent} == {("GET", "/fine", TOKEN)}
    assert not any({"Cookie", "Authorization"} & set(one.headers) for one in sent)
    assert {one.headers.get("Accept-Encoding") for one in sent} <= {"identity", "gzip, deflate"}
    assert made.report.trace.outcome.count(0) == len(made.report.trace.outcome) > 0
    assert len(made.report.trace.opened_s) == 3
    assert made.report.scenario.workload.hold_s_mean == pytest.approx(facts.answers.mean_s, 1e-3)
    assert TOKEN not in str(made.report.as_json())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_redirect_is_not_followed_and_not_taken_for_an_answer(site: Site, method: str) -> None:
    problem = looked_at(target(site, "/elsewhere", method)).problem
    assert problem is not None
    assert problem.code == "PW-HTTP-redirects"
    assert not any(one.path == "/asked-elsewhere" for one in site.asked)


@pytest.mark.parametrize(
    ("path", "code"), [("/large", "PW-LIVE-answer"), ("/missing", "PW-HTTP-status")]
)
def test_what_a_check_cannot_use_is_said_in_words(site: Site, path: str, code: str) -> None:
    problem = looked_at(target(site, path)).problem
    assert problem is not None
    assert problem.code == code


def test_requests_are_few_whatever_the_scenario_says() -> None:
    facts = HttpFacts(200, Spread(0.02, 0.01, 10), 100)
    planned = plan(parse("kind=aiohttp&rate=800&limit=100&duration_s=60"), facts)
    assert planned.scenario.requests_expected <= OWN_REQUESTS_MAX
    assert planned.scenario.pool.capacity == 50
    with pytest.raises(LiveCheckFailed, match="another kind of pool"):
        plan(parse("kind=asyncpg"), facts)
