"""Servers that are not what they seem: each is one handler for the proxy.

Those for PostgreSQL read the startup message and answer something no PostgreSQL would; those
for HTTP read a request and answer against the rules.
"""

import asyncio
import gzip
import random
import struct
from asyncio import StreamReader, StreamWriter
from functools import cache

SSL_REQUEST, CANCEL_REQUEST = 80_877_103, 80_877_102
MIB = 1024**2
PIECE = b"x" * (MIB // 16)
HOSTILE = (
    "![x](http://evil.example/p.png) <script>alert(1)</script> \x1b[31m \u202egnp.exe"
    " :red[x] `code` {where} %s \x00"
)


async def silent(reader: StreamReader, _: StreamWriter) -> None:
    """Accept, read, never answer."""
    while await reader.read(65_536):
        pass


async def deaf(_: StreamReader, __: StreamWriter) -> None:
    """Accept, and do not even read."""
    await asyncio.sleep(3600)


async def closes(_: StreamReader, __: StreamWriter) -> None:
    """Accept and close."""


async def garbage(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer every piece with bytes that mean nothing."""
    rng = random.Random(7)
    while await reader.read(65_536):
        writer.write(rng.randbytes(256))


async def drips(reader: StreamReader, writer: StreamWriter) -> None:
    """Begin a proper answer and send one byte of it now and then."""
    await reader.read(65_536)
    for byte in struct.pack("!cII", b"R", 8, 0) * 64:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.8)


async def speaks_http(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer as a web server does to what it does not understand."""
    await reader.read(65_536)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()


async def announces_much(reader: StreamReader, writer: StreamWriter) -> None:
    """Announce an error message of 1 GiB and keep sending it."""
    await _startup(reader, writer)
    writer.write(struct.pack("!cI", b"E", 1024 * MIB))
    while True:
        writer.write(PIECE)
        await writer.drain()


async def sends_much(reader: StreamReader, writer: StreamWriter) -> None:
    """Send an error message of 48 MiB, complete: parsing it takes C code for seconds."""
    await _startup(reader, writer)
    head, end = b"SERROR\0C28P01\0M", b"\0\0"
    writer.write(struct.pack("!cI", b"E", 48 * MIB + len(head) + len(end) + 4) + head)
    for _ in range(48 * 16):  # in pieces: the loop has other trials to serve
        writer.write(PIECE)
        await writer.drain()
    writer.write(end)
    await writer.drain()


async def floods(reader: StreamReader, writer: StreamWriter) -> None:
    """Let the client in and send parameters without end."""
    await _startup(reader, writer)
    writer.write(_authentication(0))
    body = b"a\0" + b"b" * 1000 + b"\0"
    while True:
        writer.write((struct.pack("!cI", b"S", len(body) + 4) + body) * 64)
        await writer.drain()


async def unknown_login(reader: StreamReader, writer: StreamWriter) -> None:
    """Ask for a login method that does not exist."""
    await _startup(reader, writer)
    writer.write(_authentication(99))
    await silent(reader, writer)


async def wants_gssapi(reader: StreamReader, writer: StreamWriter) -> None:
    """Ask for GSSAPI."""
    await _startup(reader, writer)
    writer.write(_authentication(7))
    await silent(reader, writer)


async def wrong_nonce(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer SCRAM with a nonce that is not the client's."""
    await _startup(reader, writer)
    writer.write(_authentication(10, b"SCRAM-SHA-256\0\0"))
    await reader.read(65_536)
    writer.write(_authentication(11, b"r=somebodyelse,s=c2FsdHNhbHRzYWx0,i=4096"))
    await silent(reader, writer)


async def tells_the_password(reader: StreamReader, writer: StreamWriter) -> None:
    """Ask for the password in the clear and put it into an error, in several spellings."""
    await _startup(reader, writer)
    writer.write(_authentication(3))
    said = await reader.read(65_536)
    password = said[5:].rstrip(b"\0").decode()
    mixed = "\u200b".join(password)
    text = f"{HOSTILE} {password} postgresql://app:{password}@db/x {mixed} {password.encode()}"
    writer.write(_error("28P01", text))
    await writer.drain()


async def hostile_code(reader: StreamReader, writer: StreamWriter) -> None:
    """Send markup in place of a SQLSTATE."""
    await _startup(reader, writer)
    writer.write(_error("[x](http://evil.example)", HOSTILE))
    await writer.drain()


async def starting(reader: StreamReader, writer: StreamWriter) -> None:
    """Be a server that is not ready yet."""
    await _startup(reader, writer)
    writer.write(_error("57P03", "the database system is starting up"))
    await writer.drain()


async def http_garbage(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer a request with a status line that is none."""
    await reader.read(65_536)
    writer.write(b"\x00\xff not HTTP canary-of-the-target\r\n\r\n")
    await writer.drain()


async def http_long_header(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer with a header of 1 MiB."""
    await reader.read(65_536)
    writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * MIB + b"\r\n\r\n")
    await writer.drain()


async def http_dripping_header(reader: StreamReader, writer: StreamWriter) -> None:
    """Send the header one byte at a time."""
    await reader.read(65_536)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":
        writer.write(bytes([byte]))
        await asyncio.sleep(0.4)


async def http_continues(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer 100 Continue for ever."""
    await reader.read(65_536)
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def http_endless_body(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer with a body without end."""
    await reader.read(65_536)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


async def http_bomb(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer with a body that grows to 200 MiB when unpacked."""
    await reader.read(65_536)
    body = _bomb()
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def http_short_body(reader: StreamReader, writer: StreamWriter) -> None:
    """Announce 1000 bytes and send three."""
    await reader.read(65_536)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
    await writer.drain()


async def http_redirects(reader: StreamReader, writer: StreamWriter) -> None:
    """Send the client elsewhere."""
    await reader.read(65_536)
    head = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()


async def http_fails(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer every request with status 500."""
    while await reader.read(65_536):
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops")


@cache
def _bomb() -> bytes:
    """Pack 200 MiB of nothing, piece by piece: gzip files may follow one another."""
    return gzip.compress(b"\0" * MIB, 9) * 200


async def _startup(reader: StreamReader, writer: StreamWriter) -> None:
    """Read the startup message; decline TLS."""
    while True:
        size, code = struct.unpack("!II", await reader.readexactly(8))
        await reader.readexactly(size - 8)
        if code != SSL_REQUEST:
            return
        writer.write(b"N")


def _authentication(kind: int, more: bytes = b"") -> bytes:
    return struct.pack("!cII", b"R", 8 + len(more), kind) + more


def _error(state: str, text: str) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": state, "M": text.replace("\x00", " ")}
    body = b"".join(f"{name}{value}".encode() + b"\0" for name, value in fields.items()) + b"\0"
    return struct.pack("!cI", b"E", len(body) + 4) + body
