"""Where compiled code is kept, so that the next start does not compile.

numba itself looks only at the file of the function it loads, not at those it calls: what is kept
lies below a directory named after a digest of the package, of the modules whose constants are
compiled in, and of numba, Python and the processor, without which numba would compile again. That
is in the package's own `__pycache__` or, where that cannot be written, in the user's cache.
NUMBA_CACHE_DIR overrules. Of those directories the last few used stay.
"""

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BESIDE = HERE / "__pycache__"
_MARK = f"compiled-{sys.implementation.cache_tag}"
_CONSTANTS = ("pools/trace.py", "pools/protocol.py", "sim/worker.py")
# Other versions of the program that may be running beside this one, or be started again.
KEPT = 3


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
    """Note that the kernel is compiled, and drop what other versions left long ago."""
    place = keep_dir()
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
        (place / _MARK).touch()
        _drop_old(place)


def mark_used() -> None:
    """Note that what is compiled is in use, so that it stays."""
    place = keep_dir()
    if place is not None:
        with suppress(OSError):  # of a place that can only be read
            os.utime(place / _MARK)


def _drop_old(mine: Path) -> None:
    """Keep the last few used; the mark goes first, so that nobody loads what is half gone."""
    others = [
        one for one in mine.parent.glob("kernel-" + "[0-9a-f]" * 16) if one.is_dir() and one != mine
    ]
    for old in sorted(others, key=_used_s, reverse=True)[KEPT - 1 :]:
        for mark in old.glob("compiled-*"):
            mark.unlink(missing_ok=True)
        shutil.rmtree(old, ignore_errors=True)


def _used_s(place: Path) -> float:
    """Return when a directory was last used; another process may be removing it."""
    try:
        return max(one.stat().st_mtime for one in (place, *place.glob("compiled-*")))
    except OSError:
        return 0.0


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
    kinds = (ROOT / "pools" / "kinds").glob("*.py")
    sources = sorted([*HERE.glob("*.py"), *kinds, *(ROOT / one for one in _CONSTANTS)])
    where = f"{version('numba')} {sys.version} {_processor()}".encode()
    return hashlib.sha256(
        b"\0".join([where, *(path.read_bytes() for path in sources)])
    ).hexdigest()[:16]


def _processor() -> str:
    """Return what the code is compiled for: the processor and what it can do."""
    try:
        told_by_kernel = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    names = ("model name", "flags", "Features", "CPU part")
    lines = told_by_kernel.partition("\n\n")[0].splitlines()
    return " ".join(line for line in lines if line.startswith(names))
