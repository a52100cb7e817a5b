"""What every answer of the application carries, whoever asks."""

import gzip
import hashlib
import re
import socket
import urllib.request
from email.message import Message
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

from ui.plot.script import plotly_script

PATHS = ("/", "/_stcore/health", "/_stcore/bidi-components/poolwise.plot/plot.js", "/no/such/page")


def fetched(address: str, **headers: str) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as refused:
        return refused.code, refused.headers, refused.read()


@pytest.mark.parametrize("path", [*PATHS, plotly_script().path])
def test_every_answer_carries_the_security_headers(base: str, path: str) -> None:
    _, headers, _ = fetched(base + path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    scripts = re.search(r"script-src ([^;]*)", policy)
    assert scripts is not None
    assert "unsafe" not in scripts[1]
    assert "blob:" not in scripts[1]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_plotly_is_served_compressed_for_ever_under_the_name_of_its_content(base: str) -> None:
    status, headers, body = fetched(base + plotly_script().path)
    content = gzip.decompress(body)
    assert status == 200
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert hashlib.sha256(content).hexdigest()[:12] in plotly_script().path
    assert b"plotly.js v" in content[:200]


@pytest.mark.parametrize(("host", "allowed"), [("evil.example", False), ("127.0.0.1", True)])
def test_only_this_machine_by_name_may_open_a_session(base: str, host: str, allowed: bool) -> None:
    """A page elsewhere that has its own name point here (DNS rebinding) gets nothing."""
    port = urlsplit(base).port or 0
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}:{port}",
        f"Origin: http://{host}:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: streamlit",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        status = connection.recv(64).split()[1]
    assert status == (b"101" if allowed else b"403")
