"""PostgreSQL's wire protocol, version 3, as far as the twin's server speaks it.

Source: PostgreSQL 18, chapter 54 (Frontend/Backend Protocol): 54.7 Message Formats.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

SSL_REQUEST = 80877103
CANCEL_REQUEST = 80877102
TEXT_OID = 25
_SALT = b"poolwise-salt-16"


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Return one message: its type, its length, its body."""
    return kind + struct.pack("!I", len(body) + 4) + body


def string(text: str) -> bytes:
    """Return a string as messages carry it."""
    return text.encode() + b"\0"


def error(severity: str, code: str, text: str) -> bytes:
    """Return an ErrorResponse."""
    fields = b"".join(
        letter + string(value)
        for letter, value in ((b"S", severity), (b"V", severity), (b"C", code), (b"M", text))
    )
    return message(b"E", fields + b"\0")


def ready(status: bytes) -> bytes:
    """Return ReadyForQuery: idle (I), in a transaction (T), in a failed one (E)."""
    return message(b"Z", status)


def authentication(code: int, data: bytes = b"") -> bytes:
    """Return an authentication request, or AuthenticationOk (0)."""
    return message(b"R", struct.pack("!I", code) + data)


def parameters(values: Mapping[str, str]) -> bytes:
    """Return a ParameterStatus for each value."""
    return b"".join(message(b"S", string(name) + string(value)) for name, value in values.items())


def row_description(column: str) -> bytes:
    """Return the RowDescription of one column of text."""
    described = string(column) + struct.pack("!IhIhih", 0, 0, TEXT_OID, -1, -1, 0)
    return message(b"T", struct.pack("!h", 1) + described)


def parameter_description(oids: Sequence[int]) -> bytes:
    """Return the types of a statement's parameters."""
    return message(b"t", struct.pack(f"!h{len(oids)}I", len(oids), *oids))


def data_row(value: str) -> bytes:
    """Return a row of one column."""
    data = value.encode()
    return message(b"D", struct.pack("!hi", 1, len(data)) + data)


def complete(tag: str) -> bytes:
    """Return CommandComplete."""
    return message(b"C", string(tag))


@dataclass(slots=True)
class Reader:
    """What has arrived and is not read yet. The first message has no type."""

    data: bytes = b""
    started: bool = False

    def messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each complete message as its type (empty if it has none) and its body."""
        while True:
            head = 1 if self.started else 0
            if len(self.data) < head + 4:
                return
            (length,) = struct.unpack_from("!I", self.data, head)
            if len(self.data) < head + length:
                return
            kind, body = self.data[:head], self.data[head + 4 : head + length]
            self.data = self.data[head + length :]
            yield kind, body


def split_strings(body: bytes) -> tuple[str, str, bytes]:
    """Return the two strings that a body begins with, and what follows."""
    first, second, rest = body.split(b"\0", 2)
    return first.decode(), second.decode(), rest


def bound_values(rest: bytes) -> list[bytes]:
    """Return the parameters of a Bind, whose names are already read off."""
    (formats,) = struct.unpack_from("!h", rest, 0)
    at = 2 + 2 * formats
    (count,) = struct.unpack_from("!h", rest, at)
    at += 2
    values = []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", rest, at)
        values.append(rest[at + 4 : at + 4 + length])
        at += 4 + length
    return values


class Scram:
    """The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) for one login."""

    def __init__(self, password: str, iterations: int, nonce: str) -> None:
        """Expect that password; `nonce` is the server's part of the nonce."""
        self._password = password.encode()
        self._iterations = iterations
        self._nonce = nonce
        self._said = ""

    def challenge(self, body: bytes) -> bytes:
        """Answer the SASLInitialResponse with the server's first message."""
        mechanism, rest = body.split(b"\0", 1)
        if mechanism != b"SCRAM-SHA-256":
            raise ValueError(f"mechanism must be SCRAM-SHA-256, got {mechanism!r}")
        bare = rest[4:].decode().split(",", 2)[2]
        client_nonce = dict(part.split("=", 1) for part in bare.split(","))["r"]
        salt = base64.b64encode(_SALT).decode()
        first = f"r={client_nonce}{self._nonce},s={salt},i={self._iterations}"
        self._said = f"{bare},{first}"
        return first.encode()

    def verify(self, body: bytes) -> bytes | None:
        """Return the server's final message, or None if the proof is wrong."""
        without_proof, proof = body.decode().rsplit(",p=", 1)
        salted = hashlib.pbkdf2_hmac("sha256", self._password, _SALT, self._iterations)
        client_key = _hmac(salted, b"Client Key")
        said = f"{self._said},{without_proof}".encode()
        signature = _hmac(hashlib.sha256(client_key).digest(), said)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(expected, base64.b64decode(proof)):
            return None
        verifier = _hmac(_hmac(salted, b"Server Key"), said)
        return b"v=" + base64.b64encode(verifier)


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()
