"""The twin's HTTP server and its network, spoken to byte by byte."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pools.twin import clock
from pools.twin.http import PORT, HttpServer, address_of, pool_of, url_of
from pools.twin.network import Network, Transport
from sim.script import Costs, Use

HOST = address_of(0, 0)
LATENCY_S = 0.01
START_S = 1000.0


class Client(asyncio.Protocol):
    """Notes what arrives, and when."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.heard: list[tuple[float, bytes]] = []
        self.lost_s: float | None = None

    def data_received(self, data: bytes) -> None:
        self.heard.append((self.loop.time() - START_S, data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_s = self.loop.time() - START_S


class Scene:
    """A server and clients on one virtual loop."""

    def __init__(self, loop: clock.VirtualLoop, costs: Costs) -> None:
        self.loop = loop
        self.network = loop.network = Network(loop, costs.latency_s)
        self.server = HttpServer(self.network, costs)
        self.network.listen(HOST, PORT, self.server.accept, self.server.next_open_s)

    async def connect(self) -> tuple[Transport, Client]:
        return await self.loop.create_connection(lambda: Client(self.loop), HOST, PORT)


def ask(compute_s: float, work_s: float, *, closes: bool = False) -> bytes:
    last = "/close" if closes else ""
    return f"GET /{compute_s}/{work_s}{last} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def run(play: Callable[[Scene], Awaitable[Any]], **costs: Any) -> Any:
    async def main(loop: clock.VirtualLoop) -> Any:
        return await play(Scene(loop, Costs(**{"latency_s": LATENCY_S, "connect_s": 0.0, **costs})))

    return clock.run(main, START_S)


def test_a_connection_takes_a_round_trip_and_what_the_server_takes() -> None:
    async def play(scene: Scene) -> list[float]:
        times = []
        for _ in range(2):
            before_s = scene.loop.time()
            await scene.connect()
            times.append(scene.loop.time() - before_s)
        return times

    times = run(play, connect_s=0.005, connect_jitter_s=(0.0, 0.001))
    assert times == pytest.approx([0.025, 0.026])


def test_an_answer_comes_after_the_time_its_path_names_and_two_latencies() -> None:
    async def play(scene: Scene) -> list[float]:
        transport, client = await scene.connect()
        for _ in range(2):
            transport.write(ask(0.0, 0.1))
            await asyncio.sleep(0.5)
        return [at_s for at_s, _ in client.heard]

    assert run(play) == pytest.approx([0.14, 0.64])


def test_a_request_may_arrive_in_pieces() -> None:
    async def play(scene: Scene) -> list[float]:
        transport, client = await scene.connect()
        whole = ask(0.0, 0.0)
        for piece in (whole[:10], whole[10:-2], whole[-2:]):
            transport.write(piece)
            await asyncio.sleep(0.1)
        return [at_s for at_s, _ in client.heard]

    assert run(play) == pytest.approx([0.24])


def test_computing_requests_share_the_cores() -> None:
    async def play(scene: Scene) -> list[float]:
        pairs = [await scene.connect() for _ in range(2)]
        began_s = scene.loop.time() - START_S
        for transport, _ in pairs:
            transport.write(ask(0.1, 0.0))
        await asyncio.sleep(1.0)
        return [client.heard[0][0] - began_s for _, client in pairs]

    assert run(play, cores=1) == pytest.approx([0.22, 0.22])


def test_the_server_hangs_up_after_a_last_answer() -> None:
    async def play(scene: Scene) -> tuple[bytes, float | None]:
        transport, client = await scene.connect()
        transport.write(ask(0.0, 0.1, closes=True))
        await asyncio.sleep(1.0)
        return client.heard[0][1], client.lost_s

    answer, lost_s = run(play)
    assert b"Connection: close" in answer
    assert lost_s == pytest.approx(0.14)


def test_the_server_hangs_up_on_a_silent_connection() -> None:
    async def play(scene: Scene) -> float | None:
        transport, client = await scene.connect()
        transport.write(ask(0.0, 0.1))
        await asyncio.sleep(0.5)
        transport.write(ask(0.0, 0.1))
        await asyncio.sleep(10.0)
        return client.lost_s

    assert run(play, keep_alive_s=2.0) == pytest.approx(0.02 + 0.5 + 0.11 + 2.0 + 0.01)


def test_a_dropped_connection_answers_nothing_more() -> None:
    async def play(scene: Scene) -> tuple[int, float | None, int]:
        transport, client = await scene.connect()
        transport.write(ask(0.5, 0.1))
        await asyncio.sleep(0.1)
        scene.server.kill(7)
        await asyncio.sleep(1.0)
        return len(client.heard), client.lost_s, len(scene.server.live)

    answers, lost_s, live = run(play)
    assert (answers, live) == (0, 0)
    assert lost_s == pytest.approx(0.02 + 0.1 + LATENCY_S)


def test_a_client_that_leaves_while_its_handshake_is_answered_is_not_served() -> None:
    async def play(scene: Scene) -> tuple[int, int]:
        connecting = asyncio.ensure_future(scene.connect())
        await asyncio.sleep(0.02)
        connecting.cancel()
        await asyncio.sleep(1.0)
        return len(scene.server.live), len(scene.network.wires)

    assert run(play, connect_s=0.5) == (0, 1)


def test_an_address_tells_its_pool_and_a_url_the_time_to_take() -> None:
    assert pool_of(address_of(3, 5)) == 3
    assert url_of(2, Use(0.25, 0.5, 0.125, host=1)) == "http://10.2.0.2:80/0.125/0.75"
