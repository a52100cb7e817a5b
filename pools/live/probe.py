"""What answers on a port, when a login failed before PostgreSQL could say anything.

One question, PostgreSQL's SSLRequest, which every PostgreSQL since 7.1 answers with one letter
(protocol chapter "Message Formats"): a web server, a silent one and one that hangs up differ.
"""

import asyncio
import struct
from collections.abc import Mapping

from pools.live.failures import words
from pools.live.failures.words import Words

SSL_REQUEST = struct.pack("!II", 8, 80_877_103)
PROBE_S = 1.0
POSTGRES = frozenset({b"S", b"N", b"E"})
UNCERTAIN = frozenset(
    row.code for row in (words.NO_ANSWER, words.NO_TLS, words.CLOSED_AT_ONCE, words.LOGIN_METHOD)
)
FOUND: Mapping[str, Words] = {"other": words.NOT_POSTGRES, "silent": words.SILENT}


async def tell_apart(code: str, host: str, port: int) -> Words | None:
    """Return the row that says more than `code` does, or None.

    Opens one connection more, for at most 2 s, and only if the code leaves open what answers.
    """
    return FOUND.get(await what_answers(host, port)) if code in UNCERTAIN else None


async def what_answers(host: str, port: int) -> str:
    """Return postgres, other (something that answers), silent, closed or unreachable."""
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(host, port, limit=1024)
    except (OSError, TimeoutError):
        return "unreachable"
    try:
        writer.write(SSL_REQUEST)
        async with asyncio.timeout(PROBE_S):
            letter = await reader.read(1)
    except TimeoutError:
        return "silent"
    except OSError:
        return "closed"
    finally:
        writer.transport.abort()
    if not letter:
        return "closed"
    return "postgres" if letter in POSTGRES else "other"
