"""Nothing leaves a check but to its target, however an address is spelt, whoever connects."""

import asyncio
import contextlib
import errno
import socket
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import httpx
import psycopg
import pytest
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from pools.live.client import Target
from pools.live.client_psycopg import Ticket, connect_psycopg
from pools.live.clock import precise_loop
from pools.live.guard import Door, Forbidden, GuardedLoop, TooManySockets, only
from pools.live.policy import Policy, policy_of
from pools.live.reading import Form, InvalidTarget, postgres_from_form
from pools.live.secret import Secret

pytestmark = pytest.mark.server
Client = Callable[[str, int], Awaitable[Any]]
TIMEOUT_S = 3.0
# All of these lead, or might lead, to this machine: the victim listens on each of its addresses.
LOOPBACK = [
    *("127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "127.0.0.1.", "127.2", "127.0.2"),
    *("0.0.0.0", "0", "localhost", "LOCALHOST", "localhost.", "ip6-localhost", "2130706433"),
    *("2130706434", "0x7f000001", "0x7f000002", "0x7F.0.0.1", "0x7f.1", "0177.0.0.1"),
    *("017700000001", "0177.1", "127.0.0.01", "127.0.0.0x1", "00000177.0.0.1", "::1", "::"),
    *("::ffff:127.0.0.1", "::ffff:127.0.0.2", "::ffff:7f00:1", "::ffff:0.0.0.0", "::127.0.0.1"),
    *("0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "::1%lo", "::1%1"),
    *(
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::1",
        "127。0。0。1",
        "\uff11\uff12\uff17.0.0.1",
    ),
    *("127.0.0.1\u200b", "%31%32%37.0.0.1", "localhost%00.example.org", "127.0.0.1,127.0.0.2"),
]
# What is never allowed, even where everything else is.
NEVER = [
    *("169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518"),
    *("::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1%lo", "100.100.100.200", "0.0.0.0"),
    *("224.0.0.1", "255.255.255.255", "168.63.129.16", "64:ff9b::a9fe:a9fe", "ff02::1"),
]


@dataclass
class Listener:
    """Counts who connects: on all addresses of this machine, or on one, or on a path."""

    sockets: list[socket.socket]
    answer: bytes = b""
    connects: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for one in self.sockets:
            threading.Thread(target=self._accept, args=(one,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.sockets[0].getsockname()[1])

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with self._lock:
                    self.connects += 1
                with contextlib.closing(sock), contextlib.suppress(OSError):
                    if self.answer:
                        sock.recv(4096)
                        sock.sendall(self.answer)

    def reached_after(self, before: int, patience_s: float = 5.0) -> bool:
        """Whether there are more connects now; they are counted a moment after they are made."""
        until = time.monotonic() + patience_s
        while self.connects == before and time.monotonic() < until:
            time.sleep(0.005)
        return self.connects > before

    def close(self) -> None:
        for one in self.sockets:
            one.close()


@pytest.fixture
def victim() -> Iterator[Listener]:
    """Listen where no check may go."""
    made = Listener([socket.create_server(("0.0.0.0", 0), backlog=64)])
    with contextlib.suppress(OSError):
        six = socket.create_server(("::", made.port), family=socket.AF_INET6, backlog=64)
        made.sockets.append(six)
        threading.Thread(target=made._accept, args=(six,), daemon=True).start()
    yield made
    made.close()


@pytest.fixture
def target(victim: Listener) -> Iterator[Listener]:
    """Listen where the check may go, and send HTTP clients on to the victim."""
    redirect = f"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:{victim.port}/\r\n\r\n".encode()
    made = Listener([socket.create_server(("127.0.0.1", 0), backlog=64)], redirect)
    yield made
    made.close()


async def by_asyncpg(host: str, port: int) -> None:
    await asyncpg.connect(host=host, port=port, user="u", database="d", timeout=TIMEOUT_S)


async def by_asyncpg_dsn(host: str, port: int) -> None:
    dsn = f"postgresql://u:p@127.0.0.1:1,{host}:{port}/d?sslmode=disable"
    await asyncpg.connect(dsn, timeout=TIMEOUT_S)


async def by_sqlalchemy(host: str, port: int) -> None:
    url = URL.create("postgresql+asyncpg", "u", "p", None, None, "d", {"host": host})
    engine = create_async_engine(url, connect_args={"port": port, "timeout": TIMEOUT_S})
    async with engine.connect():
        pass


async def by_aiohttp(host: str, port: int) -> None:
    place = f"[{host}]" if ":" in host else host
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"http://{place}:{port}/"),
    ):
        pass


async def by_loop(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()


async def by_httpx(host: str, port: int) -> None:
    place = f"[{host}]" if ":" in host else host
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as client:
        await client.get(f"http://{place}:{port}/", follow_redirects=True)


async def by_psycopg(host: str, port: int) -> None:
    """Connect as a check does: libpq's own sockets never ask the loop."""
    where = Target(host, port, "u", Secret("p"), "d")
    (await connect_psycopg(where, timeout_s=TIMEOUT_S)).terminate()


async def by_psycopg_alone(host: str, port: int) -> None:
    await psycopg.AsyncConnection.connect(host=host, port=port, connect_timeout=2)


CLIENTS = [
    by_asyncpg,
    by_asyncpg_dsn,
    by_sqlalchemy,
    by_psycopg,
    by_aiohttp,
    by_httpx,
    by_loop,
]


def tried(door: Door | None, *calls: Callable[[], Awaitable[Any]]) -> list[BaseException | None]:
    """Make each call on a loop with a door; return what it raised."""

    async def one(call: Callable[[], Awaitable[Any]]) -> BaseException | None:
        try:
            await asyncio.wait_for(call(), 2 * TIMEOUT_S)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
            return error
        return None

    async def all_of_them() -> list[BaseException | None]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, GuardedLoop)
        loop.door = door
        return list(await asyncio.gather(*(one(call) for call in calls)))

    with asyncio.Runner(loop_factory=lambda: precise_loop(GuardedLoop)) as runner:
        return runner.run(all_of_them())


def allowing(target: Listener, most: int = 500) -> Door:
    policy = policy_of({"POOLWISE_POLICY": "shared", "POOLWISE_ALLOW": f"127.0.0.1:{target.port}"})
    return Door(only(policy, "127.0.0.1", target.port), most)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_no_spelling_of_an_address_leads_elsewhere(
    client: Client, victim: Listener, target: Listener
) -> None:
    assert len(LOOPBACK) >= 40
    raised = tried(
        allowing(target), *(lambda host=host: client(host, victim.port) for host in LOOPBACK)
    )
    assert all(error is not None for error in raised)
    assert victim.connects == 0


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_addresses_that_are_never_allowed_are_refused_also_where_all_else_is(
    client: Client,
) -> None:
    for host in NEVER:
        door = Door(only(Policy(), host, 80), 10)
        (raised,) = tried(door, lambda host=host: client(host, 80))
        assert raised is not None, host
        assert door.peak == 0, host


def test_the_target_itself_is_reached_and_a_redirect_from_it_is_not_followed_elsewhere(
    victim: Listener, target: Listener
) -> None:
    (raised,) = tried(allowing(target), lambda: by_aiohttp("127.0.0.1", target.port))
    assert target.connects == 1
    assert isinstance(raised, aiohttp.ClientConnectorError)
    assert isinstance(raised.os_error, Forbidden)
    assert victim.connects == 0


def test_without_the_guard_the_victim_would_be_reached(victim: Listener) -> None:
    unguarded = {by_psycopg: by_psycopg_alone}
    for client in (unguarded.get(one, one) for one in CLIENTS):
        before = victim.connects
        with contextlib.suppress(Exception):
            asyncio.run(client("127.0.0.2", victim.port))
        assert victim.reached_after(before), client.__name__


def test_a_socket_in_the_file_system_is_no_way_out(target: Listener) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f".s.PGSQL.{target.port}"
        made = Listener([socket.socket(socket.AF_UNIX)])
        made.sockets[0].bind(str(path))
        made.sockets[0].listen(8)
        raised = tried(
            allowing(target),
            lambda: by_asyncpg(folder, target.port),
            lambda: by_sqlalchemy(folder, target.port),
            lambda: by_psycopg(folder, target.port),
            lambda: asyncio.open_unix_connection(str(path)),
        )
        made.close()
    assert all(isinstance(error, PermissionError) for error in raised)
    assert made.connects == 0


def test_a_name_that_changes_its_answer_gains_nothing(victim: Listener, target: Listener) -> None:
    answers = iter(["127.0.0.1", *["127.0.0.2"] * 50])

    class Rebinding(GuardedLoop):
        async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, GuardedLoop)
        policy = policy_of(
            {"POOLWISE_POLICY": "shared", "POOLWISE_ALLOW": f"127.0.0.1/32:{victim.port}"}
        )
        loop.door = Door(only(policy, "db.example.org", victim.port), 100)
        assert next(answers) == "127.0.0.1"  # what a check before the connect would have seen
        for client in CLIENTS:
            refused = (OSError, aiohttp.ClientError, httpx.HTTPError, asyncpg.PostgresError)
            with pytest.raises(refused):
                await client("db.example.org", victim.port)
        assert loop.door.forbidden >= len(CLIENTS) - 1

    with asyncio.Runner(loop_factory=lambda: precise_loop(Rebinding)) as runner:
        runner.run(run())
    assert victim.connects == 0


