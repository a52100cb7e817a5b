"""Messages between a sweep and its processes: a length, then so many bytes."""

import struct
from typing import IO

_LENGTH = struct.Struct(">Q")


def send(pipe: IO[bytes] | None, payload: bytes) -> None:
    """Write one message. Raises OSError if nobody reads any more."""
    if pipe is None:
        raise BrokenPipeError
    pipe.write(_LENGTH.pack(len(payload)) + payload)
    pipe.flush()


def receive(pipe: IO[bytes] | None) -> bytes | None:
    """Read one message, or None if the other side is gone."""
    head = b"" if pipe is None else pipe.read(_LENGTH.size)
    if pipe is None or len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    payload = pipe.read(length)
    return payload if len(payload) == length else None
