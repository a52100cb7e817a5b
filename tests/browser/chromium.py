"""The Chromium that browser tests use: found, started once to be sure, or a clear failure.

Run as a script, print its path. `./dev test` does so, installs one if there is none, and hands
the path on in POOLWISE_CHROMIUM.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC_APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_START_S_MAX = 60.0

# As root, or without user namespaces, Chromium does not start inside its own sandbox. The tests
# load nothing but the page under test from this machine.
LAUNCH_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


class NoChromium(Exception):
    """No Chromium that starts; the message says what to do."""


@cache
def chromium() -> str:
    """Return the path of a Chromium that starts.

    POOLWISE_CHROMIUM decides if set. Raises NoChromium with the next step otherwise.
    """
    if given := os.environ.get("POOLWISE_CHROMIUM"):
        if _starts(given):
            return given
        message = f"POOLWISE_CHROMIUM must be a Chromium that starts headless, got {given}"
        raise NoChromium(message)
    for path in _candidates():
        if _starts(path):
            return path
    message = "No working Chromium found. `./dev test` installs one, or set POOLWISE_CHROMIUM."
    raise NoChromium(message)


def _candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, _COMMANDS))
    yield from filter(os.path.exists, _MAC_APPLICATIONS)
    yield from filter(os.path.exists, [_playwright_chromium()])


def _playwright_chromium() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _starts(path: str) -> bool:
    """Say whether the browser renders an empty page (a download may lack system libraries)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [path, "--headless", *LAUNCH_ARGUMENTS, f"--user-data-dir={profile}"]
        try:
            done = subprocess.run(
                [*command, "--dump-dom", "about:blank"],
                capture_output=True,
                check=False,
                timeout=_START_S_MAX,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == 0 and b"<html" in done.stdout


if __name__ == "__main__":
    try:
        print(Path(chromium()))
    except NoChromium as absent:
        sys.exit(str(absent))