def test_a_loop_without_a_door_connects_nowhere(victim: Listener) -> None:
    (raised,) = tried(None, lambda: by_loop("127.0.0.1", victim.port))
    assert isinstance(raised, Forbidden)
    assert victim.connects == 0


def test_sockets_are_capped_and_a_closed_one_makes_room(target: Listener) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, GuardedLoop)
        door = loop.door = allowing(target, most=2)
        made = [await asyncio.open_connection("127.0.0.1", target.port) for _ in range(2)]
        with pytest.raises(TooManySockets):
            await asyncio.open_connection("127.0.0.1", target.port)
        made[0][1].close()
        await made[0][1].wait_closed()
        made.append(await asyncio.open_connection("127.0.0.1", target.port))
        for _, writer in made:
            writer.close()
        assert door.peak == 2

    with asyncio.Runner(loop_factory=lambda: precise_loop(GuardedLoop)) as runner:
        runner.run(run())


def test_sockets_of_libpq_are_counted_and_capped_too(target: Listener) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, GuardedLoop)
        door = loop.door = allowing(target, most=1)
        other = Ticket(socket.AF_INET)
        door.let_out(other, ("127.0.0.1", target.port))
        with pytest.raises(TooManySockets):
            await by_psycopg("127.0.0.1", target.port)
        other.close()
        with pytest.raises(psycopg.OperationalError):
            await by_psycopg("127.0.0.1", target.port)
        assert (door.peak, door.open_now) == (1, 0)
        assert target.connects == 1

    with asyncio.Runner(loop_factory=lambda: precise_loop(GuardedLoop)) as runner:
        runner.run(run())


