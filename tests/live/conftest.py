"""What the live tests share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pools.live import check, postgres


@pytest.fixture(autouse=True)
def _a_new_minute() -> None:
    """Let each test start as many checks as a session may in a minute."""
    check.SLOTS.forget()


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a short directory that the server's account may enter; it must end up empty."""
    made = Path(tempfile.mkdtemp(prefix="pw-test-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    left = [path.name for path in made.iterdir()]
    shutil.rmtree(made)
    assert left == []


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.EmbeddedPostgres]:
    """Give a throw-away server with 7 slots for ordinary roles."""
    with postgres.start(10, reserved=3) as running:
        yield running
