"""How functions of the kernel are compiled: without the interpreter's lock, kept on disk.

What is compiled is kept below a directory named after a digest of the package: numba itself
looks only at the file of the function it loads, not at those it calls. The directory is the
package's own `__pycache__`, or the user's cache where that cannot be written.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import config

P = ParamSpec("P")
R = TypeVar("R")
HERE = Path(__file__).parent


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function as part of those that call it."""
    return _compile(function, keep=False)


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that Python calls, and keep it for the next start."""
    keeps = keep_dir()
    if keeps is not None:
        vars(config)["CACHE_DIR"] = str(keeps)
    return _compile(function, keep=keeps is not None)


def _compile(function: Callable[P, R], *, keep: bool) -> Callable[P, R]:
    # No fast-math: every rounding is Python's. A division needs no test for zero.
    made: Any = numba.njit(function, cache=keep, nogil=True, error_model="numpy")
    return cast("Callable[P, R]", made)


def keep_dir() -> Path | None:
    """Return where compiled code is kept, or None if nowhere can be written."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for place in (HERE / "__pycache__", caches / "poolwise"):
        if _is_writable(place):
            return place / f"kernel-{_digest()}"
    return None


def _is_writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def _digest() -> str:
    sources = sorted(HERE.glob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
