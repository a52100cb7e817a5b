"""How functions of the kernel are compiled: to run without the interpreter's lock."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import config

from sim.kernel.keep import keep_dir

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function as part of those that call it."""
    # Nobody else calls it, so it needs no wrapper: that is two thirds of the compile time.
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function into those that call it: for what every request passes through."""
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that Python calls, and keep it for the next start."""
    keeps = keep_dir()
    if keeps is not None:
        vars(config)["CACHE_DIR"] = str(keeps)
    return _compile(function, cache=keeps is not None)


def _compile(function: Callable[P, R], **options: Any) -> Callable[P, R]:  # noqa: ANN401  numba's
    # No fast-math: every rounding is Python's. A division needs no test for zero.
    made: Any = numba.njit(nogil=True, error_model="numpy", **options)
    return cast("Callable[P, R]", made(function))
