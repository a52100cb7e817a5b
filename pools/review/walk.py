"""Which files a path means: itself, or the Python code and notebooks below it."""

import os
from collections.abc import Iterator
from pathlib import Path

FILE_BYTES_MAX = 2_000_000
FILES_MAX = 20_000
_SUFFIXES = frozenset({".py", ".ipynb"})
_SKIPPED = frozenset(
    {"__pycache__", "node_modules", "venv", "env", "site-packages", "dist", "build", "vendor"}
    | {"tests", "test", "testing"}
)


class TooManyFiles(ValueError):
    """A directory holds more files than one run reads."""


def files_of(path: Path) -> Iterator[Path]:
    """Yield a file itself, or what a directory holds, in order of name.

    In directories, hidden ones, virtual environments, installed packages and tests are left
    out: pools in tests serve nobody. Links to directories are not followed. Raises
    TooManyFiles beyond 20 000 files.
    """
    if not path.is_dir():
        yield path
        return
    count = 0
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not _is_skipped(Path(folder) / name))
        for name in sorted(names):
            if Path(name).suffix in _SUFFIXES and not is_test(name):
                count += 1
                if count > FILES_MAX:
                    raise TooManyFiles(f"{path} must hold at most {FILES_MAX:,} files to read")
                yield Path(folder) / name


def is_test(name: str) -> bool:
    """Whether a file's name is that of tests."""
    return (
        name.startswith("test_") or name.endswith("_test.py") or name in {"conftest.py", "tests.py"}
    )


def _is_skipped(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in _SKIPPED:
        return True
    return (folder / "pyvenv.cfg").exists()
