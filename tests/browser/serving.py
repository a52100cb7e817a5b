"""Starts the application and a browser the way tests and benchmarks need them."""

import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import LAUNCH_ARGUMENTS, chromium
from tests.live.processes import heed_interrupts

ROOT = Path(__file__).parents[2]
START_S_MAX = 60.0
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@dataclass(frozen=True, slots=True)
class Application:
    """A running application: its address, its process and what it has logged."""

    address: str
    pid: int
    log: Path

    def exceptions(self) -> str:
        """Return what was logged from the first traceback on; nothing if there is none."""
        _, found, rest = self.log.read_text(errors="replace").partition("Traceback")
        return found + rest


@contextmanager
def running_application() -> Iterator[Application]:
    """Start the application as a user would, wait until it answers, and stop it in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with (
            log.open("wb") as written,
            subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=written,
                stderr=written,
                preexec_fn=heed_interrupts,  # noqa: PLW1509  no other thread is about
            ) as server,
        ):
            try:
                _wait_until_healthy(server, f"http://127.0.0.1:{port}/_stcore/health")
                yield Application(f"http://127.0.0.1:{port}", server.pid, log)
            finally:
                server.terminate()
                server.wait(20)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start a Chromium that reaches this machine and no other."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=[*LAUNCH_ARGUMENTS, OFFLINE]
        )
        yield browser
        browser.close()


def _wait_until_healthy(server: "subprocess.Popen[bytes]", address: str) -> None:
    end = time.monotonic() + START_S_MAX
    while time.monotonic() < end:
        if server.poll() is not None:
            message = f"The application ended before it answered, with status {server.poll()}"
            raise RuntimeError(message)
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            time.sleep(0.1)
    message = f"The application did not answer within {START_S_MAX} s at {address}"
    raise RuntimeError(message)
