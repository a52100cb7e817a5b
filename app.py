"""Poolwise as a web application: the page, Plotly's script, and what every answer must carry.

Start it with `streamlit run app.py`, which finds `app` in here, or `./dev run`.
"""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.plot.script import plotly_script
from ui.warm import warm_up


def inline_script_hashes() -> str:
    """Allow the scripts that Streamlit's own page holds, by their content and no others."""
    shell = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    digests = (
        hashlib.sha256(script.encode()).digest()
        for script in re.findall(r"<script>(.*?)</script>", shell, flags=re.DOTALL)
    )
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


PAGE = Path(__file__).parent / "ui" / "page.py"
POLICY = {
    "default-src": "'self'",
    "script-src": f"'self' {inline_script_hashes()}",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "frame-ancestors": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "object-src": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """Adds the security headers to every HTTP answer."""

    def __init__(self, inner: ASGIApp) -> None:
        """Wrap an application."""
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers added to the start of the answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._inner(scope, receive, send_with_headers)


async def plotly(_request: Request) -> Response:
    """Serve Plotly's script; its name changes with its content, so it may be kept for ever."""
    return Response(
        plotly_script().gzipped,
        media_type="text/javascript",
        headers={
            "Content-Encoding": "gzip",
            "Cache-Control": "public, max-age=31536000, immutable",
        },
    )


@asynccontextmanager
async def ready(_app: st.App) -> AsyncIterator[None]:
    """Be warm before the first visitor."""
    warm_up()
    yield


app = st.App(
    PAGE,
    lifespan=ready,
    routes=[Route(plotly_script().path, plotly)],
    middleware=[Middleware(SecurityHeaders)],
)
