"""Where compiled code is kept, so that the next start does not compile.

numba itself looks only at the file of the function it loads, not at those it calls: what is kept
lies below a directory named after a digest of the package. That is in the package's own
`__pycache__` or, where that cannot be written, in the user's cache. NUMBA_CACHE_DIR overrules.
"""

import hashlib
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
BESIDE = HERE / "__pycache__"
_MARK = f"compiled-{sys.implementation.cache_tag}"


@cache
def keep_dir() -> Path | None:
    """Return where compiled code is kept, or None if nowhere can be written."""
    place = next((one for one in _places() if _is_writable(one)), None)
    return None if place is None else place / f"kernel-{_digest()}"


def is_compiled() -> bool:
    """Whether the kernel has been compiled to the end, here and for this Python."""
    place = keep_dir()
    return place is not None and (place / _MARK).exists()


def mark_compiled() -> None:
    """Note that the kernel is compiled."""
    place = keep_dir()
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
        (place / _MARK).touch()


def told() -> str:
    """Say where compiled code is kept, and why there."""
    place = keep_dir()
    if place is None:
        tried = " nor ".join(str(one) for one in _places())
        return f"neither {tried} can be written: the kernel is compiled anew at every start"
    if place.parent == BESIDE:
        return f"compiled code is kept in {place}"
    return f"{BESIDE} cannot be written: compiled code is kept in {place}"


def _places() -> list[Path]:
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return [Path(given)]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [BESIDE, caches / "poolwise"]


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
