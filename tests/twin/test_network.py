"""The network in memory: handshakes, latency, order, ends of connections."""

import asyncio
import math

import pytest

from pools.twin.clock import VirtualLoop, run
from pools.twin.network import Network, Transport

LATENCY_S = 0.25
START_S = 1000.0


class Recorder(asyncio.Protocol):
    """Writes down what happens to it and when, since the start."""

    def __init__(self, loop: VirtualLoop, *, echoes: bool = False) -> None:
        self.loop = loop
        self.echoes = echoes
        self.seen: list[tuple[float, object]] = []
        self.transport: asyncio.Transport | None = None

    def note(self, what: object) -> None:
        self.seen.append((self.loop.time() - START_S, what))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Transport)
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.note(data)
        if self.echoes:
            assert self.transport is not None
            self.transport.write(data.upper())

    def eof_received(self) -> None:
        self.note("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.note("lost" if exc is None else type(exc).__name__)


async def connected(loop: VirtualLoop) -> tuple[Recorder, Recorder]:
    """Connect a client to an echoing server; return both ends."""
    loop.network = Network(loop, LATENCY_S)
    server = Recorder(loop, echoes=True)
    loop.network.listen("there", 7, lambda _: server)
    _, client = await loop.create_connection(lambda: Recorder(loop), "there", 7)
    return client, server


def test_a_handshake_takes_a_round_trip_and_a_message_one_latency() -> None:
    async def main(loop: VirtualLoop) -> tuple[Recorder, Recorder]:
        client, server = await connected(loop)
        assert client.transport is not None
        client.transport.write(b"a")
        client.transport.write(memoryview(b"b"))
        await asyncio.sleep(10.0)
        return client, server

    client, server = run(main, START_S)
    assert server.seen == [(0.25, "made"), (0.75, b"a"), (0.75, b"b")]
    assert client.seen == [(0.5, "made"), (1.0, b"A"), (1.0, b"B")]


def test_a_close_reaches_the_other_end_after_what_was_sent_before() -> None:
    async def main(loop: VirtualLoop) -> tuple[Recorder, Recorder]:
        client, server = await connected(loop)
        assert client.transport is not None
        client.transport.write(b"last")
        client.transport.close()
        client.transport.write(b"too late")
        await asyncio.sleep(10.0)
        return client, server

    client, server = run(main, START_S)
    assert client.seen == [(0.5, "made"), (0.5, "lost")]
    assert server.seen == [(0.25, "made"), (0.75, b"last"), (0.75, "eof"), (0.75, "lost")]


def test_an_abort_resets_the_other_end() -> None:
    async def main(loop: VirtualLoop) -> Recorder:
        client, server = await connected(loop)
        assert client.transport is not None
        client.transport.abort()
        await asyncio.sleep(10.0)
        return server

    assert run(main, START_S).seen[-1] == (0.75, "ConnectionResetError")


def test_nobody_listening_refuses_after_a_round_trip() -> None:
    async def main(loop: VirtualLoop) -> float:
        loop.network = Network(loop, LATENCY_S)
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(lambda: Recorder(loop), "nowhere", 7)
        return loop.time() - START_S

    assert run(main, START_S) == 2.0 * LATENCY_S


@pytest.mark.parametrize(
    ("after_s", "error", "fails_s"),
    [(0.0, ConnectionRefusedError, 0.5), (0.1, ConnectionRefusedError, 0.5), (3.0, OSError, 3.0)],
)
def test_an_outage_refuses_at_once_or_fails_later(
    after_s: float, error: type[OSError], fails_s: float
) -> None:
    """A connect that does not get through is no TimeoutError: that is the libraries' own."""

    async def main(loop: VirtualLoop) -> tuple[float, BaseException]:
        loop.network = Network(loop, LATENCY_S, lambda _: after_s)
        loop.network.listen("there", 7, lambda _: Recorder(loop))
        with pytest.raises(error) as caught:
            await loop.create_connection(lambda: Recorder(loop), "there", 7)
        return loop.time() - START_S, caught.value

    failed_s, raised = run(main, START_S)
    assert failed_s == fails_s
    assert type(raised) is error
    assert not isinstance(raised, TimeoutError)


def test_a_connect_that_is_given_up_resets_the_server_s_end() -> None:
    async def main(loop: VirtualLoop) -> tuple[list[tuple[float, object]], float]:
        loop.network = Network(loop, LATENCY_S)
        server = Recorder(loop)
        loop.network.listen("there", 7, lambda _: server)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(
                loop.create_connection(lambda: Recorder(loop), "there", 7), 0.375
            )
        await asyncio.sleep(10.0)
        return server.seen, loop.network.wires[0].closed_s - START_S

    seen, closed_s = run(main, START_S)
    assert seen == [(0.25, "made"), (0.625, "ConnectionResetError")]
    assert closed_s == 0.375


def test_reading_can_be_paused() -> None:
    async def main(loop: VirtualLoop) -> Recorder:
        client, _ = await connected(loop)
        assert client.transport is not None
        client.transport.pause_reading()
        client.transport.write(b"a")
        await asyncio.sleep(5.0)
        client.transport.resume_reading()
        await asyncio.sleep(5.0)
        return client

    assert run(main, START_S).seen == [(0.5, "made"), (5.5, b"A")]


def test_wires_tell_when_each_connect_began_and_ended() -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, float]]:
        client, _ = await connected(loop)
        await asyncio.sleep(1.5)
        await loop.create_connection(lambda: Recorder(loop), "there", 7)
        assert client.transport is not None
        client.transport.close()
        await asyncio.sleep(1.0)
        return [(one.opening_s - START_S, one.closed_s - START_S) for one in loop.network.wires]

    (first, second) = run(main, START_S)
    assert first == (0.0, 2.5)
    assert second[0] == 2.0
    assert math.isnan(second[1])
