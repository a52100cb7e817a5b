"""What the page leaves behind in the process that tests it."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """Put `__main__` back: AppTest makes it the page, and a process spawned later would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
