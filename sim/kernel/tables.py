"""Rows of the tables, by number.

numba would pass an array as seven numbers and count who refers to it. A row is one address, and
what lies there: `played` in sim.kernel.simulate keeps the arrays alive meanwhile.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.extending import intrinsic

from sim.kernel.compiled import compiled
from sim.kernel.state import (
    COUNT,
    EVENT,
    LINK,
    NUMBER,
    POOL,
    REQUEST,
    SLOT,
    TRACED,
    Row,
    State,
)


def _table(dtype: np.dtype[np.void]) -> Callable[[int, int], Row]:
    """Return what finds a row of that type, from the address of its table and its number."""
    row_type = from_dtype(dtype)

    def codegen(context: Any, builder: Any, _: Any, given: Any) -> Any:  # noqa: ANN401  llvmlite's
        base, number = given
        offset = builder.mul(number, ir.Constant(number.type, dtype.itemsize))
        return builder.inttoptr(builder.add(base, offset), context.get_value_type(row_type))

    def row(_: Any, base: Any, number: Any) -> Any:  # noqa: ANN401, ARG001  numba's
        return row_type(types.int64, types.int64), codegen

    found: Any = intrinsic(row)
    return cast("Callable[[int, int], Row]", found)


_request, _traced = _table(REQUEST), _table(TRACED)
_link, _slot, _pool = _table(LINK), _table(SLOT), _table(POOL)
entry_at, number_at, count_at = _table(EVENT), _table(NUMBER), _table(COUNT)


@compiled
def request_at(s: State, number: int) -> Row:
    """Return a request."""
    return _request(s.requests_at, number)


@compiled
def traced_at(s: State, number: int) -> Row:
    """Return what is told of a request."""
    return _traced(s.traced_at, number)


@compiled
def link_at(s: State, number: int) -> Row:
    """Return a connection, open or closed."""
    return _link(s.links_at, number)


@compiled
def slot_at(s: State, number: int) -> Row:
    """Return a place for a connection."""
    return _slot(s.slots_at, number)


@compiled
def pool_at(s: State, number: int) -> Row:
    """Return a pool."""
    return _pool(s.pools_at, number)


@compiled
def hold_of(s: State, row: int) -> float:
    """Return how long a request holds its connection, in seconds."""
    return number_at(s.holds_at, row).value
