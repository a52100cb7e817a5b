"""A PostgreSQL in memory that real drivers cannot tell from one, as far as pools go.

It speaks the wire protocol: SSLRequest (declined), startup, trust or SCRAM-SHA-256, simple
and extended queries, CancelRequest, Terminate. It has a limit of connections, a cost to open
one, cores that computing queries share, and an operator who drops connections. What it
answers to is a short list of statements: those that drivers send of their own accord, and
`work(compute_s, work_s)`, which takes that long on the shared cores and beside them.
"""

import asyncio
import re
import struct
from dataclasses import dataclass

from pools.twin import pgwire
from pools.twin.network import Network, Transport, Wire
from pools.twin.timers import Timers
from sim.capacity import Capacity
from sim.script import GRAIN_S, Costs
from sim.stations import Cores, Slots

VERSION = "18.6"
USER, PASSWORD = "twin", "twin"
HOST, PORT = "postgres.twin", 5432
_PARAMETERS = {
    "server_version": VERSION,
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "integer_datetimes": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "in_hot_standby": "off",
}
_ANSWERS = {
    "select pg_catalog.version()": f"PostgreSQL {VERSION} on a virtual machine",
    "select current_schema()": "public",
    "show standard_conforming_strings": "on",
    "show transaction isolation level": "read committed",
}
_WORK = re.compile(r"select work\((?P<arguments>[^)]*)\)")
_FLOAT8_OID = 701
_KILLED = "terminating connection due to administrator command"
_NO_SLOT = "remaining connection slots are reserved for roles with the SUPERUSER attribute"


class PostgresServer:
    """The server as a whole: who is connected, and what they share."""

    def __init__(
        self, network: Network, costs: Costs, *, scram: bool = True, iterations: int = 1
    ) -> None:
        """Serve with these costs. SCRAM takes no virtual time, so one iteration will do."""
        self.loop = network.loop
        self.costs = costs
        self.scram = scram
        self.iterations = iterations
        self.slots = Slots(costs.slots)
        self.cores = Cores(Timers(self.loop), Capacity(costs.cores), Backend.computed, GRAIN_S)
        self.live: list[Backend] = []
        self._backends: dict[int, Backend] = {}
        self._opened = 0

    def accept(self, wire: Wire) -> "Backend":
        """Start a backend for a new connection; the port tells which pool it is for."""
        wire.facts["pool"] = wire.port - PORT
        number = len(self._backends) + 1
        backend = self._backends[number] = Backend(self, wire, number)
        return backend

    def wire_of(self, number: int) -> Wire:
        """Return the connection that a backend serves, by the backend's process number."""
        return self._backends[number].wire

    def kill(self, which: int) -> None:
        """Drop the `which`-th oldest live connection, modulo how many there are."""
        if self.live:
            self.live[which % len(self.live)].terminated()

    def cancel(self, number: int) -> None:
        """Cancel what a backend is running."""
        if number in self._backends:
            self._backends[number].cancelled()

    def next_open_s(self) -> float:
        """Return what the next connection costs to open."""
        jitter = self.costs.connect_jitter_s
        self._opened += 1
        return self.costs.connect_s + jitter[(self._opened - 1) % len(jitter)]


@dataclass(slots=True)
class _Statement:
    sql: str
    parameters: tuple[int, ...]