def test_connects_are_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[float]:
        loop, began = asyncio.get_running_loop(), []
        door = Door(most=1, connects_per_s=10)

        async def one() -> None:
            await door.turn()
            began.append(loop.time())

        await asyncio.gather(*(one() for _ in range(25)))
        return began

    began = asyncio.run(run())
    assert all(later - earlier >= 0.99 for earlier, later in zip(began, began[10:], strict=False))


def test_refusals_all_read_alike() -> None:
    assert str(Forbidden()) == "a check may not connect there"
    assert Forbidden().errno is None
    assert errno.EACCES not in Forbidden().args


@pytest.mark.parametrize("host", [*LOOPBACK, *NEVER])
def test_odd_spellings_are_not_even_read(host: str) -> None:
    plain = {"127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "0.0.0.0", "localhost"}
    plain |= {"LOCALHOST", "localhost.", "ip6-localhost", "169.254.169.254", "100.100.100.200"}
    plain |= {"224.0.0.1", "255.255.255.255", "168.63.129.16"}
    six = ":" in host and "%" not in host
    if host in plain or six:
        assert postgres_from_form(Form(host, "u", "d")).host == host
    else:
        with pytest.raises(InvalidTarget, match="host must"):
            postgres_from_form(Form(host, "u", "d"))