class Backend(asyncio.Protocol):
    """The server's end of one connection."""

    transport: Transport

    def __init__(self, server: PostgresServer, wire: Wire, number: int) -> None:
        """Serve one connection under that process number."""
        self.server = server
        self.wire = wire
        self.number = number
        self._reader = pgwire.Reader()
        self._scram: pgwire.Scram | None = None
        self._statements: dict[str, _Statement] = {}
        self._running: _Work | None = None
        self._opening: asyncio.TimerHandle | None = None
        self._has_slot = False
        self._client_left = False
        self._status = b"I"
        self._parameters: list[bytes] = []
        self._portal: _Statement | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first message."""
        assert isinstance(transport, Transport)  # noqa: S101  narrows the type
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is complete, unless a query is running: then afterwards."""
        self._reader.data += data
        self._read()

    def eof_received(self) -> bool:
        """Leave, once nothing is running any more."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the slot back, once nothing is running any more."""
        self._client_left = True
        if self._running is None:
            self._end()

    def terminated(self) -> None:
        """Be dropped by an administrator."""
        if self._running is not None:
            self._running.stop()
            self._running = None
        self._send(pgwire.error("FATAL", "57P01", _KILLED))
        self._end()
        self.transport.close()

    def cancelled(self) -> None:
        """Stop the running query, if any, with an error."""
        if self._running is not None:
            self._running.stop()
            self._running = None
            text = "canceling statement due to user request"
            self._status = b"E" if self._status == b"T" else self._status
            self._send(pgwire.error("ERROR", "57014", text), pgwire.ready(self._status))
            self._go_on()

    def computed(self) -> None:
        """Go on after the cores are done with this backend's query."""
        if self._running is not None:
            self._running.computed()

    def worked(self) -> None:
        """Answer the query that was running."""
        assert self._running is not None  # noqa: S101  narrows the type
        answer, self._running = self._running.answer, None
        self._send(answer)
        self._go_on()

    def _go_on(self) -> None:
        if self._client_left:
            self._end()
        else:
            self._read()

    def _end(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._has_slot:
            self._has_slot = False
            self.server.slots.give_back()
            self.server.live.remove(self)

    def _send(self, *messages: bytes) -> None:
        self.transport.write(b"".join(messages))

    @property
    def _listens(self) -> bool:
        return self._running is None and not self.transport.is_closing()

    def _read(self) -> None:
        messages = self._reader.messages()
        while self._listens:
            kind, body = next(messages, (None, b""))
            if kind is None:
                return
            if self._reader.started:
                self._handle(kind, body)
            else:
                self._begin(body)

    def _begin(self, body: bytes) -> None:
        (code,) = struct.unpack_from("!I", body)
        if code == pgwire.SSL_REQUEST:
            self._send(b"N")
        elif code == pgwire.CANCEL_REQUEST:
            self.wire.carries_requests = False
            self.server.cancel(struct.unpack_from("!I", body, 4)[0])
            self.transport.close()
        else:
            self._reader.started = True
            if self.server.scram:
                self._scram = pgwire.Scram(PASSWORD, self.server.iterations, f"twin{self.number}")
                self._send(pgwire.authentication(10, b"SCRAM-SHA-256\0\0"))
            else:
                self._open()

    def _handle(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"p":
                self._authenticate(body)
            case b"Q":
                self._run(body.rstrip(b"\0").decode(), (), simple=True)
            case b"P":
                name, sql, _ = pgwire.split_strings(body)
                self._parse(name, sql)
            case b"D":
                self._describe(body[1:].rstrip(b"\0").decode())
            case b"B":
                _, name, rest = pgwire.split_strings(body)
                self._portal = self._statements[name]
                self._parameters = pgwire.bound_values(rest)
                self._send(pgwire.message(b"2"))
            case b"E":
                assert self._portal is not None  # noqa: S101  Bind comes first
                self._run(self._portal.sql, tuple(self._parameters), simple=False)
            case b"C":
                self._statements.pop(body[1:].rstrip(b"\0").decode(), None)
                self._send(pgwire.message(b"3"))
            case b"S":
                self._send(pgwire.ready(self._status))
            case b"H":
                pass
            case b"X":
                self._end()
                self.transport.close()
            case _:
                raise ValueError(f"message must be one this server knows, got {kind!r}")

    def _authenticate(self, body: bytes) -> None:
        assert self._scram is not None  # noqa: S101  narrows the type
        if body.startswith(b"SCRAM"):
            self._send(pgwire.authentication(11, self._scram.challenge(body)))
            return
        final = self._scram.verify(body)
        if final is None:
            self._send(pgwire.error("FATAL", "28P01", "password authentication failed"))
            self.transport.close()
        else:
            self._open(pgwire.authentication(12, final))

    def _open(self, before: bytes = b"") -> None:
        at_s = self.server.loop.time() + self.server.next_open_s()
        self._opening = self.server.loop.call_at(at_s, self._admit, before)

    def _admit(self, before: bytes) -> None:
        if not self.server.slots.take():
            refusal = pgwire.error("FATAL", "53300", _NO_SLOT)
            self._send(before, pgwire.authentication(0), refusal)
            self.transport.close()
            return
        self._has_slot = True
        self.server.live.append(self)
        self.wire.opened_s = self.server.loop.time() + self.server.costs.latency_s
        self._send(
            before,
            pgwire.authentication(0),
            pgwire.parameters(_PARAMETERS),
            pgwire.message(b"K", struct.pack("!II", self.number, self.number)),
            pgwire.ready(b"I"),
        )

    def _parse(self, name: str, sql: str) -> None:
        parameters = tuple(_FLOAT8_OID for _ in re.findall(r"\$\d+", sql))
        self._statements[name] = _Statement(sql, parameters)
        self._send(pgwire.message(b"1"))

    def _describe(self, name: str) -> None:
        statement = self._statements[name]
        returns = _has_rows(statement.sql)
        self._send(
            pgwire.parameter_description(statement.parameters),
            pgwire.row_description("answer") if returns else pgwire.message(b"n"),
        )

    def _run(self, sql: str, parameters: tuple[bytes, ...], *, simple: bool) -> None:
        answer = _answer(sql, simple=simple)
        found = _WORK.match(sql.lower())
        self._status = _status_after(sql, self._status)
        if simple:
            answer += pgwire.ready(self._status)
        if found is None:
            self._send(answer)
            return
        if parameters:
            compute_s, work_s = (struct.unpack("!d", value)[0] for value in parameters)
        else:
            compute_s, work_s = map(float, found["arguments"].split(","))
        self._running = _Work(self, compute_s, work_s, answer)
        self._running.start()


class _Work:
    """A query that takes time: first on the shared cores, then beside them."""

    def __init__(self, backend: Backend, compute_s: float, work_s: float, answer: bytes) -> None:
        self._backend = backend
        self._compute_s = compute_s
        self._work_s = work_s
        self._timer: asyncio.TimerHandle | None = None
        self.answer = answer

    def start(self) -> None:
        server = self._backend.server
        if self._compute_s:
            server.cores.enter(self._backend, self._compute_s, server.loop.time())
        else:
            self.computed()

    def computed(self) -> None:
        loop = self._backend.server.loop
        self._timer = loop.call_at(loop.time() + self._work_s, self._backend.worked)

    def stop(self) -> None:
        server = self._backend.server
        if self._timer is not None:
            self._timer.cancel()
        else:
            server.cores.drop(self._backend, server.loop.time())


def _answer(sql: str, *, simple: bool) -> bytes:
    """Return the rows and the end of an answer. In a simple query they come with a header."""
    lowered = sql.strip().lower()
    if lowered.strip("; ") == "":
        return pgwire.message(b"I")
    value = "done" if _WORK.match(lowered) else _ANSWERS.get(lowered)
    if value is None:
        return pgwire.complete(lowered.split(None, 1)[0].strip(";").upper())
    header = pgwire.row_description("answer") if simple else b""
    return header + pgwire.data_row(value) + pgwire.complete("SELECT 1")


def _has_rows(sql: str) -> bool:
    lowered = sql.strip().lower()
    return lowered in _ANSWERS or _WORK.match(lowered) is not None


def _status_after(sql: str, before: bytes) -> bytes:
    verb = sql.strip().lower().split(None, 1)
    if not verb:
        return before
    match verb[0].strip(";"):
        case "begin" | "start":
            return b"T"
        case "commit" | "rollback" | "end":
            return b"I"
        case _:
            return before
